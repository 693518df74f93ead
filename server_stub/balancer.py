"""Which node a connect goes to, as a balancer in front of several nodes decides it, sans-IO.

It is one that passes TCP connections on without looking into them: it decides at each connect, and
a connection stays where it was put. It knows which nodes take part at the moment (`endpoints`), and
which of the connections it has given out have not ended; into a node it does not see.
"""

from collections.abc import Sequence
from typing import Literal

from server_stub.draws import Purpose, uniform
from server_stub.wire import Identity

Balance = Literal["round_robin", "least_connections", "random", "hash"]


class Balancer:
    """Spreads connects over nodes by one rule, kept for the whole run."""

    def __init__(self, rule: Balance, n_nodes: int, *, seed: int) -> None:
        """A balancer that has not given out any connection.

        Args:
            rule: `round_robin` takes the nodes in turn; `least_connections` the one that holds the
                fewest, in turn where several do; `random` any; `hash` always the same for the same
                client, of those that take part.
            n_nodes: Nodes are numbered from 0; how many numbers there are.
            seed: Keys the draws of `random` and `hash`.
        """
        self._rule = rule
        self._seed = seed
        self._open = [0] * n_nodes
        self._last = n_nodes - 1

    @property
    def counts(self) -> bool:
        """Does it want to know of every connection that begins and ends?"""
        return self._rule == "least_connections"

    @property
    def n_open(self) -> Sequence[int]:
        """Connections given out and not ended, by node."""
        return self._open

    def choose(
        self, nodes: Sequence[int], who: Identity, *, source: int | None = None, index: int = 0
    ) -> int | None:
        """The node that a connect goes to.

        Args:
            nodes: Those that take part now, in ascending order.
            who: Whose connect it is, for the rules that draw.
            source: What `hash` tells clients apart by; their number, unless given.
            index: Tells apart connects that this attempt makes beside its own.

        Returns:
            One of `nodes`; None when there is none.
        """
        if not nodes:
            return None
        if self._rule == "random":
            draw = uniform(self._seed, Purpose.BALANCE, *who, index=index)
            return nodes[int(draw * len(nodes))]
        if self._rule == "hash":
            whose = who.client if source is None else source
            return max(nodes, key=lambda node: self._affinity(whose, node))
        if self._rule == "least_connections":
            fewest = min(self._open[node] for node in nodes)
            nodes = [node for node in nodes if self._open[node] == fewest]
        self._last = self._next_in_turn(nodes)
        return self._last

    def opened(self, node: int) -> None:
        """A connection was given out to this node."""
        self._open[node] += 1

    def ended(self, node: int) -> None:
        """One of its connections has ended."""
        self._open[node] -= 1

    def _next_in_turn(self, nodes: Sequence[int]) -> int:
        return next((node for node in nodes if node > self._last), nodes[0])

    def _affinity(self, source: int, node: int) -> float:
        """Each client has its own order of all nodes, and goes to the first that takes part.

        So when a node leaves, only its own clients move, to the next in their orders, and when it
        is back only they return (rendezvous hashing: Thaler and Ravishankar, "Using Name-Based
        Mappings to Increase Hit Rates", IEEE/ACM Transactions on Networking 6(1), 1998).
        """
        return uniform(self._seed, Purpose.AFFINITY, source, index=node)
