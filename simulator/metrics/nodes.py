"""How connections are spread over nodes, at an instant and over time."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from server_stub.outage import OutageKind
from simulator.metrics.episodes import Mask, end_of_observation
from simulator.metrics.recovery import Changes, changes_of
from simulator.metrics.series import steps_within
from simulator.results import RunResult


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class NodeConnections:
    """How many connections each node held: exact, one step per change."""

    edges: NDArray[np.float64]
    """Seconds; as in `ShareConnected`, shape (n + 1,)."""
    counts: NDArray[np.int64]
    """Connections, shape (n_places, n), rows by the number of the node."""


def connections_by_node(result: RunResult) -> NodeConnections:
    """The connections of every node over time, by the record that recovery times come from."""
    changes = changes_of(result)
    n_places = result.plan.n_places
    steps = np.zeros((n_places, changes.at.size + 1), dtype=np.int64)
    known = np.flatnonzero(changes.node < n_places)
    steps[changes.node[known], known + 1] = changes.step[known]
    edges, counts = steps_within(changes.at, np.cumsum(steps, axis=1), end_of_observation(result))
    return NodeConnections(edges=edges, counts=counts)


def serving_nodes(result: RunResult, at: float) -> tuple[int, ...]:
    """The nodes that can hold connections at an instant: there by plan, not down by record."""
    outages = result.outages
    on = (outages["starts_at"] <= at) & (at < outages["ends_at"])
    stopped = {
        int(node)
        for node, kind in zip(outages["node"][on], outages["kind"][on], strict=True)
        if list(OutageKind)[kind].stops_the_node
    }
    return tuple(node for node in result.plan.present(at) if node not in stopped)


def imbalance(result: RunResult, changes: Changes, members: Mask, at: float) -> float:
    """The most connections that a node held just before an instant, over the mean of the nodes.

    From 1, where all are equal, to their number, where one holds everything. Only nodes that serve
    at that instant count; NaN when there is none, or no
    connection, or the server is not ours, or of a digest, which names no nodes.

    Args:
        result: Any run.
        changes: Its own.
        members: Whose connections, shape (n_clients,).
        at: Seconds.
    """
    if result.manifest.target is not None:
        return math.nan
    if result.digest is not None and result.plan.n_places > 1:  # It does not say where.
        return math.nan
    past = (changes.at < at) & members[changes.client]
    n_places = result.plan.n_places
    known = past & (changes.node < n_places)
    counts = np.bincount(changes.node[known], weights=changes.step[known], minlength=n_places)
    nodes = list(serving_nodes(result, math.nextafter(at, -math.inf)))
    held = counts[nodes]
    return float(held.max() / held.mean()) if held.sum() > 0 else math.nan
