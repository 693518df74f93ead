"""The browser's own brake on reconnects, whatever the page's policy says, sans-IO.

This is Firefox's, from `FailDelayManager` in its WebSocketChannel.cpp (its answer to RFC 6455,
7.2.3; the preference is network.websocket.delay-failed-reconnects): a host that failed may not be
dialled again for 200 to 400 ms (uniform), 1.5 times as long after each further failure, at most for
60 s, counted from the failure. A success clears the record. So does time: an attempt that starts
60 s after the delay was over begins afresh.

What counts as a failure there is a session that ended badly: a dial that came to nothing, but also
an open connection that was lost without a closing handshake. An attempt that the page itself gives
up before it is connected begins a record but never worsens one: a page that is less patient than
the delay it has earned does not make that delay grow.

While the brake holds an attempt back, it looks to the page as if it were connecting, so the page's
own patience (`connect_timeout`) runs meanwhile. Firefox keeps the record for a host, for all tabs
together; here each client is a browser of its own. It counts whole milliseconds; here time is
continuous.
"""

import math

FIRST_DELAY = 0.2
"""Seconds, the least after the first failure."""
RANDOM_DELAY = 0.2
"""Seconds, how much more it can be."""
FACTOR = 1.5
LONGEST_DELAY = 60.0
"""Seconds."""
MEMORY = 60.0
"""Seconds after the end of a delay at which a failure is forgotten."""


class Brake:
    """What one browser remembers about the host that it fails to reach."""

    __slots__ = ("_delay", "_failed_at")

    def __init__(self) -> None:
        """Begin without a failure."""
        self._delay = 0.0
        self._failed_at = -math.inf

    @property
    def released_at(self) -> float:
        """From when on the browser dials at once again."""
        return self._failed_at + self._delay

    def dial_at(self, started_at: float) -> float:
        """When an attempt that the page starts then really leaves the machine."""
        return max(started_at, self.released_at)

    def failed(self, started_at: float, now: float, u: float, *, given_up: bool = False) -> None:
        """A dial or a connection has failed.

        Args:
            started_at: When the page started the attempt, or the one that led to the connection.
            now: The clock.
            u: A uniform draw in (0, 1); only the first of several failures takes it into account.
            given_up: Whether the page gave the attempt up (`connect_timeout`).
        """
        if started_at >= self.released_at + MEMORY:
            self._delay = FIRST_DELAY + u * RANDOM_DELAY
        elif given_up:
            return
        else:
            self._delay = min(LONGEST_DELAY, self._delay * FACTOR)
        self._failed_at = now

    def opened(self) -> None:
        """A connection has opened: what failed before is forgotten."""
        self._delay = 0.0
        self._failed_at = -math.inf
