"""The whole schedule: outages and deploys together, node by node; a pure function of the scenario.

A *place* is what bears a node's number: an address where a process listens. With a surge there are
more places than nodes, and a deploy can leave other places taken than it found.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from server_stub.deploy import Deploy
from server_stub.endpoints import Endpoints, HealthCheck, Stretch, failing_stretch
from server_stub.outage import Outage, OutageWindow, on_node, on_the_server, unfold
from server_stub.rollout import Process, first_processes
from server_stub.turnover import (
    PlanError,
    Rollout,
    emptiness,
    just_after,
    next_in_place,
    rolled_out,
    serving,
)

__all__ = ["Plan", "PlanError", "plan"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What happens to which node when; instants in seconds after t = 0."""

    n_places: int
    windows: tuple[OutageWindow, ...]
    """All stretches of trouble, those of deploys included, in order of their start; those of one
    deploy share its index."""
    deploys: frozenset[int]
    """Which of their indices are those of deploys."""
    processes: tuple[Process, ...]
    check: HealthCheck | None
    endpoints: Endpoints

    def joined(self, node: int, *, starts_at: float, ready_at: float) -> "Plan":
        """The same with one more node from then on, in a place that has been empty.

        Args:
            node: Its number, less than `n_places`.
            starts_at: When its process starts.
            ready_at: When it is ready; outages of all nodes that begin later hit it as well.
        """
        process = Process(node=node, starts_at=starts_at, ready_at=ready_at)
        windows = tuple(
            replace(window, nodes=(*(window.nodes or ()), node))
            if window.is_for_all and _also_hits(window, process)
            else window
            for window in self.windows
        )
        processes = (*self.processes, process)
        endpoints = _endpoints(processes, windows, self.check)
        return replace(self, windows=windows, processes=processes, endpoints=endpoints)

    def windows_of(self, node: int) -> tuple[OutageWindow, ...]:
        """What one node goes through, in order of its start.

        A place that is empty at first is one whose process went before the beginning of time. What
        happens on the way to all nodes stands in the books of the first.
        """
        windows = on_node(self.windows, node)
        if node > 0:
            windows = tuple(window for window in windows if not window.kind.is_on_the_way)
        if self.is_taken(node):
            return windows
        nobody = Process(node=node, gone_at=-math.inf)
        return (emptiness(next_in_place(nobody, self.processes)), *windows)

    def is_used(self, node: int) -> bool:
        """Is there ever a process in this place?"""
        return any(process.node == node for process in self.processes)

    def is_taken(self, node: int) -> bool:
        """Is there a process in this place from the beginning?"""
        return any(
            process.node == node and process.starts_at == -math.inf for process in self.processes
        )

    def present(self, at: float) -> tuple[int, ...]:
        """The nodes that let clients in at an instant, unless an outage keeps them from it."""
        return serving(self.processes, at, just_after(at))


def plan(
    n_nodes: int,
    outages: Iterable[Outage] = (),
    deploys: Iterable[Deploy] = (),
    check: HealthCheck | None = None,
    *,
    until: float = math.inf,
    most: int = 0,
) -> Plan:
    """Lay out a schedule.

    Args:
        n_nodes: Nodes at t = 0, numbered from 0.
        outages: As written.
        deploys: As written.
        check: How a balancer finds out that a node is down; None if it never does.
        until: Outages that begin then or later never do.
        most: Nodes that there may be at a time, if more may be added on the way.

    Raises:
        PlanError: Two things overlap that cannot, or an outage names a node that is not there.
    """
    rollouts, processes = rolled_out(deploys, first_processes(n_nodes))
    try:
        unfolded = unfold(outages)
    except ValueError as error:
        raise PlanError(str(error)) from None
    placed = [_placed(window, processes) for window in unfolded if window.starts_at < until]
    _check_apart(placed, rollouts)
    troubles = [
        *((window.starts_at, (window,)) for window in placed),
        *((rollout.deploy.starts_at, rollout.windows(processes)) for rollout in rollouts),
    ]
    troubles.sort(key=lambda trouble: trouble[0])
    windows = [
        replace(window, index=index)
        for index, (_, parts) in enumerate(troubles)
        for window in parts
    ]
    return Plan(
        n_places=max(most, 1 + max(process.node for process in processes)),
        windows=tuple(sorted(windows, key=lambda window: window.starts_at)),
        deploys=frozenset(window.index for window in windows if window.returns_at is not None),
        processes=processes,
        check=check,
        endpoints=_endpoints(processes, windows, check),
    )


def _placed(window: OutageWindow, processes: Sequence[Process]) -> OutageWindow:
    """The window with the numbers of all nodes that it hits.

    Raises:
        PlanError: One of them is not there.
    """
    if window.kind.is_on_the_way:
        return window
    present = serving(processes, window.starts_at, window.ends_at)
    for node in window.nodes or ():
        if node not in present:
            raise PlanError(
                f"the outage at {window.starts_at:g} s hits node {node}, which is not there; "
                f"allowed: {', '.join(map(str, present)) or 'none'}"
            )
    nodes = window.nodes or present
    return replace(
        window,
        nodes=nodes,
        is_for_all=window.nodes is None,
        others_serve=not set(present) <= set(nodes),
    )


def _also_hits(window: OutageWindow, process: Process) -> bool:
    """Whether an outage of all nodes is one of a node that is added: who comes later is spared."""
    if window.kind.stops_the_node:
        return process.ready_at <= window.starts_at
    return process.serves_within(window.starts_at, window.ends_at)


def _check_apart(windows: Iterable[OutageWindow], rollouts: Iterable[Rollout]) -> None:
    """An orchestrator would wait for a node that broke down; ours does not know of outages."""
    for window in on_the_server(windows):
        for rollout in rollouts:
            if window.starts_at < rollout.ends_at and rollout.deploy.starts_at < window.ends_at:
                raise PlanError(
                    f"the outage at {window.starts_at:g} s stops nodes during the deploy at "
                    f"{rollout.deploy.starts_at:g} s, which takes until {rollout.ends_at:g} s"
                )


def _endpoints(
    processes: Iterable[Process], windows: Iterable[OutageWindow], check: HealthCheck | None
) -> Endpoints:
    """What a balancer knows; of a deploy it is told, an outage it has to find out."""
    return Endpoints(
        [Stretch(process.node, process.ready_at, process.unlisted_at) for process in processes],
        [
            failing_stretch(check, node, window.starts_at, window.ends_at)
            for window in on_the_server(windows)
            if check is not None and window.returns_at is None
            for node in window.nodes or ()
        ],
    )
