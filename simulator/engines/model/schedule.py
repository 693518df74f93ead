"""Which nodes are down when, and what comes next for each, in nanoseconds."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from server_stub.outage import OutageKind, OutageWindow, on_the_server
from simulator.engines.model.instants import NEVER, Instants, in_ns
from simulator.scenario import Scenario


class Stretch(NamedTuple):
    """A time in which no node goes down or comes back."""

    starts_at: int
    ends_at: int
    down: NDArray[np.bool_]
    """By node."""
    next_down_at: Instants
    """When each node goes down next; NEVER if it does not. Shape (n_nodes,)."""
    next_says_goodbye: NDArray[np.bool_]
    """Whether it tells those on their way in; shape (n_nodes,)."""
    then: Sequence[OutageWindow]
    """What begins when it ends."""


def stretches(scenario: Scenario) -> Iterator[Stretch]:
    """All of time, from before the first outage."""
    n_nodes = scenario.server.nodes
    windows = on_the_server(scenario.windows)
    starts = [in_ns(window.starts_at) for window in windows]
    ends = [in_ns(window.ends_at) for window in windows]
    for since, until in pairwise([-NEVER, *sorted({*starts, *ends}), NEVER]):
        down = np.zeros(n_nodes, dtype=np.bool_)
        next_down_at = np.full(n_nodes, NEVER)
        says_goodbye = np.zeros(n_nodes, dtype=np.bool_)
        for window, start, end in reversed(list(zip(windows, starts, ends, strict=True))):
            nodes = nodes_hit(window, n_nodes)
            if start <= since < end:
                down[nodes] = True
            elif start > since:
                next_down_at[nodes] = start
                says_goodbye[nodes] = window.kind is OutageKind.GRACEFUL
        then = [window for window, start in zip(windows, starts, strict=True) if start == until]
        yield Stretch(since, until, down, next_down_at, says_goodbye, then)


def nodes_hit(window: OutageWindow, n_nodes: int) -> list[int]:
    """The numbers of the nodes that an outage stops."""
    return [node for node in range(n_nodes) if window.hits(node)]
