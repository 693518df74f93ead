"""Deploys as outage windows: what a place goes through as processes come and go in it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from server_stub.deploy import Deploy
from server_stub.outage import DEFAULT_CLOSE_CODE, OutageKind, OutageWindow
from server_stub.rollout import Process, roll_out


class PlanError(ValueError):
    """Parts of a schedule that are valid each, but not together."""

    def __init__(self, message: str, *, field: str = "outage") -> None:
        super().__init__(message)
        self.field = field
        """Of the scenario."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rollout:
    """A deploy and whom it replaces by whom."""

    deploy: Deploy
    old: tuple[Process, ...]
    new: tuple[Process, ...]

    @property
    def ends_at(self) -> float:
        """When the last old one is gone and the last new one ready."""
        gone_at = max(process.gone_at for process in self.old)
        return max(gone_at, *(process.ready_at for process in self.new))

    def windows(self, processes: Sequence[Process]) -> tuple[OutageWindow, ...]:
        """One for each process that goes: until its place is taken again, or until it is gone."""
        return tuple(self._window(process, processes) for process in self.old)

    def _window(self, process: Process, processes: Sequence[Process]) -> OutageWindow:
        deploy = self.deploy
        following = next_in_place(process, processes)
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
                set(serving(processes, process.stops_at, just_after(process.stops_at)))
                - {process.node}
            ),
        )


def emptiness(first: Process) -> OutageWindow:
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


def rolled_out(
    deploys: Iterable[Deploy], running: tuple[Process, ...]
) -> tuple[list[Rollout], tuple[Process, ...]]:
    """All deploys, one after the other, and all processes that ever are.

    Raises:
        PlanError: One starts before the one before it is over.
    """
    rollouts: list[Rollout] = []
    over: tuple[Process, ...] = ()
    for deploy in sorted(deploys, key=lambda deploy: deploy.starts_at):
        processes = roll_out(deploy, running)
        old, running = processes[: len(running)], processes[len(running) :]
        over += old
        rollouts.append(Rollout(deploy=deploy, old=old, new=running))
    for earlier, later in pairwise(rollouts):
        if later.deploy.starts_at < earlier.ends_at:
            raise PlanError(
                f"the deploy at {later.deploy.starts_at:g} s starts before the one at "
                f"{earlier.deploy.starts_at:g} s is over ({earlier.ends_at:g} s)",
                field="deploy",
            )
    return rollouts, (*over, *running)


def next_in_place(process: Process, processes: Iterable[Process]) -> Process:
    """Which process takes the place of one that goes; one that never comes, if none does."""
    later = (
        other
        for other in processes
        if other.node == process.node and other.starts_at >= process.gone_at
    )
    nobody = Process(node=process.node, starts_at=math.inf, ready_at=math.inf)
    return min(later, key=lambda other: other.starts_at, default=nobody)


def just_after(at: float) -> float:
    """The next instant that a number can tell from this one."""
    return math.nextafter(at, math.inf)


def serving(processes: Iterable[Process], starts_at: float, ends_at: float) -> tuple[int, ...]:
    """The nodes that let clients in at any instant from the first one up to the last."""
    nodes = {process.node for process in processes if process.serves_within(starts_at, ends_at)}
    return tuple(sorted(nodes))
