"""How much longer services take while a node is slow, or cold after a restart (RULES 16), sans-IO.

A service's factor is that of the instant at which it begins, and stays its own: what is under way
when a brownout starts is not slowed, and what began within one is not sped up by its end.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from server_stub.outage import OutageKind, OutageWindow


@dataclass(frozen=True, kw_only=True, slots=True)
class Spell:
    """A stretch of time in which the factor goes from one value to another in a straight line."""

    starts_at: float
    ends_at: float
    first: float
    last: float
    """At the end, which is no part of the spell."""

    def factor(self, at: float) -> float:
        """By what a service that begins then is multiplied; 1 outside the spell."""
        if not self.starts_at <= at < self.ends_at:
            return 1.0
        passed = (at - self.starts_at) / (self.ends_at - self.starts_at)
        return self.first + (self.last - self.first) * passed


class Pace:
    """The factor of a node's service times at every instant."""

    def __init__(self, windows: Iterable[OutageWindow] = (), *, origin: float = 0.0) -> None:
        """Lay out the spells of a schedule.

        A restart ends the cold spell of the one before, whether it leaves the caches cold or not.

        Args:
            windows: The outages, by start.
            origin: The clock reading that is t = 0.
        """
        windows = tuple(windows)
        self._slow = [
            Spell(
                starts_at=origin + window.starts_at,
                ends_at=origin + window.ends_at,
                first=window.slow_factor,
                last=window.slow_factor,
            )
            for window in windows
            if window.kind is OutageKind.SLOW
        ]
        self._cold = [
            Spell(
                starts_at=origin + window.up_again_at,
                ends_at=origin + window.up_again_at + window.cold_for,
                first=window.slow_factor,
                last=1.0,
            )
            for window in windows
            if window.kind.is_restart
        ]
        self._slow_from = [spell.starts_at for spell in self._slow]
        self._cold_from = [spell.starts_at for spell in self._cold]

    def factor(self, at: float) -> float:
        """By what a service that begins at this instant is multiplied.

        After a cold restart with factor f, cold for T seconds, it is 1 + (f - 1) (1 - x / T) at x
        seconds after the node was back, for x < T. A slow spell multiplies on top.

        Args:
            at: On the clock that `origin` is a reading of.
        """
        factor = 1.0
        if self._slow and (index := bisect_right(self._slow_from, at)):
            factor *= self._slow[index - 1].factor(at)
        if self._cold and (index := bisect_right(self._cold_from, at)):
            factor *= self._cold[index - 1].factor(at)
        return factor
