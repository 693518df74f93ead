"""How much of a herd moves as one, and for how long it asks for more than there is."""

import math
from dataclasses import dataclass

import numpy as np

from server_stub.recorder import INTERVAL
from simulator.metrics.episodes import end_of_observation
from simulator.metrics.load import attempts_of
from simulator.metrics.recovery import spans_of
from simulator.metrics.series import arrival_rate
from simulator.results import RunResult

WINDOW = 0.25
"""Seconds; of a bunch at most. A live machine takes some tenths of a second to send a burst."""
_OVERLOAD_WIDTH = 1.0
"""Seconds over which arrivals are averaged before they are held against the capacity."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bunch:
    """The most attempts that were started close together."""

    at: float
    """Seconds on the run's clock; the first of them."""
    width: float
    """Seconds from the first to the last."""
    n_attempts: int
    n_clients: int | None
    """Different clients among them; None where attempts were only counted."""


def tightest_bunch(result: RunResult) -> Bunch | None:
    """The busiest window of the run; None without an attempt.

    Args:
        result: Any run; of one without a table of attempts, intervals of 10 ms stand for them.
    """
    if result.digest is not None:
        return _counted_bunch(result)
    attempts = attempts_of(result, end_of_observation(result))
    order = np.argsort(attempts["started_at"], kind="stable")
    at = attempts["started_at"][order]
    if at.size == 0:
        return None
    ends = np.searchsorted(at, at + WINDOW, side="right")
    first = int(np.argmax(ends - np.arange(at.size)))
    within = slice(first, int(ends[first]))
    return Bunch(
        at=float(at[first]),
        width=float(at[within][-1] - at[first]),
        n_attempts=int(ends[first]) - first,
        n_clients=int(np.unique(attempts["client"][order][within]).size),
    )


def _counted_bunch(result: RunResult) -> Bunch | None:
    rates = result.table("rates")
    if rates["at"].size == 0:
        return None
    interval = np.rint(rates["at"] / INTERVAL).astype(np.int64)
    counts = np.bincount(interval - interval.min(), weights=rates["n"])
    n_intervals = min(round(WINDOW / INTERVAL), counts.size)
    totals = np.convolve(counts, np.ones(n_intervals), mode="valid")
    first = int(np.argmax(totals))
    busy = np.flatnonzero(counts[first : first + n_intervals])
    return Bunch(
        at=float((interval.min() + first + busy[0]) * INTERVAL),
        width=float((busy[-1] - busy[0] + 1) * INTERVAL),
        n_attempts=int(totals[first]),
        n_clients=None,
    )


def overload_time(result: RunResult) -> float:
    """Seconds after the last outage during which more arrived per second than the server can take.

    NaN where nobody knows the capacity, the server left no record or the outage was not over.
    """
    end = end_of_observation(result)
    spans = spans_of(result, end)
    rate = arrival_rate(result, width=_OVERLOAD_WIDTH)
    over_at = max((span.ends_at for span in spans), default=math.inf)
    if rate is None or math.isnan(result.capacity) or over_at >= end:
        return math.nan
    after = rate.edges[:-1] >= math.floor(over_at)
    return float(np.count_nonzero(rate.per_second[after] > result.capacity) * _OVERLOAD_WIDTH)
