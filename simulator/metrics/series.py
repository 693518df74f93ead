"""What the figures show, as arrays over time: rates, shares, points. Nothing here draws.

Every series begins at t = 0, when the whole fleet is connected; the ramp before it is in none.
What the fleet is doing is in `simulator.metrics.states`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from server_stub.recorder import INTERVAL
from simulator.core.outcomes import Outcome
from simulator.metrics.episodes import attempts_of, end_of_observation
from simulator.metrics.recovery import changes_of, spans_of
from simulator.results import RunResult

BIN = 0.1
"""Seconds; fine enough for the bursts of a herd, wide enough to be seen at the width of a page."""


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
    rates = server_rates(result, ["arrivals"], width=width)
    if rates is None:
        return None
    edges, (per_second,) = rates
    return ArrivalRate(edges=edges, per_second=per_second)


def server_rates(
    result: RunResult, columns: Sequence[str], *, width: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """What the server counted, per second, in bins, all its nodes together.

    Args:
        result: Any run.
        columns: Of the `server` table; counts.
        width: Seconds per bin; not below the 10 ms of the record.

    Returns:
        Edges of bins from t = 0 to the end of the observation, shape (n_bins + 1,), and the rates,
        shape (n_columns, n_bins); None when the server left no record.
    """
    at = result.server["at"]
    if at.size == 0:
        return None
    end = end_of_observation(result)
    n_bins = _n_bins(end, width)
    seen = (at >= 0) & (at < end)
    bins = np.floor((at[seen] + INTERVAL / 2) / width).astype(np.intp)
    bins = np.minimum(bins, n_bins - 1)
    counts = [
        np.bincount(bins, weights=result.server[column][seen], minlength=n_bins)
        for column in columns
    ]
    return _edges(n_bins, width), np.stack(counts) / width


def share_connected(result: RunResult, *, cohort: int | None = None) -> ShareConnected:
    """The share of the fleet connected, by the same record that recovery times come from.

    Args:
        result: Any run.
        cohort: Index of the cohort that it is the share of; of the whole fleet unless given.
    """
    changes = changes_of(result)
    cohort_of = result.clients["cohort"]
    members = np.full(cohort_of.size, True) if cohort is None else cohort_of == cohort
    theirs = members[changes.client]
    at_first = np.count_nonzero(changes.at_first & members)
    connected = np.cumsum(np.append(at_first, changes.step[theirs]))
    edges, steps = steps_within(changes.at[theirs], connected, end_of_observation(result))
    return ShareConnected(edges=edges, share=steps / max(1, int(np.count_nonzero(members))))


def raster_points(result: RunResult) -> Raster:
    """Every attempt of the observation as a point."""
    attempts = attempts_of(result, end_of_observation(result))
    return Raster(**{name: attempts[name] for name in ("client", "started_at", "outcome")})


def fastest_recoveries(result: RunResult) -> tuple[FastestRecovery, ...]:
    """For each outage that ended within the observation: how fast it could have been overcome.

    None where nobody knows the server's capacity, and none for what disconnects nobody.
    """
    if math.isnan(result.capacity):
        return ()
    end = end_of_observation(result)
    connected = share_connected(result)
    shares_per_second = result.capacity / result.clients["client"].size
    ended = [
        span.ends_at
        for span in spans_of(result, end)
        if span.ends_at <= end and span.kind.breaks_connections
    ]
    steps = np.searchsorted(connected.edges[:-1], ended, side="right") - 1
    return tuple(
        FastestRecovery(starts_at=at, share=share, ends_at=at + (1 - share) / shares_per_second)
        for at, share in zip(ended, connected.share[steps].tolist(), strict=True)
    )


def _n_bins(end: float, width: float) -> int:
    """Bins that cover the observation, at least one; the rounding forgives 36.0 / 0.1."""
    return max(1, int(np.ceil(round(end / width, 6))))


def _edges(n_bins: int, width: float) -> NDArray[np.float64]:
    return np.arange(n_bins + 1, dtype=np.float64) * width


def steps_within(
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
