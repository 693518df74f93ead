"""A queue like `Fifo` at each of many nodes, all of which are served in one step.

While a node has a worker for whoever comes, its jobs start as they arrive, and nothing about them
depends on one another. Whether that is so is looked up for all nodes at once, on a line on which
each node has a stretch of its own; the nodes at which it is not are left to their own `Fifo`.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from simulator.engines.model.dealing import Nodes
from simulator.engines.model.instants import Instants
from simulator.engines.model.queueing import Fifo, Served

_STRETCH = 1 << 48
"""Nanoseconds, three days: more than lies between two instants that are compared."""


class Desks:
    """The same workers and backlog at each node, or once for all of them."""

    def __init__(self, n_groups: int, workers: int, backlog: int) -> None:
        """Everybody idle.

        Args:
            n_groups: How many queues there are.
            workers: Of each.
            backlog: Of each.
        """
        self._workers = workers
        self._lines = [Fifo(workers, backlog) for _ in range(n_groups)]

    @property
    def n_groups(self) -> int:
        """How many queues there are."""
        return len(self._lines)

    @property
    def n_places(self) -> int:
        """How many of the next to arrive are let in for certain, wherever they all go."""
        return min(line.n_places for line in self._lines)

    def clear(self, groups: Iterable[int]) -> None:
        """Send everybody away from some of them."""
        for group in groups:
            self._lines[group].clear()

    def serve(self, group: Nodes, arrives_at: Instants, takes: Instants) -> Served:
        """Let jobs arrive.

        Args:
            group: At which queue each does, shape (n,).
            arrives_at: Not before any earlier job's arrival; sorted, shape (n,).
            takes: How long the service of each takes, shape (n,).
        """
        if len(self._lines) == 1:
            return self._lines[0].serve(arrives_at, takes)
        order = np.argsort(group, kind="stable")  # By radix, since nodes have 16 bits.
        served = self._in_groups(group[order].astype(np.int64), arrives_at[order], takes[order])
        place = np.empty_like(order)
        place[order] = np.arange(order.size)
        return Served._make(column[place] for column in served)

    def _in_groups(self, group: NDArray[np.int64], at: Instants, takes: Instants) -> Served:
        """The same for jobs that are sorted by their queue first."""
        n_jobs = np.bincount(group, minlength=len(self._lines))
        first = np.cumsum(n_jobs) - n_jobs
        origin, stretch = int(at.min()), group * _STRETCH
        free = np.stack([line.free for line in self._lines])
        starts = np.arange(len(self._lines))[:, np.newaxis] * _STRETCH
        free_on_line = np.clip(free, origin, origin + _STRETCH - 1) - origin + starts
        ends_on_line = np.sort(
            np.concatenate([free_on_line.ravel(), stretch + (at - origin) + takes])
        )
        done = np.searchsorted(ends_on_line, stretch + (at - origin), side="right")
        before = first[group] + group * self._workers
        position = np.arange(group.size) - first[group]
        busy = 1 + self._workers + position - (done - before)
        is_crowded = np.zeros(len(self._lines), dtype=np.bool_)
        is_crowded[group[busy > self._workers]] = True
        found = Served(
            admitted=np.ones(group.size, dtype=np.bool_),
            starts_at=at.copy(),
            departs_at=at + takes,
            waiting=np.zeros(group.size, dtype=np.int64),
            busy=busy,
        )
        last_free = np.cumsum(n_jobs + self._workers)
        for number in np.flatnonzero(n_jobs).tolist():
            line = self._lines[number]
            some = slice(int(first[number]), int(first[number] + n_jobs[number]))
            if is_crowded[number]:
                for column, values in zip(found, line.serve(at[some], takes[some]), strict=True):
                    column[some] = values
            else:
                end = int(last_free[number])
                ends = ends_on_line[end - self._workers : end]
                line.passed(ends - number * _STRETCH + origin, until=int(at[some][-1]))
        return found
