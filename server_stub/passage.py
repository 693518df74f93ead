"""The way of one connect, or of one request, through the stages in front of it, sans-IO.

It joins one stage after the other and leaves each before it joins the next. At the end it is
through; or a stage has no place for it, or its patience with one ends.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial

from server_stub.attention import Action, Attention
from server_stub.counter import Counter, Errand

Jobs = Sequence[float]
"""Seconds of service of each job that has to be done at a stage; none, if it is passed by."""


class Failure(Enum):
    """Why somebody did not get through."""

    FULL = auto()
    """A stage had no place."""
    TIMED_OUT = auto()
    """A stage took too long."""


@dataclass(frozen=True, slots=True)
class Stop:
    """A stage on the way."""

    counter: Counter
    jobs: Callable[[], Jobs]
    """Asked on arrival."""
    passed: Callable[[], None]
    """Told when the last of the jobs is done, or when there were none."""
    spent: Callable[[float, bool], None] | None = None
    """Told of every service that has ended, and whether it was in vain."""


class Passage:
    """One way through stages; `start` sets out on it, `end` calls it off."""

    __slots__ = (
        "_attention",
        "_failed",
        "_jobs",
        "_n_left",
        "_stop",
        "_stops",
        "_through",
        "is_over",
    )

    def __init__(
        self,
        stops: Iterable[Stop],
        *,
        attention: Attention,
        through: Action,
        failed: Callable[[Failure, float], None],
    ) -> None:
        """Plan a way.

        Args:
            stops: The stages in order.
            attention: Of the node on whose behalf it is.
            through: Told when the last stage is passed.
            failed: Told when there is no getting through.
        """
        self._stops = deque(stops)
        self._attention = attention
        self._through = through
        self._failed = failed
        self._stop: Stop | None = None
        self._jobs: list[Errand] = []
        self._n_left = 0
        self.is_over = False
        """Through, failed or ended."""

    def start(self, now: float) -> None:
        """Set out; it may be over at once."""
        self._go_on(now)

    def end(self, now: float) -> None:
        """Nobody wants it any more; what that spares the stage on the way is up to the stage."""
        if not self.is_over:
            self.is_over = True
            self._leave(now)

    def _go_on(self, now: float) -> None:
        while self._stops:
            self._stop = stop = self._stops.popleft()
            jobs = stop.jobs()
            if not jobs:
                stop.passed()
            elif self._join(stop, jobs, now):
                return
            else:
                self._fail(Failure.FULL, now)
                return
        self.is_over = True
        self._through(now)

    def _join(self, stop: Stop, jobs: Jobs, now: float) -> bool:
        self._n_left = len(jobs)
        done = partial(self._attention.call, self._job_done)
        failed = partial(self._attention.call, partial(self._fail, Failure.TIMED_OUT))
        self._jobs = [
            Errand(arrived_at=now, service_time=seconds, done=done, failed=failed, spent=stop.spent)
            for seconds in jobs
        ]
        return stop.counter.arrive(self._jobs, now)

    def _job_done(self, now: float) -> None:
        if self.is_over or self._stop is None:
            return
        self._n_left -= 1
        if self._n_left == 0:
            self._stop.passed()
            self._go_on(now)

    def _fail(self, why: Failure, now: float) -> None:
        if self.is_over:
            return
        self.is_over = True
        if why is not Failure.FULL:
            self._leave(now)
        self._failed(why, now)

    def _leave(self, now: float) -> None:
        for job in self._jobs:
            if self._stop is not None and not job.is_over:
                self._stop.counter.leave(job, now)
