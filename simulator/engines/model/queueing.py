"""A FIFO in front of several workers, for whole arrays of jobs at once, exactly.

Everything about a job is known when it arrives, since nobody overtakes and those who have given up
are served all the same: whether there is room depends on the jobs that were admitted before it, and
so does the instant at which it starts. What is left is to say so for many jobs in one step:

- *Room.* The backlog is full if and only if the job admitted `backlog` places earlier has not
  started. So among the next arrivals, as long as no more than `backlog` of them are admitted, room
  depends on jobs whose start is known already.
- *One worker.* Departures are cumulative sums and cumulative maxima of arrivals and services.
- *Some workers.* Which is next depends on every job before: a heap of instants, job by job.
- *Many workers.* Most jobs that begin within a short time depend on none of each other.
"""

import heapq
from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.engines.model.instants import Instants

_FEW_PLACES = 32
"""A backlog below which judging a block at a time is no faster than job by job."""
_MANY_WORKERS = 256
"""From so many on, jobs are served some at a time rather than one by one."""
_SHIFTS = 4
"""The fourth part of the workers gets jobs at a time: most of these end after all have begun."""

_NOBODY: Instants = np.empty(0, dtype=np.int64)


class Served(NamedTuple):
    """What became of arrivals; arrays of shape (n,)."""

    admitted: NDArray[np.bool_]
    starts_at: Instants
    """Of those admitted; of no meaning for the others."""
    departs_at: Instants
    """Likewise."""
    waiting: NDArray[np.int64]
    """How many wait just after each arrival."""
    busy: NDArray[np.int64]
    """How many workers are busy just after a job's start; of no meaning for those turned away."""

    def only(self, some: NDArray[np.bool_]) -> "Served":
        """Of some."""
        return Served._make(column[some] for column in self)


class _Line:
    """Sorted instants, to which later ones are added at the end and from which old ones go."""

    def __init__(self) -> None:
        self._parts: deque[Instants] = deque()
        self.size = 0

    def extend(self, values: Instants) -> None:
        """Add to the end."""
        if values.size:
            self._parts.append(values)
            self.size += values.size

    def until(self, instant: int) -> Instants:
        """Those no later than an instant, and perhaps some more."""
        parts = []
        for part in self._parts:
            parts.append(part)
            if part[-1] > instant:
                break
        return np.concatenate(parts) if parts else _NOBODY

    def drop_until(self, instant: int) -> None:
        """Drop what is no later than an instant."""
        while self._parts and self._parts[0][-1] <= instant:
            self.size -= self._parts.popleft().size
        if self._parts:
            kept = self._parts[0][np.searchsorted(self._parts[0], instant, side="right") :]
            self.size -= self._parts[0].size - kept.size
            self._parts[0] = kept

    def shift(self, by: int) -> None:
        """Put all of them off."""
        self._parts = deque(part + by for part in self._parts)

    def take(self) -> list[int]:
        """All of them, which then are gone."""
        values = [value for part in self._parts for value in part.tolist()]
        self._parts.clear()
        self.size = 0
        return values


class Fifo:
    """Workers, and a backlog in front of them (RULES 6 and 7, `abandoned = serve`)."""

    def __init__(self, workers: int, backlog: int) -> None:
        """Everybody idle.

        Args:
            workers: How many serve one job at a time each.
            backlog: How many can wait; those in service do not count.
        """
        self._workers = workers
        self._backlog = backlog
        self.clear()

    def clear(self) -> None:
        """Send everybody away."""
        self.free = np.full(self._workers, np.iinfo(np.int64).min, dtype=np.int64)
        """When each worker becomes free, sorted."""
        self._unstarted = _Line()
        """When those who wait will start."""

    def passed(self, free: Instants, *, until: int) -> None:
        """Jobs have arrived of which none had to wait.

        Args:
            free: When each worker becomes free after that, sorted.
            until: When the last of them arrived.
        """
        self.free = free
        self._unstarted.drop_until(until)

    @property
    def n_places(self) -> int:
        """How many of the next to arrive are let in for certain."""
        return max(0, self._backlog - self._unstarted.size)

    def serve(self, arrives_at: Instants, takes: Instants) -> Served:
        """Let jobs arrive.

        Args:
            arrives_at: Not before any earlier job's arrival; sorted, shape (n,).
            takes: How long the service of each takes, shape (n,).
        """
        if self._backlog < _FEW_PLACES:
            return self._one_by_one(arrives_at, takes)
        pieces = []
        first = 0
        while first < arrives_at.size:
            block = self._next_block(arrives_at[first:], takes[first:])
            first += block.admitted.size
            pieces.append(block)
        return _joined(pieces)

    def shift(self, since: int, by: int) -> None:
        """Stop every worker for a while: what was due after `since` is due that much later."""
        self.free[self.free > since] += by
        self._unstarted.shift(by)

    # Many at a time

    def _next_block(self, arrives_at: Instants, takes: Instants) -> Served:
        """As many of the next arrivals as can be judged by what is known."""
        n_waiting = self._unstarted.size
        unstarted = self._unstarted.until(int(arrives_at[-1]))
        started = np.searchsorted(unstarted, arrives_at, side="right")
        places = self._backlog - n_waiting + started
        position = np.arange(arrives_at.size)
        n_admitted = position + np.minimum(1, np.minimum.accumulate(places - position))
        # Once `backlog` jobs are admitted, room depends on the start of a job of this very block.
        known = int(np.searchsorted(n_admitted, self._backlog, side="left")) + 1
        n_admitted = n_admitted[:known]
        known = n_admitted.size
        admitted = np.diff(n_admitted, prepend=0) > 0
        jobs = np.flatnonzero(admitted)
        starts_at, departs_at, busy = self._start(arrives_at[jobs], takes[jobs])
        waiting = n_waiting - started[:known] + n_admitted
        # Some of this block's own jobs have started by the time of a later arrival.
        waiting -= np.minimum(
            np.searchsorted(starts_at, arrives_at[:known], side="right"), n_admitted
        )
        last = int(arrives_at[known - 1])
        self._unstarted.extend(starts_at)
        self._unstarted.drop_until(last)
        block = Served(
            admitted=admitted,
            starts_at=np.zeros(known, dtype=np.int64),
            departs_at=np.zeros(known, dtype=np.int64),
            waiting=waiting,
            busy=np.zeros(known, dtype=np.int64),
        )
        block.starts_at[jobs], block.departs_at[jobs], block.busy[jobs] = (
            starts_at,
            departs_at,
            busy,
        )
        return block

    def _start(
        self, arrives_at: Instants, takes: Instants
    ) -> tuple[Instants, Instants, NDArray[np.int64]]:
        """When admitted jobs start and depart, and how many workers are busy at their starts."""
        free_before = self.free
        if self._workers == 1:
            departs_at = self._serve_alone(arrives_at, takes)
        elif self._workers >= _MANY_WORKERS:
            departs_at = self._serve_in_shifts(arrives_at, takes)
        else:
            departs_at = self._serve_together(arrives_at, takes)
        starts_at = departs_at - takes
        # Busy are those workers that are not free yet, and whom these jobs have occupied by then.
        others = self._workers - np.searchsorted(free_before, starts_at, side="right")
        done = np.searchsorted(np.sort(departs_at), starts_at, side="right")
        return starts_at, departs_at, others + np.arange(1, starts_at.size + 1) - done

    def _serve_alone(self, arrives_at: Instants, takes: Instants) -> Instants:
        spent = np.cumsum(takes)
        idle_until = np.maximum.accumulate(arrives_at - (spent - takes))
        departs_at: Instants = spent + np.maximum(idle_until, self.free[0])
        self.free = departs_at[-1:] if departs_at.size else self.free
        return departs_at

    def _serve_together(self, arrives_at: Instants, takes: Instants) -> Instants:
        """Each job takes the next worker to become free: a heap of them, one job after another."""
        free = self.free.tolist()
        departs: list[int] = []
        depart, replace = departs.append, heapq.heapreplace
        for arrived, length in zip(arrives_at.tolist(), takes.tolist(), strict=True):
            free_at = free[0]
            departs_at = (arrived if arrived > free_at else free_at) + length
            replace(free, departs_at)
            depart(departs_at)
        self.free = np.sort(np.array(free, dtype=np.int64))
        return np.array(departs, dtype=np.int64)

    def _serve_in_shifts(self, arrives_at: Instants, takes: Instants) -> Instants:
        """The same for many workers, for some of which there are jobs at a time.

        The k-th job takes the k-th worker to become free, be it of those who are busy before or of
        those whom these jobs keep busy. Without the latter it would start no earlier; what they
        bring forward is found by going through all jobs again until nothing changes. That is the
        only answer there is: a job ends after it has started, so those behind it do not matter.
        """
        departs_at = np.empty_like(takes)
        for first in range(0, takes.size, self._workers // _SHIFTS):
            some = slice(first, first + self._workers // _SHIFTS)
            arrives, lengths = arrives_at[some], takes[some]
            busy_until = self.free[: lengths.size]
            free_at = busy_until
            while True:
                departs = np.maximum(arrives, free_at) + lengths
                again = departs[departs < busy_until[-1]]
                sooner = np.sort(np.concatenate([busy_until, again]), kind="stable")[: lengths.size]
                if (sooner == free_at).all():
                    break
                free_at = sooner
            departs_at[some] = departs
            self.free = np.sort(np.concatenate([self.free, departs]), kind="stable")[lengths.size :]
        return departs_at

    # One at a time

    def _one_by_one(self, arrives_at: Instants, takes: Instants) -> Served:
        """The same for few workers or few places."""
        free = self.free.tolist()
        unstarted = self._unstarted.take()
        starts, departs, waits, busies, admitted = [], [], [], [], []
        passed = 0
        for arrived, takes_long in zip(arrives_at.tolist(), takes.tolist(), strict=True):
            while passed < len(unstarted) and unstarted[passed] <= arrived:
                passed += 1
            n_waiting = len(unstarted) - passed
            if n_waiting >= self._backlog and (n_waiting or free[0] > arrived):
                starts.append(0)
                departs.append(0)
                busies.append(0)
                admitted.append(False)
            else:
                start = max(arrived, free[0])
                heapq.heapreplace(free, start + takes_long)
                if start > arrived:
                    unstarted.append(start)
                    n_waiting += 1
                starts.append(start)
                departs.append(start + takes_long)
                busies.append(sum(instant > start for instant in free))
                admitted.append(True)
            waits.append(n_waiting)
        self.free = np.sort(np.array(free, dtype=np.int64))
        self._unstarted.extend(np.array(unstarted[passed:], dtype=np.int64))
        return Served(
            admitted=np.array(admitted, dtype=np.bool_),
            starts_at=np.array(starts, dtype=np.int64),
            departs_at=np.array(departs, dtype=np.int64),
            waiting=np.array(waits, dtype=np.int64),
            busy=np.array(busies, dtype=np.int64),
        )


def _joined(pieces: list[Served]) -> Served:
    if len(pieces) == 1:
        return pieces[0]
    if not pieces:
        none = np.empty(0, dtype=np.int64)
        return Served(np.empty(0, dtype=np.bool_), none, none, none, none)
    return Served(*(np.concatenate(columns) for columns in zip(*pieces, strict=True)))
