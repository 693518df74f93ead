"""A queue of workers, replayed: who would have waited how long, and behind how many."""

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.calibration.dials import Dials


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Replay:
    """Dials as a queue with known settings would have served them; arrays of shape (n,)."""

    leaves_at: NDArray[np.float64]
    """Seconds; the end of each dial's service. NaN for who was turned away, or skipped."""
    n_inside: NDArray[np.int64]
    """How many were served or waited when each dial arrived, itself not counted."""


def replay(dials: Dials, *, n_workers: int, service_time: float, skips: bool) -> Replay:
    """Serve recorded dials in order of arrival, each for the same time.

    Args:
        dials: Who came when; those that were turned away take no place.
        n_workers: Dials served at once.
        service_time: Seconds.
        skips: Is nothing spent on a dial whose client had given up before its turn came? Such a
            dial then leaves its place as soon as the client gives up.
    """
    n = dials.arrived_at.size
    leaves_at = np.full(n, np.nan)
    n_inside = np.zeros(n, dtype=np.int64)
    free_at = [-np.inf] * n_workers
    inside: list[float] = []
    rows = zip(
        dials.arrived_at.tolist(),
        dials.answered_at.tolist(),
        dials.turned_away.tolist(),
        dials.gave_up.tolist(),
        strict=True,
    )
    for index, (arrived_at, answered_at, turned_away, gave_up) in enumerate(rows):
        while inside and inside[0] <= arrived_at:
            heapq.heappop(inside)
        n_inside[index] = len(inside)
        if turned_away:
            continue
        starts_at = max(free_at[0], arrived_at)
        if skips and gave_up and answered_at <= starts_at:
            heapq.heappush(inside, answered_at)
            continue
        ends_at = starts_at + service_time
        heapq.heapreplace(free_at, ends_at)
        heapq.heappush(inside, ends_at)
        leaves_at[index] = ends_at
    return Replay(leaves_at=leaves_at, n_inside=n_inside)


def contradictions(dials: Dials, line: Replay) -> int:
    """How many dials went otherwise than in the replay.

    Those that gave up though they would have been served before that, and those that connected
    though they would have waited longer than others were willing to.
    """
    if not dials.gave_up.any():
        return 0
    patience = float(np.median(dials.latency[dials.gave_up]))
    in_time = dials.gave_up & (line.leaves_at < dials.answered_at)
    late = dials.connected & (line.leaves_at > dials.arrived_at + patience)
    return int(np.count_nonzero(in_time | late))
