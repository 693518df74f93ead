"""A Poisson stream whose rate changes now and then, sans-IO (RULES 12).

Each arrival owes a draw from the unit exponential, and comes when the rate, added up over time,
has reached it. So a change of the rate needs no new draw, and two runs with the same seed have the
same stream as long as they have the same rate.
"""

import math

from server_stub.draws import Purpose, uniform

_MOST_ARRIVALS = 2**32


class Arrivals:
    """When the next one comes, given the rate."""

    def __init__(self, seed: int, stream: int) -> None:
        """Begin with a rate of zero.

        Args:
            seed: Keys the draws.
            stream: Tells the streams of one run apart.
        """
        self._seed = seed
        self._stream = stream
        self._rate = 0.0
        self._as_of = 0.0
        self.n = 0
        """How many have come."""
        self._owed = self._draw()

    @property
    def next_at(self) -> float:
        """When the next one comes if the rate stays; infinite at a rate of zero."""
        return self._as_of + self._owed / self._rate if self._rate > 0 else math.inf

    def set_rate(self, rate: float, now: float) -> None:
        """From now on there are so many per second; what was due and not taken comes at once."""
        if rate != self._rate:
            self._owed -= self._rate * (now - self._as_of)
            self._as_of = now
            self._rate = rate

    def take(self) -> int:
        """The next one has come; returns its number, from 0."""
        self._as_of = self.next_at
        number, self.n = self.n, self.n + 1
        self._owed = self._draw()
        return number

    def _draw(self) -> float:
        u = uniform(self._seed, Purpose.LOAD, self.n % _MOST_ARRIVALS, self._stream)
        return -math.log1p(-u)
