"""The clock of a virtual run: it stands still while anybody has something to do."""

import math

import trio


class JumpingClock(trio.abc.Clock):
    """Reads the same until every task waits, and is then at the next deadline.

    Trio asks a clock how long to sleep only when no task can run. This one answers that there is
    nothing to wait for, and has moved on. `trio.testing.MockClock` jumps too, but from outside the
    loop: at each jump it costs another turn of the loop, in which nobody runs.

    Nothing real may be waited for under it, neither a socket nor a thread: it would jump ahead.
    """

    def __init__(self) -> None:
        self._now = 0.0

    def start_clock(self) -> None:
        """There is nothing to start."""

    def current_time(self) -> float:
        """Seconds since the run began."""
        return self._now

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Jump to the deadline; seconds to sleep until then: none, or for ever."""
        if deadline == math.inf:
            return math.inf
        self._now = max(self._now, deadline)
        return 0.0
