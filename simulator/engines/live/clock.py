"""One clock for all processes of a run."""

import time

import trio


class SharedClock(trio.abc.Clock):
    """Trio's clock without its random offset, so that processes of one machine agree on now.

    `time.perf_counter` reads CLOCK_MONOTONIC, which counts for the whole machine.
    """

    def start_clock(self) -> None:
        """Nothing to start: it always runs."""

    def current_time(self) -> float:
        """Seconds since the machine's arbitrary zero."""
        return time.perf_counter()

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Seconds to sleep until then."""
        return deadline - time.perf_counter()
