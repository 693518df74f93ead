"""Autoscaling: how many more nodes are asked for, seen from what the nodes carry; sans-IO.

It is the rule of Kubernetes' HorizontalPodAutoscaler: as many nodes as would carry at the target
what these carry now. It only ever adds: to take nodes away again disconnects their clients, which
is a deploy, and may be written as one.
"""

import math
from typing import Annotated, Self

from pydantic import Field, model_validator

from server_stub.settings import PositiveCount, PositiveSeconds, Settings

TOLERANCE = 0.1
"""A load that is less than a tenth above the target is left as it is."""


class Autoscale(Settings):
    """When further nodes are started; one of the two targets, and only one, is set."""

    target_connections: PositiveCount | None = None
    """Connections that a node should hold."""
    target_utilisation: Annotated[float, Field(gt=0, le=1, strict=True)] | None = None
    """Share of a node's workers that should be busy, on average since the last look."""
    most: Annotated[int, Field(gt=0, le=1000, strict=True)]
    """Nodes that there may be; those that there are at first never go."""
    every: PositiveSeconds = 15.0
    """Seconds between two looks."""
    ready_after: PositiveSeconds = 30.0
    """Seconds from the decision until a new node is ready, and the balancer knows."""

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if (self.target_connections is None) is (self.target_utilisation is None):
            raise ValueError("needs one of target_connections and target_utilisation")
        return self


def n_wanted(n_ready: int, load: float, target: float) -> int:
    """How many nodes would carry at the target what these carry now.

    Args:
        n_ready: Nodes that carry it.
        load: Of each, on average, in the unit of the target.
        target: As configured.
    """
    ratio = load / target
    if ratio <= 1.0 + TOLERANCE:
        return n_ready
    return math.ceil(n_ready * ratio - 1e-9)


def n_to_start(config: Autoscale, *, n_ready: int, n_starting: int, load: float) -> int:
    """How many further nodes to start.

    Args:
        config: The settings.
        n_ready: Nodes that let clients in, or would if no outage kept them from it.
        n_starting: Nodes that have been started and are not ready yet.
        load: Of each of those that are ready, on average, in the unit of the target.
    """
    target = config.target_connections or config.target_utilisation or 1.0
    n_there = n_ready + n_starting
    return max(0, min(n_wanted(n_ready, load, target), config.most) - n_there)
