"""The whole schedule: outages and deploys together, node by node; a pure function of the scenario.

A *place* is what bears a node's number: an address where a process listens. With a surge there are
more places than nodes, and a deploy can leave other places taken than it found.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from server_stub.deploy import Deploy
from server_stub.endpoints import Endpoints, HealthCheck, Stretch, failing_stretch
from server_stub.outage import (
    DEFAULT_CLOSE_CODE,
    Outage,
    OutageKind,
    OutageWindow,
    on_node,
    on_the_server,
    unfold,
)
from server_stub.rollout import Process, first_processes, roll_out


class PlanError(ValueError):
    """Parts of a schedule that are valid each, but not together."""

    def __init__(self, message: str, *, field: str = "outage") -> None:
        super().__init__(message)
        self.field = field
        """Of the scenario."""


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
    endpoints: Endpoints

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
        return (_emptiness(_next_in_place(nobody, self.processes)), *windows)

    def is_taken(self, node: int) -> bool:
        """Is there a process in this place from the beginning?"""
        return any(
            process.node == node and process.starts_at == -math.inf for process in self.processes
        )

    def present(self, at: float) -> tuple[int, ...]:
        """The nodes that let clients in at an instant, unless an outage keeps them from it."""
        return _present(self.processes, at, _just_after(at))


def plan(
    n_nodes: int,
    outages: Iterable[Outage] = (),
    deploys: Iterable[Deploy] = (),
    check: HealthCheck | None = None,
    *,
    until: float = math.inf,
) -> Plan:
    """Lay out a schedule.

    Args:
        n_nodes: Nodes at t = 0, numbered from 0.
        outages: As written.
        deploys: As written.
        check: How a balancer finds out that a node is down; None if it never does.
        until: Outages that begin then or later never do.

    Raises:
        PlanError: Two things overlap that cannot, or an outage names a node that is not there.
    """
    rollouts, processes = _rolled_out(deploys, first_processes(n_nodes))
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
        n_places=1 + max(process.node for process in processes),
        windows=tuple(sorted(windows, key=lambda window: window.starts_at)),
        deploys=frozenset(window.index for window in windows if window.returns_at is not None),
        processes=processes,
        endpoints=Endpoints(
            [Stretch(process.node, process.ready_at, process.unlisted_at) for process in processes],
            () if check is None else _failing(check, placed),
        ),
    )


# Deploys


@dataclass(frozen=True, kw_only=True, slots=True)
class _Rollout:
    """A deploy and whom it replaces by whom."""

    deploy: Deploy
    old: tuple[Process, ...]
    new: tuple[Process, ...]

    @property
    def ends_at(self) -> float:
        gone_at = max(process.gone_at for process in self.old)
        return max(gone_at, *(process.ready_at for process in self.new))

    def windows(self, processes: Sequence[Process]) -> tuple[OutageWindow, ...]:
        """One for each process that goes: until its place is taken again, or until it is gone."""
        return tuple(self._window(process, processes) for process in self.old)

    def _window(self, process: Process, processes: Sequence[Process]) -> OutageWindow:
        deploy = self.deploy
        following = _next_in_place(process, processes)
        returns_at = following.ready_at
        return OutageWindow(
            index=0,
            kind=OutageKind.DRAIN if deploy.drain_over else OutageKind.GRACEFUL,
            starts_at=process.stops_at,
            ends_at=returns_at if returns_at <= self.ends_at else process.gone_at,
            returns_at=returns_at,
            killed_at=process.told_at + deploy.grace,
            close_code=deploy.close_code or DEFAULT_CLOSE_CODE,
            refuse=True,
            lost_at_thaw=False,
            drain_over=deploy.drain_over,
            slow_factor=following.slow_factor,
            cold_for=following.cold_for,
            nodes=(process.node,),
            others_serve=bool(
                set(_present(processes, process.stops_at, _just_after(process.stops_at)))
                - {process.node}
            ),
        )


def _emptiness(first: Process) -> OutageWindow:
    """Until the first process comes to a place; it is no outage, and stands in no book."""
    return OutageWindow(
        index=-1,
        kind=OutageKind.GRACEFUL,
        starts_at=-math.inf,
        ends_at=-math.inf,
        returns_at=first.ready_at,
        close_code=DEFAULT_CLOSE_CODE,
        refuse=True,
        lost_at_thaw=False,
        slow_factor=first.slow_factor,
        cold_for=first.cold_for,
        nodes=(first.node,),
        others_serve=True,
    )


def _rolled_out(
    deploys: Iterable[Deploy], running: tuple[Process, ...]
) -> tuple[list[_Rollout], tuple[Process, ...]]:
    """All deploys, one after the other, and all processes that ever are."""
    rollouts: list[_Rollout] = []
    over: tuple[Process, ...] = ()
    for deploy in sorted(deploys, key=lambda deploy: deploy.starts_at):
        processes = roll_out(deploy, running)
        old, running = processes[: len(running)], processes[len(running) :]
        over += old
        rollouts.append(_Rollout(deploy=deploy, old=old, new=running))
    for earlier, later in pairwise(rollouts):
        if later.deploy.starts_at < earlier.ends_at:
            raise PlanError(
                f"the deploy at {later.deploy.starts_at:g} s starts before the one at "
                f"{earlier.deploy.starts_at:g} s is over ({earlier.ends_at:g} s)",
                field="deploy",
            )
    return rollouts, (*over, *running)


def _next_in_place(process: Process, processes: Iterable[Process]) -> Process:
    """Which process takes the place of one that goes; one that never comes, if none does."""
    later = (
        other
        for other in processes
        if other.node == process.node and other.starts_at >= process.gone_at
    )
    nobody = Process(node=process.node, starts_at=math.inf, ready_at=math.inf)
    return min(later, key=lambda other: other.starts_at, default=nobody)


# Outages


def _just_after(at: float) -> float:
    return math.nextafter(at, math.inf)


def _present(processes: Iterable[Process], starts_at: float, ends_at: float) -> tuple[int, ...]:
    serving = {process.node for process in processes if process.serves_within(starts_at, ends_at)}
    return tuple(sorted(serving))


def _placed(window: OutageWindow, processes: Sequence[Process]) -> OutageWindow:
    """The window with the numbers of all nodes that it hits.

    Raises:
        PlanError: One of them is not there.
    """
    if window.kind.is_on_the_way:
        return window
    present = _present(processes, window.starts_at, window.ends_at)
    for node in window.nodes or ():
        if node not in present:
            raise PlanError(
                f"the outage at {window.starts_at:g} s hits node {node}, which is not there; "
                f"allowed: {', '.join(map(str, present)) or 'none'}"
            )
    nodes = window.nodes or present
    return replace(window, nodes=nodes, others_serve=not set(present) <= set(nodes))


def _check_apart(windows: Iterable[OutageWindow], rollouts: Iterable[_Rollout]) -> None:
    """An orchestrator would wait for a node that broke down; ours does not know of outages."""
    for window in on_the_server(windows):
        for rollout in rollouts:
            if window.starts_at < rollout.ends_at and rollout.deploy.starts_at < window.ends_at:
                raise PlanError(
                    f"the outage at {window.starts_at:g} s stops nodes during the deploy at "
                    f"{rollout.deploy.starts_at:g} s, which takes until {rollout.ends_at:g} s"
                )


def _failing(check: HealthCheck, windows: Iterable[OutageWindow]) -> Iterator[Stretch]:
    for window in on_the_server(windows):
        for node in window.nodes or ():
            yield failing_stretch(check, node, window.starts_at, window.ends_at)
