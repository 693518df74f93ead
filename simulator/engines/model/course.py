"""What happened in a model run, in nanoseconds: attempts, losses, and the server's counts."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from server_stub.doorkeeper import Reason
from server_stub.outage import OutageWindow
from server_stub.recorder import INTERVAL
from server_stub.tables import turned_away_by
from simulator.core.outcomes import NoticedBy
from simulator.engines.model.instants import Instants, all_in_ns, in_ns
from simulator.scenario import Scenario

INTERVAL_NS = in_ns(INTERVAL)
ABNORMAL_CLOSURE = 1006
"""Stands for a close without a close frame."""
TURNED_AWAY: Mapping[Reason, str] = {
    reason: turned_away_by(reason) for reason in Reason if reason is not Reason.MAX_PER_ADDRESS
}
"""Why an arrival can be turned away here, and what the tables call that."""
COUNTED = ("arrivals", "admitted", "completed", "wasted", "rejected", *TURNED_AWAY.values())
LEVELS = ("connected", "backlog", "busy_workers")

Series = NDArray[np.integer]
"""Something per interval from t = 0 on, shape (n_intervals,); of several nodes a row for each."""


class Ended(NamedTuple):
    """One dial is over; or an array of each, for many."""

    client: Any
    episode: Any
    attempt: Any
    due_at: Any
    ended_at: Any
    outcome: Any


class Noticed(NamedTuple):
    """A client notices that its connection is lost, which begins an episode; or many do."""

    client: Any
    episode: Any
    outage: Any
    broke_at: Any
    noticed_at: Any
    noticed_by: Any
    close_code: Any


class Break(NamedTuple):
    """How connections come to an end."""

    outage: int
    at: int
    """Nanoseconds."""
    noticed_by: NoticedBy
    close_code: int = ABNORMAL_CLOSURE


def break_of(window: OutageWindow, at: int) -> Break:
    """What everybody who is connected is told when an outage starts (RULES 14)."""
    if window.kind.says_goodbye:
        return Break(window.index, at, NoticedBy.CLOSE_FRAME, window.close_code)
    return Break(window.index, at, NoticedBy.RESET)


class GaveUp(NamedTuple):
    """A client stops trying; or many do."""

    client: Any
    gave_up_at: Any


class Recovered(NamedTuple):
    """Clients get their connections; all that is kept of their attempts in a digest."""

    client: Any
    episode: Any
    n_attempts: Any
    recovered_at: Any


AnyRow = TypeVar("AnyRow", Ended, Noticed, GaveUp, Recovered)
Table = Mapping[str, NDArray[Any]]
"""Columns of one length by name."""

DTYPES: Mapping[str, str] = {
    "client": "u4",
    "episode": "u2",
    "attempt": "u4",
    "n_attempts": "u4",
    "outcome": "u1",
    "outage": "i2",
    "noticed_by": "u1",
    "close_code": "u2",
    "due_at": "i8",
    "ended_at": "i8",
    "broke_at": "i8",
    "noticed_at": "i8",
    "recovered_at": "i8",
    "gave_up_at": "i8",
}
"""The smallest that holds each column."""


def narrow(rows: AnyRow) -> AnyRow:
    """Arrays in the smallest types that hold them; a constant takes no room."""
    shape = np.shape(rows[0])
    columns = (
        np.broadcast_to(_narrow(np.asarray(values, dtype=DTYPES[name])), shape)
        for name, values in zip(rows._fields, rows, strict=True)
    )
    return type(rows)(*columns)


def _narrow(values: NDArray[Any]) -> NDArray[Any]:
    if values.ndim == 0 or values.size < 2 or values.strides == (0,):
        return values
    if values[0] == values[-1] and (values == values[0]).all():
        return values[:1]
    if values.dtype == np.uint32 and values.max() < 1 << 16:
        return values.astype(np.uint16)
    return values


def only(rows: Ended, chosen: NDArray[np.bool_]) -> Ended:
    """Some rows of arrays; a constant holds for them, too."""
    return Ended._make(
        values[chosen] if isinstance(values, np.ndarray) else values for values in rows
    )


def joined(names: Sequence[str], pieces: Sequence[Sequence[Any]]) -> Table:
    """The columns of many pieces, one after the other; a constant still takes no room."""
    columns = {}
    for index, name in enumerate(names):
        column = [piece[index] for piece in pieces]
        columns[name] = _concatenated(column) if column else np.empty(0, dtype=DTYPES[name])
    return columns


def _concatenated(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    filled = [part for part in parts if part.size]
    if filled and all(part.strides == (0,) and part[0] == filled[0][0] for part in filled):
        return np.broadcast_to(filled[0][0], (sum(part.size for part in filled),))
    return np.concatenate(parts)


RateKey = tuple[int, int, int]
"""Outage, cohort and outcome."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CourseDigest:
    """What is kept of attempts that are too many."""

    recovered: Table
    rates: Mapping[RateKey, NDArray[np.int64]]
    """Attempts started per interval."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Course:
    """One run; instants in nanoseconds after t = 0."""

    attempts: Table
    """In no particular order."""
    losses: Table
    give_ups: Table
    counts: Mapping[str, Series]
    """By what was counted; all of one shape."""
    levels: Mapping[str, Series]
    """The most in each interval."""
    stages: Mapping[int, Mapping[str, Series]] = field(default_factory=dict)
    """What the `stages` table says of each, the nodes' own workers (0) included; nanoseconds for
    seconds. Empty when there are no stages."""
    together: bool = False
    """Is the one row of a series about all nodes, rather than about the only one? Then it counts
    what all of them did, and its levels are those of the node at which they were highest."""
    digest: CourseDigest | None = None
    """In place of attempts that were not kept."""


@dataclass(slots=True, eq=False)
class CourseBook:
    """A course, written event by event."""

    _attempts: list[Ended] = field(default_factory=list)
    _losses: list[Noticed] = field(default_factory=list)
    _give_ups: list[GaveUp] = field(default_factory=list)
    _counts: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    _levels: list[tuple[int, int, int, int]] = field(default_factory=list)

    def attempt(self, ended: Ended) -> None:
        """One dial is over."""
        self._attempts.append(ended)

    def loss(self, noticed: Noticed) -> None:
        """A client notices that its connection is lost, which begins an episode."""
        self._losses.append(noticed)

    def give_up(self, gave_up: GaveUp) -> None:
        """A client stops trying."""
        self._give_ups.append(gave_up)

    def count(self, at: int, what: str) -> None:
        """One more of what the server counts."""
        self._counts[what].append(at // INTERVAL_NS)

    def level(self, at: int, connected: int, backlog: int, busy_workers: int) -> None:
        """How things stand at the server from now on."""
        self._levels.append((at, connected, backlog, busy_workers))

    def course(self) -> Course:
        """Everything so far."""
        counted = [max(intervals, default=0) for intervals in self._counts.values()]
        n_intervals = 1 + max([self._levels[-1][0] // INTERVAL_NS, *counted])
        return Course(
            attempts=_columns(Ended._fields, self._attempts),
            losses=_columns(Noticed._fields, self._losses),
            give_ups=_columns(GaveUp._fields, self._give_ups),
            counts={
                name: np.bincount(
                    np.array(self._counts[name], dtype=np.int64), minlength=n_intervals
                )
                for name in COUNTED
            },
            levels=_most_in_each(np.array(self._levels, dtype=np.int64), n_intervals),
        )

    def _per_interval(self, name: str, n_intervals: int) -> NDArray[np.int64]:
        intervals = np.array(self._counts[name], dtype=np.int64)
        return np.bincount(intervals, minlength=n_intervals)


def _columns(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> Table:
    columns = np.array(rows, dtype=np.int64).reshape(-1, len(names)).T
    return {name: column.astype(DTYPES[name]) for name, column in zip(names, columns, strict=True)}


def _most_in_each(levels: NDArray[np.int64], n_intervals: int) -> Mapping[str, NDArray[np.int64]]:
    """The most of each level in each interval, what it began with included.

    Args:
        levels: Rows of (at, connected, backlog, busy workers), by instant; each level stands until
            the next.
        n_intervals: How many.
    """
    interval = levels[:, 0] // INTERVAL_NS
    ended_with = np.searchsorted(interval, np.arange(n_intervals), side="left") - 1
    found: dict[str, Any] = {}
    for name, values in zip(LEVELS, levels[:, 1:].T, strict=True):
        most = np.where(ended_with >= 0, values[np.maximum(ended_with, 0)], 0)
        np.maximum.at(most, interval, values)
        found[name] = most
    return found


def ramp_connects(scenario: Scenario, cohort_of: Sequence[int] | NDArray[np.integer]) -> Instants:
    """When each client got its first connection, as the virtual engine's ramp has it.

    Returns:
        Nanoseconds, none later than t = 0, which is the next whole second; shape (n_clients,).
    """
    connects = np.arange(scenario.n_clients, dtype=np.float64)
    connects /= scenario.ramp_rate
    for index, cohort in enumerate(scenario.cohorts):
        connects[np.asarray(cohort_of) == index] += cohort.rtt
    connects -= np.ceil(connects.max())
    return all_in_ns(connects)
