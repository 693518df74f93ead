"""The model's time: whole nanoseconds, so that two events at one instant really are (RULES 3)."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Instants = NDArray[np.int64]
"""Nanoseconds after t = 0, or a length of time in them."""

NEVER: Final = 1 << 62
"""Later than anything that happens: 146 years."""

_PER_SECOND = 1e9


def in_ns(seconds: float) -> int:
    """The nearest whole number of nanoseconds; infinite seconds are NEVER."""
    return min(round(min(seconds, 4e9) * _PER_SECOND), NEVER)


def all_in_ns(seconds: NDArray[np.float64]) -> Instants:
    """The same for an array."""
    instants = seconds * _PER_SECOND
    np.rint(instants, out=instants)
    return instants.astype(np.int64)


def in_seconds(instants: Instants) -> NDArray[np.float64]:
    """Back to seconds; NEVER is infinite."""
    return np.where(instants >= NEVER, np.inf, instants / _PER_SECOND)
