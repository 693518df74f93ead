"""What the figures show, as arrays over time: rates, shares, states. Nothing here draws.

Every series begins at t = 0, when the whole fleet is connected; the ramp before it is in none.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from server_stub.recorder import INTERVAL
from server_stub.tables import Columns
from simulator.core.outcomes import Outcome
from simulator.metrics.episodes import attempts_of, end_of_observation
from simulator.metrics.recovery import changes_of, spans_of
from simulator.results import RunResult

BIN = 0.1
"""Seconds; fine enough for the bursts of a herd, wide enough to be seen at the width of a page."""


class FleetState(IntEnum):
    """What a client is doing, as far as an onlooker can tell from its record."""

    CONNECTED = 0
    DIALLING = 1
    """An attempt is under way."""
    WAITING = 2
    """Between two attempts, or between a loss and the first one."""
    UNAWARE = 3
    """Its connection is broken and it has not noticed."""
    GAVE_UP = 4


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class AttemptRate:
    """How many attempts were started, by what became of them."""

    edges: NDArray[np.float64]
    """Seconds; of the bins, shape (n_bins + 1,)."""
    by_outcome: NDArray[np.float64]
    """Attempts per second, shape (n_outcomes, n_bins), rows as in `Outcome`."""

    @property
    def total(self) -> NDArray[np.float64]:
        """Attempts per second of whatever outcome, shape (n_bins,)."""
        total: NDArray[np.float64] = self.by_outcome.sum(axis=0)
        return total


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ArrivalRate:
    """How many upgrade requests reached the server, all its nodes together."""

    edges: NDArray[np.float64]
    """Seconds; of the bins, shape (n_bins + 1,)."""
    per_second: NDArray[np.float64]
    """Shape (n_bins,)."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ShareConnected:
    """Which share of the fleet was connected: exact, one step per change."""

    edges: NDArray[np.float64]
    """Seconds; of the steps, the last being the end of the observation, shape (n + 1,). The last
    step has no width if something changed at that very instant."""
    share: NDArray[np.float64]
    """From 0 to 1, shape (n,)."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FleetStates:
    """How many clients were in each state: exact, one step per change."""

    edges: NDArray[np.float64]
    """Seconds; as in `ShareConnected`, shape (n + 1,)."""
    counts: NDArray[np.float64]
    """Clients, shape (n_states, n), rows as in `FleetState`; each column adds up to the fleet."""

    @property
    def client_seconds(self) -> NDArray[np.float64]:
        """Time that all clients together spent in each state, shape (n_states,)."""
        return self.counts @ np.diff(self.edges)

    def averaged(self, n_steps: int) -> "FleetStates":
        """The same in equal steps, each the average over its time; for drawing.

        Args:
            n_steps: How many.
        """
        edges = np.linspace(self.edges[0], self.edges[-1], n_steps + 1)
        durations = np.diff(self.edges)
        spent = np.pad(np.cumsum(self.counts * durations, axis=1), ((0, 0), (1, 0)))
        spent = np.stack([np.interp(edges, self.edges, row) for row in spent])
        return FleetStates(edges=edges, counts=np.diff(spent, axis=1) / np.diff(edges))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Raster:
    """One point per attempt, in the order of their starts; arrays of shape (n_attempts,)."""

    client: NDArray[np.uint32]
    started_at: NDArray[np.float64]
    outcome: NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, slots=True)
class FastestRecovery:
    """The way back at full capacity: a straight line up to the whole fleet."""

    starts_at: float
    """Seconds; end of an outage."""
    share: float
    """Of the fleet connected at that instant, from 0 to 1."""
    ends_at: float
    """Seconds; everybody could be back by then."""


def attempt_rate(result: RunResult, *, width: float = BIN) -> AttemptRate:
    """Attempts started per second, in bins.

    Args:
        result: Any run.
        width: Seconds per bin.

    Returns:
        Bins from t = 0 to the end of the observation, or to the last attempt owed by then if that
        was started later: the rates times `width` add up to all the attempts.
    """
    end = end_of_observation(result)
    attempts = attempts_of(result, end)
    bins = np.floor(attempts["started_at"] / width).astype(np.intp)
    n_bins = max(_n_bins(end, width), int(bins.max(initial=0)) + 1)
    cells = attempts["outcome"].astype(np.intp) * n_bins + bins
    counts = np.bincount(cells, minlength=len(Outcome) * n_bins)
    return AttemptRate(
        edges=_edges(n_bins, width),
        by_outcome=counts.reshape(len(Outcome), n_bins) / width,
    )


def arrival_rate(result: RunResult, *, width: float = BIN) -> ArrivalRate | None:
    """Arrivals at the server per second, in bins.

    Args:
        result: Any run.
        width: Seconds per bin; not below the 10 ms of the record.

    Returns:
        Bins from t = 0 to the end of the observation; None when the server left no record.
    """
    at = result.server["at"]
    if at.size == 0:
        return None
    end = end_of_observation(result)
    n_bins = _n_bins(end, width)
    seen = (at >= 0) & (at < end)
    bins = np.floor((at[seen] + INTERVAL / 2) / width).astype(np.intp)
    counts = np.bincount(
        np.minimum(bins, n_bins - 1), weights=result.server["arrivals"][seen], minlength=n_bins
    )
    return ArrivalRate(edges=_edges(n_bins, width), per_second=counts / width)


def share_connected(result: RunResult) -> ShareConnected:
    """The share of the fleet connected, by the same record that recovery times come from."""
    changes = changes_of(result)
    n_clients = changes.at_first.size
    connected = np.cumsum(np.append(np.count_nonzero(changes.at_first), changes.step))
    edges, steps = _steps(changes.at, connected, end_of_observation(result))
    return ShareConnected(edges=edges, share=steps / n_clients)


def fleet_states(result: RunResult) -> FleetStates:
    """The states that all clients went through, counted."""
    before, after, at, at_first = _transitions(result)
    counts = [
        np.cumsum(np.append(at_first[state], np.int64(after == state) - (before == state)))
        for state in FleetState
    ]
    edges, steps = _steps(at, np.stack(counts), end_of_observation(result))
    return FleetStates(edges=edges, counts=steps.astype(np.float64))


def raster_points(result: RunResult) -> Raster:
    """Every attempt of the observation as a point."""
    attempts = attempts_of(result, end_of_observation(result))
    return Raster(**{name: attempts[name] for name in ("client", "started_at", "outcome")})


def fastest_recoveries(result: RunResult) -> tuple[FastestRecovery, ...]:
    """For each outage that ended within the observation: how fast it could have been overcome."""
    end = end_of_observation(result)
    connected = share_connected(result)
    full = connected.share.size and result.clients["client"].size / result.scenario.server.capacity
    recoveries = []
    for span in spans_of(result, end):
        if span.ends_at > end:
            continue
        step = np.searchsorted(connected.edges[:-1], span.ends_at, side="right") - 1
        share = float(connected.share[step])
        recoveries.append(
            FastestRecovery(
                starts_at=span.ends_at, share=share, ends_at=span.ends_at + (1 - share) * full
            )
        )
    return tuple(recoveries)


def _n_bins(end: float, width: float) -> int:
    """Bins that cover the observation, at least one; the rounding forgives 36.0 / 0.1."""
    return max(1, int(np.ceil(round(end / width, 6))))


def _edges(n_bins: int, width: float) -> NDArray[np.float64]:
    return np.arange(n_bins + 1, dtype=np.float64) * width


def _steps(
    at: NDArray[np.float64], levels: NDArray[np.int64], end: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Cut a sequence of levels down to the observation.

    Args:
        at: Seconds; the changes in order, shape (n,).
        levels: Before the first change and after each, shape (..., n + 1).
        end: Seconds; end of the observation.

    Returns:
        Edges from 0 to the end, shape (m + 1,), and the levels between them, shape (..., m).
        What changed at one instant is one step.
    """
    end = max(end, 0.0)
    seen = slice(*np.searchsorted(at, [0.0, end], side="right"))
    edges = np.concatenate([[0.0], at[seen], [end]])
    kept = np.append(np.diff(edges[:-1]) > 0, True)
    return np.append(edges[:-1][kept], end), levels[..., seen.start : seen.stop + 1][..., kept]


def _transitions(
    result: RunResult,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float64], NDArray[np.intp]]:
    """Every change of state, sorted by instant.

    A client's changes are put in their causal order, and none happens before an earlier one: a
    server can record that a connection broke before the client knows that it was made.

    Returns:
        The state left and the state entered, shape (n,); the instants in seconds, shape (n,); and
        how many clients begin in each state, shape (n_states,).
    """
    moves = _moves(result)
    order = np.lexsort([moves["position"], moves["episode"], moves["client"]])
    client, state = moves["client"][order], moves["state"][order]
    first = np.diff(client, prepend=-1) > 0
    initial = _initial_states(result)
    before = np.where(first, initial[client], np.roll(state, 1))
    at = _never_decreasing(moves["at"][order], client)
    in_time = np.argsort(at, kind="stable")
    at_first = np.bincount(initial, minlength=len(FleetState))
    return before[in_time], state[in_time], at[in_time], at_first


def _initial_states(result: RunResult) -> NDArray[np.uint8]:
    """Waiting for their first dial; connected where no ramp is on record, shape (n_clients,)."""
    initial = np.full(result.clients["client"].size, FleetState.CONNECTED, dtype=np.uint8)
    initial[result.attempts["client"][result.attempts["episode"] == 0]] = FleetState.WAITING
    return initial


def _moves(result: RunResult) -> Columns:
    """What puts clients into states: columns client, episode, position in it, at, state."""
    attempts, losses = result.attempts, result.disconnects
    gave_up = np.flatnonzero(np.isfinite(result.clients["gave_up_at"]))
    ended = np.where(
        attempts["outcome"] == Outcome.CONNECTED, FleetState.CONNECTED, FleetState.WAITING
    )
    attempt = attempts["attempt"].astype(np.int64)
    last = np.iinfo(np.uint32).max
    parts = (
        (losses, losses["episode"], 0, losses["broke_at"], FleetState.UNAWARE),
        (losses, losses["episode"], 1, losses["noticed_at"], FleetState.WAITING),
        (attempts, attempts["episode"], 2 * attempt, attempts["started_at"], FleetState.DIALLING),
        (attempts, attempts["episode"], 2 * attempt + 1, attempts["ended_at"], ended),
        ({"client": gave_up}, last, 0, result.clients["gave_up_at"][gave_up], FleetState.GAVE_UP),
    )
    rows = [
        np.broadcast_arrays(table["client"].astype(np.int64), episode, position, at, state)
        for table, episode, position, at, state in parts
    ]
    names = ("client", "episode", "position", "at", "state")
    return {
        name: np.concatenate(column)
        for name, column in zip(names, zip(*rows, strict=True), strict=True)
    }


def _never_decreasing(at: NDArray[np.float64], client: NDArray[np.int64]) -> NDArray[np.float64]:
    """Each client's instants, raised to the latest before them.

    Args:
        at: Seconds, shape (n,).
        client: Sorted, shape (n,).
    """
    instants = np.sort(at)
    rank = np.searchsorted(instants, at)
    latest = np.maximum.accumulate(client * at.size + rank)
    return instants[latest - client * at.size]
