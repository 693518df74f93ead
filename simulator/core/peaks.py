"""How fast things happen at worst, sans-IO: the busiest sliding window, scaled to a second."""

import numpy as np
from numpy.typing import NDArray


def peak_rate(instants: NDArray[np.float64], window: float) -> float:
    """Most events in any window [t, t + window), per second.

    The busiest window can always be slid to start at an event, so only those are looked at.

    Args:
        instants: Seconds, in any order, shape (n,).
        window: Seconds.
    """
    starts = np.sort(instants)
    first = np.flatnonzero(np.diff(starts, prepend=-np.inf))  # Of those at one instant.
    ends = np.searchsorted(starts, starts[first] + window, side="left")
    return int((ends - first).max(initial=0)) / window
