"""A rolling deploy unfolded: which process takes which node's place when; a pure function.

The orchestrator is one of the kind that keeps a number of equal processes running. From the start
of the deploy on it starts a new one whenever fewer than nodes + max_surge exist (one that is
starting or ending does exist), and tells an old one to go whenever that leaves nodes -
max_unavailable ready. It looks again at each instant at which a process becomes ready or is gone.
"""

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from server_stub.deploy import Deploy


@dataclass(frozen=True, kw_only=True, slots=True)
class Process:
    """What is in the place of a node for a while; instants in seconds after t = 0."""

    node: int
    starts_at: float = -math.inf
    ready_at: float = -math.inf
    """It listens, and the balancer knows."""
    told_at: float = math.inf
    """The orchestrator tells it to go; infinite while it may stay."""
    unlisted_at: float = math.inf
    """The balancer has heard that it goes."""
    stops_at: float = math.inf
    """It stops listening and begins to drain."""
    gone_at: float = math.inf
    """It has ended, by itself or killed."""
    slow_factor: float = 1.0
    """How many times as long services take when it has just become ready."""
    cold_for: float = 0.0
    """Seconds within which that falls to 1."""

    def serves_within(self, starts_at: float, ends_at: float) -> bool:
        """Does it let clients in at any instant from the first one up to the last?"""
        return self.ready_at < ends_at and starts_at < self.stops_at


def first_processes(n_nodes: int) -> tuple[Process, ...]:
    """Those that are there from the beginning."""
    return tuple(Process(node=node) for node in range(n_nodes))


def roll_out(deploy: Deploy, running: Sequence[Process]) -> tuple[Process, ...]:
    """Replace each of these processes by a new one.

    A new process takes the lowest place that is free; with a surge there are places beyond those
    of `running`, so that afterwards other places may be taken than before.

    Args:
        deploy: What is asked for.
        running: The processes at its start, all of them ready, at least one.

    Returns:
        The old ones, which go, then the new ones, each in the order in which that happens.
    """
    return _Orchestrator(deploy, running).work()


class _Orchestrator:
    def __init__(self, deploy: Deploy, running: Sequence[Process]) -> None:
        self._deploy = deploy
        self._n_nodes = len(running)
        self._old = sorted(running, key=lambda process: process.node)
        self._going: list[Process] = []
        self._new: list[Process] = []
        # Places beyond those taken; the next is made up when a surge needs one.
        self._n_places = 1 + max(process.node for process in running)
        self._free = sorted(set(range(self._n_places)) - {process.node for process in running})
        self._ready_at: list[float] = []
        self._gone: list[tuple[float, int]] = []
        self._n_ready = len(running)

    def work(self) -> tuple[Process, ...]:
        now = self._deploy.starts_at
        while True:
            self._start_some(now)
            self._tell_some_to_go(now)
            upcoming = [*self._ready_at[:1], *(at for at, _ in self._gone[:1])]
            if not upcoming:
                return (*self._going, *self._new)
            now = min(upcoming)
            self._pass_to(now)

    def _start_some(self, now: float) -> None:
        surge = self._deploy.surge(self._n_nodes)
        while len(self._new) < self._n_nodes and self._n_existing < self._n_nodes + surge:
            process = Process(
                node=self._free_place(),
                starts_at=now,
                ready_at=now + self._deploy.ready_after,
                slow_factor=self._deploy.slow_factor or 1.0,
                cold_for=self._deploy.cold_for or 0.0,
            )
            self._new.append(process)
            heapq.heappush(self._ready_at, process.ready_at)

    def _tell_some_to_go(self, now: float) -> None:
        fewest = self._n_nodes - self._deploy.unavailable(self._n_nodes)
        while self._old and self._n_ready > fewest:
            process = self._old.pop(0)
            gone_at = now + self._deploy.stops_within
            self._going.append(
                replace(
                    process,
                    told_at=now,
                    unlisted_at=now + self._deploy.endpoint_removal_lag,
                    stops_at=now + self._deploy.pre_stop,
                    gone_at=gone_at,
                )
            )
            heapq.heappush(self._gone, (gone_at, process.node))
            self._n_ready -= 1

    @property
    def _n_existing(self) -> int:
        return len(self._old) + len(self._gone) + len(self._new)

    def _free_place(self) -> int:
        if self._free:
            return heapq.heappop(self._free)
        self._n_places += 1
        return self._n_places - 1

    def _pass_to(self, now: float) -> None:
        """Take in what has happened by now."""
        while self._ready_at and self._ready_at[0] <= now:
            heapq.heappop(self._ready_at)
            self._n_ready += 1
        while self._gone and self._gone[0][0] <= now:
            _, node = heapq.heappop(self._gone)
            heapq.heappush(self._free, node)
