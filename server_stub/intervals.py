"""Counts and levels per interval of time: what happened in each, and the most there was at once."""

import math
from collections.abc import Callable, Sequence

INTERVAL = 0.01
"""Seconds per row of the tables that are kept by intervals."""


class IntervalLog:
    """Adds up what happens, and writes a row for every interval that has passed."""

    def __init__(
        self, write: Callable[..., None], *, counted: Sequence[str], n_levels: int
    ) -> None:
        """Begin before the first interval.

        Args:
            write: Takes a row: the start of the interval in seconds, a list of the counts in it,
                and a list of the highest levels in it.
            counted: What is counted.
            n_levels: How many levels are watched; they start at zero.
        """
        self._write = write
        self._counted = tuple(counted)
        self._interval: int | None = None
        self._counts: dict[str, float] = dict.fromkeys(self._counted, 0)
        self.levels: tuple[int, ...] = (0,) * n_levels
        """As they are now."""
        self._peaks = self.levels

    def count(self, now: float, what: str, amount: float = 1) -> None:
        """So much more of something."""
        self.advance(now)
        self._counts[what] += amount

    def level(self, now: float, *levels: int) -> None:
        """How high the levels are from now on."""
        self.advance(now)
        self.levels = levels
        self._peaks = tuple(map(max, self._peaks, levels))

    def advance(self, now: float) -> None:
        """Write the intervals that have passed; in those without an event the levels just stand."""
        interval = math.floor(now / INTERVAL)
        if self._interval is None:
            self._interval = interval
        while self._interval < interval:
            self._write(self._interval * INTERVAL, [*self._counts.values()], [*self._peaks])
            self._counts = dict.fromkeys(self._counted, 0)
            self._peaks = self.levels
            self._interval += 1
