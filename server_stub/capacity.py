"""How many connects per second each stage can take, from the settings alone.

What is known beforehand are means: what is not known (how many events a client will have missed) is
part of the demand that the caller states. Background work is not deducted.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

from server_stub.stages import Stage


class Demand(NamedTuple):
    """What a connect is assumed to need."""

    is_cold: bool = False
    """Has the node restarted since it saw the client?"""
    delta_share: float = 0.0
    """Share of the connects that are followed by a request for the events missed."""
    full_share: float = 0.0
    """Share of the connects that are followed by a request for the whole state."""
    n_events: float = 0.0
    """Events that a client has missed which asks for them."""
    n_items: int = 0
    """Items of the whole state."""


def stage_capacity(stage: Stage, demand: Demand, *, n_nodes: int = 1) -> float:
    """Connects per second that a stage's workers can take; infinite if no connect needs them.

    Args:
        stage: The stage.
        demand: What a connect needs.
        n_nodes: How many nodes there are, each of which has one of its own unless it is shared.
    """
    cost = _worker_seconds(stage, demand)
    n_workers = stage.workers if stage.shared else n_nodes * stage.workers
    return n_workers / cost if cost else math.inf


def capacity_before_101(
    own: float, stages: Iterable[Stage], demand: Demand, *, n_nodes: int = 1
) -> float:
    """Connects per second that get through everything before the 101.

    Args:
        own: Of the nodes' own workers.
        stages: Those behind them; the narrowest counts.
        demand: What a connect needs.
        n_nodes: How many nodes there are.
    """
    before = [
        stage_capacity(stage, demand, n_nodes=n_nodes) for stage in stages if stage.when == "before"
    ]
    return min([own, *before])


def _worker_seconds(stage: Stage, demand: Demand) -> float:
    """Mean seconds for which one connect keeps workers of a stage busy."""
    share, mean = stage.share, stage.service_time.mean
    if stage.cold is not None and demand.is_cold:
        if stage.cold.share is not None:
            share = stage.cold.share
        if stage.cold.service_time is not None:
            mean = stage.cold.service_time.mean
    if not stage.is_for_syncs:
        return share * stage.per_connect * mean
    cost = 0.0
    if stage.is_for(full=False):
        cost += demand.delta_share * (mean + demand.n_events * stage.per_event)
    if stage.is_for(full=True):
        cost += demand.full_share * (mean + demand.n_items * stage.per_item)
    return share * cost
