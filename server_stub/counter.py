"""A desk in real time: services end when they are due, and whoever waits for one is told.

A node's own workers stand at a counter, and so do those of each stage.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import trio

from server_stub.admission import Desk, DeskRules, Job
from server_stub.pace import Pace
from server_stub.recorder import StageLog


@dataclass(slots=True, eq=False, kw_only=True)
class Errand(Job):
    """A job, and what to do when it is done."""

    done: Callable[[float, float], None]
    """Told when its service was due to end, and the time; not if nobody waits for it any more."""
    failed: Callable[[float, float], None]
    """Told when the counter's patience with it was due to end, and the time."""
    spent: Callable[[float, bool], None] | None = None
    """Told when the service has ended, and whether it was in vain: for the books."""
    is_over: bool = False
    """Done, failed, or called off."""


def _unwatched(_: float) -> None:
    return


def _never(_: float) -> float:
    return math.inf


class Counter:
    """Workers and the queue in front of them, while time passes."""

    def __init__(
        self,
        rules: DeskRules,
        log: StageLog,
        *,
        timeout: float | None = None,
        on_change: Callable[[float], None] = _unwatched,
        also_due: Callable[[float], float] = _never,
    ) -> None:
        """Set up a counter; `work` runs it.

        Args:
            rules: How many workers there are, and how many jobs may wait.
            log: What happens is written down here.
            timeout: Seconds after which a job that is not done fails; None for never.
            on_change: Told after every change.
            also_due: Asked, with the time, when else `on_change` wants to be told.
        """
        self._desk: Desk[Errand] = Desk(rules)
        self._rules = rules
        self._log = log
        self._timeout = timeout
        self._on_change = on_change
        self._also_due = also_due
        self._bell = trio.CancelScope()
        self._patience: deque[tuple[float, Errand]] = deque()
        """When each job fails, in order: all have the same patience."""
        self._stops_at = math.inf
        self._is_paused = False
        self.n_forgotten = 0
        """Jobs still here that nobody waits for any more."""

    @property
    def backlog(self) -> int:
        """Jobs that wait."""
        return self._desk.backlog

    @property
    def busy_workers(self) -> int:
        """Jobs in service."""
        return self._desk.busy_workers

    @property
    def room(self) -> int:
        """How many more arrivals would start or wait."""
        return self._desk.room

    async def work(self) -> None:
        """End services when they are due, until cancelled."""
        self._log.level(trio.current_time(), self.backlog, self.busy_workers)
        while True:
            deadline = self._next_due(trio.current_time())
            with trio.CancelScope(deadline=deadline) as self._bell:
                await trio.sleep_forever()
            now = trio.current_time()
            self.catch_up(now)
            self.changed(now)

    # Jobs

    def arrive(self, jobs: Sequence[Errand], now: float) -> bool:
        """Take jobs in if there is room for all of them, else none; whether there was."""
        self.catch_up(now)
        self._log.count(now, "arrivals", len(jobs))
        if self.room < len(jobs):
            self._log.count(now, "rejected", len(jobs))
            return False
        self._log.count(now, "admitted", len(jobs))
        for job in jobs:
            self._desk.arrive(job)
            if self._timeout is not None:
                self._patience.append((now + self._timeout, job))
        self.changed(now)
        return True

    def turn_away(self, now: float) -> None:
        """Note that a job has come that somebody else has turned away."""
        self._log.count(now, "arrivals", 1)
        self._log.count(now, "rejected", 1)

    def leave(self, job: Errand, now: float) -> None:
        """Nobody waits for this job any more."""
        self.catch_up(now)
        if not job.is_over:
            self._call_off(job, now)
            self.changed(now)

    def catch_up(self, now: float) -> None:
        """See to what was due by now: departures, then those whose patience has ended (RULES 3)."""
        # A service that ends at the very instant of an outage fails (RULES 14).
        until = min(now, math.nextafter(self._stops_at, -math.inf))
        finished = self._desk.finish(until)
        done = [job for job in finished if not job.is_over]
        for job in finished:
            self._end(job, now)
        failed = self._out_of_patience(until)
        for _, job in failed:
            self._call_off(job, now)
        if finished or failed:
            self.changed(now)
        for job in done:
            job.done(job.due_at, now)
        for due_at, job in failed:
            job.failed(due_at, now)

    def _end(self, job: Errand, now: float) -> None:
        self._log.service(job, now)
        if job.abandoned:
            self.n_forgotten -= 1
        job.is_over = True
        if job.spent is not None:
            job.spent(now, job.abandoned)

    def _out_of_patience(self, until: float) -> list[tuple[float, Errand]]:
        failed = []
        while not self._is_paused and self._patience and self._patience[0][0] <= until:
            due_at, job = self._patience.popleft()
            if not job.is_over:
                failed.append((due_at, job))
        return failed

    def _call_off(self, job: Errand, now: float) -> None:
        job.is_over = True
        self._desk.leave(job, now)
        if self._rules.abandoned == "serve":
            self.n_forgotten += 1

    # The node's outages

    def keep_pace(self, pace: Pace) -> None:
        """How much longer services take, and when, is known."""
        self._desk.pace = pace

    def stops_at(self, at: float) -> None:
        """The next outage is known; what is due only after it began never is."""
        self._stops_at = at

    def pause(self, now: float) -> None:
        """Stop every worker where it is."""
        self._is_paused = True
        self._desk.pause(now)
        self.changed(now)

    def resume(self, now: float) -> None:
        """Let the workers go on with what they had left."""
        self._is_paused = False
        self._desk.resume(now)
        self.changed(now)

    def drop_forgotten(self, now: float) -> None:
        """Spend nothing more on jobs that nobody waits for."""
        self._desk.drop_abandoned(now)
        self.n_forgotten = 0
        self.changed(now)

    def clear(self, now: float) -> None:
        """Forget every job; nobody is told."""
        for job in self._desk.clear():
            job.is_over = True
        self._patience.clear()
        self.n_forgotten = 0
        self.changed(now)

    def changed(self, now: float) -> None:
        """The counter, or what its watcher looks at beside it, is not what it was."""
        self._log.level(now, self.backlog, self.busy_workers)
        self._on_change(now)
        self._bell.deadline = self._next_due(now)

    def _next_due(self, now: float) -> float:
        if self._is_paused:
            return math.inf
        while self._patience and self._patience[0][1].is_over:
            self._patience.popleft()
        due_at = min(self._desk.next_due(), self._also_due(now))
        if self._patience:
            due_at = min(due_at, self._patience[0][0])
        return due_at if due_at < self._stops_at else math.inf
