"""Token buckets: so many connects per second, and so many at once after a silence, sans-IO."""

import math

_TOLERANCE = 1e-9
"""Seconds by which a token may be early: sums of seconds are not exact."""


class Bucket:
    """Holds `burst` tokens when it is full and gets `rate` new ones per second.

    Nothing is counted: it is enough to know when the bucket will be full again (the generic cell
    rate algorithm of ATM's traffic control, as its virtual scheduling form has it). In t seconds
    from a full bucket on, burst + rate t connects can pass, rounded down.
    """

    __slots__ = ("_burst", "_interval", "full_at")

    def __init__(self, rate: float, burst: int) -> None:
        """A bucket that is full.

        Args:
            rate: Tokens per second.
            burst: Tokens that it holds.
        """
        self._interval = 1 / rate
        self._burst = burst
        self.full_at = -math.inf
        """When it is full again, if nobody takes a token until then."""

    def next_at(self, now: float, n: int = 1) -> float:
        """When there are n tokens: now, or later; infinite if the bucket does not hold so many."""
        if n > self._burst:
            return math.inf
        earliest = self.full_at - (self._burst - n) * self._interval
        return now if earliest <= now + _TOLERANCE else earliest

    def n_tokens(self, now: float) -> int:
        """How many can be taken now."""
        missing = max(0.0, self.full_at - now)
        return int(self._burst - (missing - _TOLERANCE) / self._interval)

    def take(self, now: float) -> bool:
        """Take a token, if there is one."""
        if self.next_at(now) > now:
            return False
        self.full_at = max(self.full_at, now) + self._interval
        return True
