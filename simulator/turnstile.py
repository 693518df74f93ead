"""A ceiling on the connects per second of a herd, for the sake of a server that is not ours.

Whatever a policy asks for, no more than that reaches the server. What the ceiling holds back is the
load generator's own doing: the attempt starts later than it was due, which counts towards the lag
that makes the verdict.
"""

import trio

from server_stub.bucket import Bucket

_NOTICEABLE = 0.005
"""Seconds; a wait in the grain of the scheduler is no holding back."""


class Turnstile:
    """Lets attempts pass one by one, in the order in which they come.

    The bucket holds a single token, and an attempt takes it at the moment at which it leaves: a
    process that was held up makes up for nothing, so that no two attempts are ever closer.
    """

    def __init__(self, rate: float) -> None:
        """A turnstile that nobody has come to yet.

        Args:
            rate: Attempts per second.
        """
        self._bucket = Bucket(rate, burst=1)
        self._queue = trio.StrictFIFOLock()
        self.n_held = 0
        """Attempts that have had to wait, and have passed."""
        self.longest = 0.0
        """Seconds that the unluckiest of them has waited."""

    @property
    def n_waiting(self) -> int:
        """Attempts that wait now."""
        return self._queue.statistics().tasks_waiting + self._queue.locked()

    async def __call__(self) -> None:
        """Return when the attempt that is ready now may leave, which it then has to at once."""
        came_at = trio.current_time()
        async with self._queue:
            await trio.sleep_until(self._bucket.next_at(trio.current_time()))
            left_at = trio.current_time()
            self._bucket.take(left_at)
        if left_at - came_at > _NOTICEABLE:
            self.n_held += 1
            self.longest = max(self.longest, left_at - came_at)

    def begin(self) -> None:
        """Count anew: the fleet is complete, and its assembly is in no metric."""
        self.n_held = 0
        self.longest = 0.0
