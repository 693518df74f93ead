"""Fits a server's settings to a recorded run, from the clients' view alone.

Theory of operation
-------------------
A dial that arrives when no other is inside finds a worker free: its latency is a service. A dial
that takes far longer than that has waited, so while such dials follow each other without a gap
every worker was busy all the time, and the connects per second are the capacity. The product of
both is the number of workers. With these, the queue is replayed over the recorded arrivals: how
many were inside when a dial was turned away is workers + backlog, and whether time was spent on
clients that had given up shows in who was served in time behind them.
"""

import math
from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from simulator.calibration.dials import Dials, dials_of, time_on_the_way
from simulator.calibration.fitted import Fitted
from simulator.calibration.line import Replay, contradictions, replay
from simulator.errors import InputError
from simulator.intervals import Z
from simulator.results import RunResult

_LEAST_IDLE = 8
"""Dials of an idle server from which a mean service time is worth something."""
_LEAST_BUSY = 30
"""Connects of a busy server from which a capacity is."""
_LEAST_CONTRADICTIONS = 5
"""Dials by which one explanation must beat the other."""
_OUTLIER = 8.0
"""Times the median beyond which a latency is no service: of exponential services 0.4 % are."""
_LONGER = 3.0
"""A dial that takes this many times as long as the usual one on an idle server has waited."""


def fit_run(result: RunResult, *, source: str) -> Fitted:
    """The server that would have answered as it did.

    Args:
        result: A run of the stub, or of another server, with a storm in it.
        source: What to call it.

    Raises:
        InputError: Nobody connected after the ramp, or the run kept no attempts.
    """
    if result.digest is not None:
        raise InputError(
            f"{source}: its attempts were too many to be kept, and nothing else tells of the "
            f"server; allowed: a run with at most attempts_limit = "
            f"{result.scenario.attempts_limit} attempts"
        )
    dials = dials_of(result)
    if np.count_nonzero(dials.connected) < _LEAST_BUSY:
        raise InputError(
            f"{source}: {np.count_nonzero(dials.connected)} connects of a server that was up, the "
            f"ramp left out; allowed: at least {_LEAST_BUSY}, as after a restart with more clients"
        )
    services = np.maximum(_idle_latencies(dials) - time_on_the_way(result), 1e-6)
    knows_service = services.size >= _LEAST_IDLE
    service_time = float(services.mean()) if knows_service else None
    service_cv = float(services.std(ddof=1) / services.mean()) if knows_service else None
    busy = _busy_stretches(dials, services)
    n_busy = int(sum(run.size for run in busy))
    if n_busy >= _LEAST_BUSY:
        spans = [run[-1] - run[0] for run in busy]
        capacity = sum(run.size - 1 for run in busy) / max(float(sum(spans)), 1e-9)
        error = Z * (service_cv if service_cv is not None else 1.0) / math.sqrt(n_busy)
        low, high = capacity / (1 + error), capacity * (1 + error)
    else:
        n_busy, capacity = _fastest(dials)
        low, high = capacity, math.inf
    workers = max(1, round(capacity * service_time)) if service_time is not None else None
    n_workers = workers or 1
    as_served, as_skipped = (
        replay(dials, n_workers=n_workers, service_time=n_workers / capacity, skips=skips)
        for skips in (False, True)
    )
    abandoned = _abandoned(contradictions(dials, as_served), contradictions(dials, as_skipped))
    backlog, at_least = _backlog(dials, as_skipped if abandoned == "skip" else as_served, n_workers)
    return Fitted(
        source=source,
        capacity=capacity,
        capacity_low=low,
        capacity_high=high,
        n_busy=n_busy,
        service_time=service_time,
        service_cv=service_cv,
        n_idle=int(services.size),
        workers=workers if math.isfinite(high) else None,
        backlog=backlog,
        backlog_at_least=at_least,
        overflow="reset" if dials.was_reset else "reject",
        abandoned=abandoned,
        remarks=tuple(
            _remarks(
                knows_service=knows_service,
                was_busy=math.isfinite(high),
                backlog=backlog,
                abandoned=abandoned,
            )
        ),
    )


def _idle_latencies(dials: Dials) -> NDArray[np.float64]:
    """Latencies, in seconds, of the dials that arrived when nobody was inside."""
    last_answer = np.maximum.accumulate(np.where(dials.turned_away, -np.inf, dials.answered_at))
    alone = np.r_[True, last_answer[:-1] < dials.arrived_at[1:]]
    # Who gave up may still be served: only after someone else's answer is it known to be over.
    after_answer = np.r_[True, ~dials.gave_up[:-1]]
    latencies: NDArray[np.float64] = dials.latency[alone & after_answer & dials.connected]
    # Whoever is far slower than the others waited for something that clients do not see.
    usual = float(np.median(latencies)) if latencies.size else 0.0
    return np.compress(latencies <= _OUTLIER * usual, latencies)


def _busy_stretches(dials: Dials, services: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Instants of connects, in order, of each stretch in which all workers were busy throughout.

    Of two connects in a row the later one was inside before the earlier one was answered, waited,
    and had nobody before it who gave up: on such a client service may have been spent, or not.
    """
    usual = float(np.mean(services)) if services.size else float(np.quantile(dials.latency, 0.05))
    order = np.flatnonzero(dials.connected)
    order = order[np.argsort(dials.answered_at[order], kind="stable")]
    arrived_at, answered_at = dials.arrived_at[order], dials.answered_at[order]
    lost = np.sort(dials.arrived_at[dials.gave_up])
    first = np.minimum(arrived_at[:-1], arrived_at[1:])
    last = np.maximum(arrived_at[:-1], arrived_at[1:])
    n_lost = np.searchsorted(lost, last, side="left") - np.searchsorted(lost, first, side="right")
    follows = (
        (arrived_at[1:] < answered_at[:-1])
        & (answered_at[1:] - arrived_at[1:] > _LONGER * usual)
        & (n_lost <= 0)
    )
    stretches = np.split(answered_at, np.flatnonzero(~follows) + 1)
    return [stretch for stretch in stretches if stretch.size > 2]


def _abandoned(served: int, skipped: int) -> Literal["serve", "skip"] | None:
    """Which of two explanations fewer dials contradict; None if the difference is too small."""
    if abs(served - skipped) < _LEAST_CONTRADICTIONS:
        return None
    return "serve" if served < skipped else "skip"


def _fastest(dials: Dials) -> tuple[int, float]:
    """The most connects per second that were seen over `_LEAST_BUSY` connects in a row."""
    at = np.sort(dials.answered_at[dials.connected])
    spans = at[_LEAST_BUSY - 1 :] - at[: at.size - _LEAST_BUSY + 1]
    return _LEAST_BUSY, (_LEAST_BUSY - 1) / max(float(spans.min()), 1e-6)


def _backlog(dials: Dials, line: Replay, n_workers: int) -> tuple[int | None, int]:
    """How many may wait, None if the queue was never full; and how many were seen to."""
    if not dials.turned_away.any():
        return None, int(max(line.n_inside.max() - n_workers, 0))
    backlog = max(int(np.median(line.n_inside[dials.turned_away])) - n_workers, 0)
    return backlog, backlog


def _remarks(
    *, knows_service: bool, was_busy: bool, backlog: int | None, abandoned: str | None
) -> Iterator[str]:
    if not was_busy:
        yield "Never busy for long: this is the most the server was seen to do, not its limit."
    if not knows_service:
        yield (
            "No stretch without load: only the capacity can be told, so one worker stands for all."
        )
    if backlog is None:
        yield "The queue was never seen full: its limit is not known."
    if abandoned is None:
        yield "Whether service is spent on clients that have given up cannot be told."
