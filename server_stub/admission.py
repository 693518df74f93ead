"""Workers and the queue in front of them, sans-IO: who starts, who waits, who is turned away.

A desk never looks at a clock. What is due is due: a worker that frees at 3.00 s takes its next
job at 3.00 s even when a busy process only gets round to it at 3.02 s, so that lag is measured
beside the capacity instead of eating into it.
"""

import heapq
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Generic, TypeVar

from server_stub.config import ServerConfig
from server_stub.pace import Pace


class Decision(Enum):
    """What an arrival meets."""

    START = auto()
    WAIT = auto()
    OVERFLOW = auto()


@dataclass(slots=True, eq=False, kw_only=True)
class Job:
    """One handshake at the desk."""

    arrived_at: float
    service_time: float
    abandoned: bool = False
    """The client has left; under `abandoned = serve` its service is spent all the same."""
    due_at: float = math.inf
    """When its service ends; infinite while it waits."""


AnyJob = TypeVar("AnyJob", bound=Job)


@dataclass(slots=True, eq=False)
class Desk(Generic[AnyJob]):
    """`workers` that each serve one job at a time, and a backlog (RULES 6, 7 and 9)."""

    config: ServerConfig
    pace: Pace = field(default_factory=Pace)
    """How much longer services take than their own time."""
    _waiting: dict[AnyJob, None] = field(default_factory=dict)
    _serving: list[tuple[float, int, AnyJob]] = field(default_factory=list)
    _sequence: Iterator[int] = field(default_factory=itertools.count)
    _paused_at: float | None = None

    @property
    def backlog(self) -> int:
        """Jobs that wait."""
        return len(self._waiting)

    @property
    def busy_workers(self) -> int:
        """Jobs in service."""
        return len(self._serving)

    @property
    def room(self) -> int:
        """How many more arrivals would start or wait."""
        places = self.config.workers + self.config.backlog
        return places - self.busy_workers - self.backlog

    def next_due(self) -> float:
        """When the next service ends; infinite when none does."""
        if self._paused_at is not None or not self._serving:
            return math.inf
        return self._serving[0][0]

    def arrive(self, job: AnyJob) -> Decision:
        """Take a job in, or turn it away. What was due until now must have been finished."""
        if self.busy_workers < self.config.workers:
            self._start(job, job.arrived_at)
            return Decision.START
        if self.backlog < self.config.backlog:
            self._waiting[job] = None
            return Decision.WAIT
        return Decision.OVERFLOW

    def finish(self, now: float) -> list[AnyJob]:
        """The jobs whose service was due to end by now, in order; waiting ones take their place."""
        finished = []
        while self.next_due() <= now:
            due_at, _, job = heapq.heappop(self._serving)
            finished.append(job)
            self._start_next(due_at)
        return finished

    def leave(self, job: AnyJob, now: float) -> None:
        """The client of this job has given up."""
        job.abandoned = True
        if self.config.abandoned == "serve":
            return
        if job in self._waiting:
            del self._waiting[job]
        elif any(served is job for _, _, served in self._serving):
            self._serving = [entry for entry in self._serving if entry[2] is not job]
            heapq.heapify(self._serving)
            self._start_next(now)

    def clear(self) -> list[AnyJob]:
        """Send everybody away: those in service, then those who wait, in order."""
        jobs = [job for _, _, job in sorted(self._serving)] + list(self._waiting)
        self._serving.clear()
        self._waiting.clear()
        return jobs

    def pause(self, now: float) -> None:
        """Stop every worker where it is."""
        self._paused_at = now

    def resume(self, now: float) -> None:
        """Let the workers go on with what they had left."""
        if self._paused_at is None:
            return
        pause = now - self._paused_at
        self._paused_at = None
        serving = sorted(self._serving)
        self._serving.clear()
        for due_at, sequence, job in serving:
            job.due_at = due_at + pause
            self._serving.append((job.due_at, sequence, job))

    def _start_next(self, free_at: float) -> None:
        if self._waiting:
            in_turn = iter if self.config.order == "fifo" else reversed
            job = next(in_turn(self._waiting))
            del self._waiting[job]
            self._start(job, max(free_at, job.arrived_at))

    def _start(self, job: AnyJob, at: float) -> None:
        job.due_at = at + job.service_time * self.pace.factor(at)
        heapq.heappush(self._serving, (job.due_at, next(self._sequence), job))
