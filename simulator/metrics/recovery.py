"""Recovery after an outage: when which share of its clients was back, and stayed.

A client is connected from the end of an attempt that got through until its connection breaks. One
without a recorded ramp attempt counts as connected from the start.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from server_stub.outage import OutageKind
from server_stub.tables import Columns
from simulator.core.outcomes import Outcome
from simulator.metrics.episodes import Mask
from simulator.metrics.percentiles import rank
from simulator.results import RunResult
from simulator.scenario import Scenario


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """An outage, from the first node's failing to the last one's return, and what follows it."""

    outage: int
    kind: OutageKind
    cohort: int | None
    """Whose path it is on; None for an outage that everybody feels."""
    starts_at: float
    ends_at: float
    """Infinite if it was still on when the run ended."""
    n_nodes: int
    """How many it hits; 0 for one that is on the way to all of them."""
    is_deploy: bool
    """Are nodes replaced on purpose?"""
    next_starts_at: float
    """When the first outage after its end began that disconnects anybody; infinite for the last."""

    @property
    def on_the_network(self) -> bool:
        """Was it between clients and server, while the server was well?"""
        return self.kind.is_on_the_way

    def touches(self, cohort_of: NDArray[np.uint16]) -> Mask:
        """Whether it can disconnect each client, shape (n_clients,).

        Args:
            cohort_of: Index of each client's cohort.
        """
        if self.cohort is None:
            return np.full(cohort_of.size, self.kind.breaks_connections)
        touched: Mask = cohort_of == self.cohort
        return touched


def spans_of(result: RunResult, end: float) -> tuple[Span, ...]:
    """The outages that began within the observation, by start.

    Args:
        result: Any run.
        end: Seconds; end of the observation.
    """
    outages = result.outages
    rows = [outages["outage"] == index for index in np.unique(outages["outage"])]
    firsts = [float(outages["starts_at"][row].min()) for row in rows]
    lasts = [float(outages["ends_at"][row].max()) for row in rows]
    kinds = [list(OutageKind)[outages["kind"][row][0]] for row in rows]
    breaks = [first for first, kind in zip(firsts, kinds, strict=True) if kind.breaks_connections]
    cohorts = _cohorts_cut_off(result.scenario)
    deploys = result.scenario.plan.deploys
    spans = [
        Span(
            outage=int(outages["outage"][row][0]),
            kind=kind,
            cohort=cohorts.get(int(outages["outage"][row][0])),
            starts_at=first,
            ends_at=last,
            n_nodes=0 if kind.is_on_the_way else np.unique(outages["node"][row]).size,
            is_deploy=int(outages["outage"][row][0]) in deploys,
            next_starts_at=min((later for later in breaks if later >= last), default=math.inf),
        )
        for row, kind, first, last in zip(rows, kinds, firsts, lasts, strict=True)
        if first <= end
    ]
    return tuple(sorted(spans, key=lambda span: span.starts_at))


def _cohorts_cut_off(scenario: Scenario) -> dict[int, int]:
    """Index of the cohort by that of the outage, for those that cut a single cohort's path."""
    names = [cohort.name for cohort in scenario.cohorts]
    return {
        window.index: names.index(window.cohort)
        for window in scenario.windows
        if window.cohort is not None
    }


def watched_until(
    span: Span, spans: Sequence[Span], cohort_of: NDArray[np.uint16]
) -> NDArray[np.float64]:
    """Until when each client's recovery from an outage is followed, shape (n_clients,).

    That is the start of the next outage that can disconnect it. One that overlaps with the outage
    itself is no end: whoever it keeps away is simply not back yet.

    Args:
        span: The outage.
        spans: All of them, by start.
        cohort_of: Index of each client's cohort, shape (n_clients,).
    """
    until = np.full(cohort_of.size, np.inf)
    for later in reversed(spans):
        if later.starts_at >= span.ends_at:
            until[later.touches(cohort_of)] = later.starts_at
    return until


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Changes:
    """Every connection made (+1) and broken (-1), sorted by instant; arrays of shape (n,)."""

    client: NDArray[np.uint32]
    at: NDArray[np.float64]
    step: NDArray[np.int8]
    node: NDArray[np.uint16]
    """Where the connection was made; NO_NODE where that is not known."""
    at_first: Mask
    """Whether a client was connected before its first change, shape (n_clients,)."""

    def connected_before(self, instant: float) -> Mask:
        """Whether each client was connected just before an instant, shape (n_clients,)."""
        past = slice(np.searchsorted(self.at, instant, side="left"))
        balance = np.bincount(
            self.client[past], weights=self.step[past], minlength=self.at_first.size
        )
        return self.at_first + balance > 0

    def ever_connected_before(self, instant: float) -> Mask:
        """Whether each client had been connected at all by an instant, shape (n_clients,)."""
        ever = self.at_first.copy()
        past = slice(np.searchsorted(self.at, instant, side="left"))
        ever[self.client[past][self.step[past] > 0]] = True
        return ever


def changes_of(result: RunResult) -> Changes:
    """The connections made and broken in a run, the ramp's included."""
    if result.digest is not None:
        return _digested_changes(result.digest.episodes, result.clients["client"].size)
    attempts, losses = result.attempts, result.disconnects
    made = attempts["outcome"] == Outcome.CONNECTED
    at_first = np.ones(result.clients["client"].size, dtype=np.bool_)
    at_first[attempts["client"][attempts["episode"] == 0]] = False
    return _in_order(
        [attempts[name][made] for name in ("client", "node", "ended_at")],
        [losses[name] for name in ("client", "node", "broke_at")],
        at_first=at_first,
    )


def _digested_changes(episodes: Columns, n_clients: int) -> Changes:
    made = np.isfinite(episodes["recovered_at"])
    client = episodes["client"]
    node = np.zeros(client.size, dtype=np.uint16)
    return _in_order(
        [client[made], node[made], episodes["recovered_at"][made]],
        [client, node, episodes["broke_at"]],
        at_first=np.ones(n_clients, dtype=np.bool_),
    )


def _in_order(
    made: Sequence[NDArray[Any]], broken: Sequence[NDArray[Any]], *, at_first: Mask
) -> Changes:
    """Connections made and broken, each as clients, nodes and instants."""
    client, node, at = (np.append(*columns) for columns in zip(made, broken, strict=True))
    step = np.ones(at.size, dtype=np.int8)
    step[made[0].size :] = -1
    order = np.argsort(at, kind="stable")
    return Changes(
        client=client[order],
        at=at[order],
        step=step[order],
        node=node[order],
        at_first=at_first,
    )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Recovery:
    """How the clients of one outage came back: those it disconnected and those still down."""

    n_clients: int
    ends_at: float
    """Seconds; end of the outage."""
    until: float
    """Seconds; when the last of its clients meets the next outage, or the end of the
    observation."""
    instants: NDArray[np.float64]
    """The outage's end, then each instant at which the number connected changed, shape (n,)."""
    stay_connected: NDArray[np.int64]
    """The fewest of its clients connected from each of these on; it never falls, shape (n,)."""
    connects_at: NDArray[np.float64]
    """When connections of its clients were made, sorted."""

    def instant(self, share: float) -> float:
        """Seconds; the first from which on that share stays connected, infinite if there is none.

        Args:
            share: Above 0, up to 1; of all the outage's clients, those that gave up included.
        """
        first = np.searchsorted(self.stay_connected, rank(share, self.n_clients))
        return float(self.instants[first]) if first < self.instants.size else math.inf

    def time(self, share: float) -> float:
        """Seconds from the outage's end to that instant; 0 when nobody had to come back."""
        if self.n_clients == 0:
            return 0.0
        instant = self.instant(share)
        return instant - self.ends_at if math.isfinite(instant) else math.inf

    def goodput(self) -> float:
        """Connects per second from the outage's end until all are back or the stretch is over.

        NaN when that takes no time: nobody had to come back, or the outage did not end.
        """
        stop = min(self.instant(1.0), self.until)
        if not self.n_clients or stop <= self.ends_at:
            return math.nan
        bounds = np.searchsorted(self.connects_at, [self.ends_at, np.nextafter(stop, math.inf)])
        return float(bounds[1] - bounds[0]) / (stop - self.ends_at)


def recovery_of(
    changes: Changes,
    span: Span,
    *,
    affected: Mask,
    until: NDArray[np.float64],
    end: float,
) -> Recovery:
    """Follow an outage's clients from its end on.

    Args:
        changes: Of the whole run.
        span: The outage.
        affected: Whether a client is one of its own, shape (n_clients,).
        until: Seconds; until when each client is followed, shape (n_clients,).
        end: Seconds; end of the observation.
    """
    seen = affected[changes.client] & (changes.at < until[changes.client]) & (changes.at <= end)
    at, step = changes.at[seen], changes.step[seen]
    connected = np.cumsum(np.append(np.count_nonzero(changes.at_first & affected), step))
    past = np.searchsorted(at, span.ends_at, side="right")
    instants, connected = np.append(span.ends_at, at[past:]), connected[past:]
    settled = np.append(np.diff(instants) > 0, True) & (instants <= end)
    return Recovery(
        n_clients=int(np.count_nonzero(affected)),
        ends_at=span.ends_at,
        until=min(float(until[affected].max(initial=span.ends_at)), end),
        instants=instants[settled],
        stay_connected=np.minimum.accumulate(connected[settled][::-1])[::-1],
        connects_at=at[step > 0],
    )
