"""Which node each of many connects goes to: the balancer of RULES 40 over arrays.

`Balancer` decides connect by connect; these are its rules for connects that come in order.
"""

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from server_stub.draws import Purpose, uniforms
from simulator.core.addresses import address_numbers
from simulator.engines.model.instants import NEVER, Instants, in_ns
from simulator.engines.model.keys import Clients, Keys, in_blocks
from simulator.scenario import Scenario

Nodes = NDArray[np.uint16]
"""Numbers of nodes."""


class Dealer:
    """Spreads connects over the nodes that take part, by `server.balance`.

    `least_connections` is not among its rules: there each connect depends on all before it.
    """

    def __init__(self, scenario: Scenario, cohort_of: NDArray[np.uint16]) -> None:
        """A balancer that has not given out any connection.

        Args:
            scenario: Whose nodes and rule.
            cohort_of: Index of each client's cohort, shape (n_clients,).
        """
        self._seed = scenario.seed
        self._rule = scenario.server.balance
        self._last = scenario.plan.n_places - 1
        endpoints = scenario.plan.endpoints
        self._changes = [
            -NEVER if math.isinf(change) else in_ns(change) for change in endpoints.changes
        ]
        self._nodes = [np.array(endpoints.at(at), dtype=np.uint16) for at in endpoints.changes]
        self._addresses = None
        if scenario.tells_addresses:
            together = [cohort.clients_per_address for cohort in scenario.cohorts]
            self._addresses = address_numbers(cohort_of, together)
        self._homes = np.empty(0, dtype=np.uint16)
        if self._rule == "hash":
            self._homes = self._homes_among(self._nodes[0], scenario.n_clients)

    def is_steady(self, first_at: int, until: int) -> bool:
        """Does the order of connects within a time not matter to those that come after it?"""
        within = bisect_right(self._changes, first_at) == bisect_right(self._changes, until - 1)
        return within or self._rule != "round_robin"

    def skip(self, n: int, at: int) -> None:
        """So many connects are given out while the same nodes take part, whoever they are."""
        if n and self._rule == "round_robin":
            nodes = self._taking_part(at)
            self._last = int(nodes[(bisect_right(nodes, self._last) + n - 1) % nodes.size])

    def most_at_one_node(self, n: int) -> int:
        """How many of so many connects in a row go to one node at the most."""
        if self._rule != "round_robin":
            return n
        fewest = min(nodes.size for nodes in self._nodes)
        return n // max(fewest, 1) + len(self._nodes)

    def deal(self, keys: Keys, at: Instants) -> Nodes:
        """The nodes that connects go to.

        Args:
            keys: Whose they are, in their order, shape (n,).
            at: When each reaches the balancer, sorted, shape (n,).
        """
        found = np.empty(at.size, dtype=np.uint16)
        for some in self._stretches(at):
            nodes = self._taking_part(int(at[some.start]))
            found[some] = self._among(nodes, keys.only(some))
        return found

    def _stretches(self, at: Instants) -> Iterator[slice]:
        """Rows during which the same nodes take part."""
        inner = [int(row) for row in np.searchsorted(at, self._changes, side="left")]
        bounds = sorted({0, *inner, at.size})
        for first, last in pairwise(bounds):
            yield slice(first, last)

    def _taking_part(self, at: int) -> Nodes:
        return self._nodes[bisect_right(self._changes, at) - 1]

    def _among(self, nodes: Nodes, keys: Keys) -> Nodes:
        if nodes.size == 1:
            return np.broadcast_to(nodes, keys.client.shape)
        if self._rule == "random":
            draws = uniforms(self._seed, Purpose.BALANCE, *keys)
            return nodes[(draws * nodes.size).astype(np.intp)]
        if self._rule == "hash":
            return self._by_affinity(nodes, keys.client)
        first = bisect_right(nodes, self._last)
        turns = (first + np.arange(keys.client.size)) % nodes.size
        self._last = int(nodes[turns[-1]])
        return nodes[turns]

    def _by_affinity(self, nodes: Nodes, clients: Clients) -> Nodes:
        homes: Nodes = self._homes[clients]
        is_away = ~np.isin(homes, nodes)
        if is_away.any():
            homes[is_away] = self._nearest(nodes, clients[is_away])
        return homes

    def _homes_among(self, nodes: Nodes, n_clients: int) -> Nodes:
        """Where each client goes while all nodes take part; 40 draws each are drawn only once."""
        blocks = [self._nearest(nodes, clients) for clients in in_blocks(n_clients)]
        return np.concatenate(blocks)

    def _nearest(self, nodes: Nodes, clients: Clients) -> Nodes:
        sources = clients if self._addresses is None else self._addresses[clients]
        best = np.full(clients.size, -1.0)
        found = np.empty(clients.size, dtype=np.uint16)
        for node in nodes.tolist():
            affinity = uniforms(self._seed, Purpose.AFFINITY, sources, index=node)
            found[affinity > best] = node
            np.maximum(best, affinity, out=best)
        return found


def ramp_keys(connects: Sequence[int] | Instants) -> Keys:
    """The ramp's connects in their order."""
    client = np.argsort(np.asarray(connects), kind="stable").astype(np.uint32)
    return Keys(client, np.zeros(client.size, np.uint16), np.ones(client.size, np.uint32))
