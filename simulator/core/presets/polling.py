"""The delays of ActionCable's poll, worked out from its rule.

While all is well it polls at intervals of 6 (1 + u) seconds, and the server pings every 3 s. Drop
the connection at a moment that has nothing to do with either. Let r be what is left of the interval
then (density 1/9 up to 6 s, falling from there to 0 at 12 s), and a the age of the last ping,
uniform on 0 to 3 s. The first attempt comes

- at r, if that is 6 s or more: one time in three;
- if not, and the poll at r hears of nothing amiss, since r + a is 6 s at most: at the next poll, 6
  to 12 s later; one time in two;
- if not, and the poll counts a failure but may not reopen yet: 6.9 to 7.935 s later, with one
  failure more to its count than attempts; one time in six.

Two things are left out. After a connection that was shorter than an interval the poll is still on
the long interval of the failures before it; and a loss without a sign is noticed by the poll as
well, which then reopens at once, where herd's client first notices and then waits for its poll.
"""

from simulator.core.backoff.points import Points

_STALE = 6.0
"""Seconds without a ping, and after a loss, before a poll reopens."""
_RATE = 1.15
_MOST = 10
"""Failures after which the interval grows no more."""
_AHEAD = 1 / 6
"""Share of the clients that have counted one failure more than they have made attempts."""

_FIRST: Points = (
    (0.0, 6.0),
    (0.35, 9.15),
    (0.4, 9.602),
    (0.45, 10.061),
    (0.5, 10.52),
    (0.55, 10.956),
    (0.6, 11.359),
    (0.65, 11.735),
    (0.7, 12.092),
    (0.75, 12.432),
    (0.8, 12.759),
    (0.85, 13.085),
    (0.9, 13.499),
    (0.95, 14.344),
    (0.99, 15.866),
    (0.999, 17.009),
    (1.0, 18.0),
)
"""Of the first attempt: the three cases above, integrated numerically."""


def _after(attempts: int) -> Points:
    """The interval after so many attempts: each of two counts of failures has its range."""
    low = _STALE * _RATE ** min(attempts, _MOST)
    middle = _STALE * _RATE ** (min(attempts, _MOST) + 1)
    if attempts >= _MOST:
        return ((0.0, low), (1.0, middle))
    return ((0.0, low), (1 - _AHEAD, middle), (1.0, middle * _RATE))


ACTIONCABLE_WAITS = (_FIRST, *(_after(attempts) for attempts in range(1, _MOST + 1)))
"""Seconds before each attempt; the last holds for all that follow."""
