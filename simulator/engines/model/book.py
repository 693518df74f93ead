"""A course written down as arrays, many attempts at a time."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.core.outcomes import Outcome
from simulator.engines.model.agenda import Clients
from simulator.engines.model.course import (
    COUNTED,
    INTERVAL_NS,
    Break,
    Course,
    Ended,
    GaveUp,
    Noticed,
    Rows,
)
from simulator.engines.model.instants import Instants


class Book:
    """Attempts, losses and the server's counts up to the end of the observation."""

    def __init__(self, end: int, n_clients: int) -> None:
        """Nothing has happened.

        Args:
            end: Nanoseconds; what happens later is not written down.
            n_clients: Connected at first.
        """
        self._end = end
        self._n_intervals = end // INTERVAL_NS + 1
        self._n_clients = n_clients
        self._rows: dict[str, list[Sequence[Any]]] = defaultdict(list)
        self._bins: dict[str, NDArray[np.int64]] = defaultdict(self._no_counts)
        self._most_waiting, self._most_busy = self._no_counts(), self._no_counts()

    def _no_counts(self) -> NDArray[np.int64]:
        return np.zeros(self._n_intervals, dtype=np.int64)

    # Clients

    def attempts(self, ended: Ended, outcome: Outcome) -> None:
        """Dials are over; those after the end of the observation are cut off at it."""
        outcomes = np.full(ended.client.size, outcome, dtype=np.uint8)
        ended_at = ended.ended_at
        late = ended_at > self._end
        if late.any():
            outcomes[late] = Outcome.CANCELLED
            ended_at = np.minimum(ended_at, self._end)
        self._rows["attempts"].append(ended._replace(ended_at=ended_at, outcome=outcomes))
        if outcome is Outcome.CONNECTED:
            self._add("connects", ended_at[~late])

    def losses(
        self, clients: Clients, episode: NDArray[np.uint16], at: Instants, broken: Break
    ) -> None:
        """Clients notice that their connections are lost."""
        which, when, how, said = (np.full(clients.size, value) for value in broken)
        self._rows["losses"].append(Noticed(clients, episode, which, when, at, how, said))
        self._add("losses", when)

    def give_ups(self, clients: Clients, at: Instants) -> None:
        """Clients stop trying."""
        seen = at <= self._end
        self._rows["give_ups"].append(GaveUp(clients[seen], at[seen]))

    # The server

    def count(self, what: str, at: Instants) -> None:
        """So many more of what the server counts, at these instants."""
        self._add(what, at[at <= self._end])

    def waiting(self, arrives_at: Instants, waiting: NDArray[np.int64]) -> None:
        """How many wait just after these arrivals."""
        np.maximum.at(self._most_waiting, arrives_at // INTERVAL_NS, waiting)

    def starts(self, starts_at: Instants, busy: NDArray[np.int64]) -> None:
        """Services start, so many workers being busy just after that."""
        seen = starts_at <= self._end
        interval = starts_at[seen] // INTERVAL_NS
        np.maximum.at(self._most_busy, interval, busy[seen])
        self._add("started", starts_at[seen])

    def cleared(self, at: int, n_waiting: int, n_served: int) -> None:
        """Everybody at the desk is sent away."""
        self._bins["left the line"][at // INTERVAL_NS] += n_waiting
        self._bins["left a worker"][at // INTERVAL_NS] += n_served

    def _add(self, what: str, at: Instants) -> None:
        if at.size:
            counts = np.bincount(at // INTERVAL_NS)
            self._bins[what][: counts.size] += counts

    # All of it

    def course(self) -> Course:
        """Everything so far."""
        bins = self._bins
        waiting = np.cumsum(bins["admitted"] - bins["started"] - bins["left the line"])
        busy = np.cumsum(bins["started"] - bins["completed"] - bins["left a worker"])
        connected = self._n_clients + np.cumsum(bins["connects"] - bins["losses"])
        before = np.concatenate([[self._n_clients], connected[:-1]])
        return Course(
            attempts=_joined(Ended._fields, self._rows["attempts"]),
            losses=_joined(Noticed._fields, self._rows["losses"]),
            give_ups=_joined(GaveUp._fields, self._rows["give_ups"]),
            counts={name: bins[name] for name in COUNTED},
            levels={
                "connected": np.maximum(before + bins["connects"], connected),
                "backlog": np.maximum(self._most_waiting, _before(waiting)),
                "busy_workers": np.maximum(self._most_busy, _before(busy)),
            },
        )


def _before(levels: NDArray[np.int64]) -> NDArray[np.int64]:
    """What each interval began with, given what each ended with."""
    return np.concatenate([[0], levels[:-1]])


def _joined(names: Sequence[str], pieces: list[Sequence[Any]]) -> Rows:
    columns: Mapping[str, NDArray[np.int64]] = {
        name: np.concatenate([piece[index] for piece in pieces]).astype(np.int64)
        if pieces
        else np.empty(0, dtype=np.int64)
        for index, name in enumerate(names)
    }
    return columns
