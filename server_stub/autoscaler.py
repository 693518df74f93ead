"""Autoscaling in real time: looks at what the nodes carry, and starts more of them."""

import itertools
from collections.abc import Callable, Sequence
from typing import Protocol

import trio

from server_stub.autoscale import Autoscale, n_to_start
from server_stub.plan import Plan

_SAMPLES = 10
"""Looks at the workers between two decisions, whose average is their utilisation."""

Joined = Callable[[int, float, float], None]
"""Told of a node that is added: its number, when it starts and when it is ready; seconds after
t = 0."""


class Node(Protocol):
    """What is to be known of a node."""

    @property
    def n_connected(self) -> int:
        """How many connections are open."""

    @property
    def utilisation(self) -> float:
        """Share of its workers that are busy."""


class Autoscaler:
    """Adds nodes to a plan while there is a place and the load asks for it."""

    def __init__(
        self, config: Autoscale, plan: Plan, nodes: Sequence[Node], *, joined: Joined
    ) -> None:
        """Set it up.

        Args:
            config: The settings.
            plan: What is known beforehand.
            nodes: By place, those that there may be included.
            joined: Told of each node that is added, as soon as that is decided.
        """
        self._config = config
        self._nodes = nodes
        self._joined = joined
        self.plan = plan
        """With those that were added."""

    async def work(self, *, origin: float) -> None:
        """Decide every now and then, from t = 0 on, until cancelled.

        Args:
            origin: The clock reading that is t = 0.
        """
        for look in itertools.count(1):
            load = await self._load(origin, look)
            now = look * self._config.every
            n_starting = sum(
                process.starts_at <= now < process.ready_at for process in self.plan.processes
            )
            n_ready = len(self.plan.present(now))
            for _ in range(
                n_to_start(self._config, n_ready=n_ready, n_starting=n_starting, load=load)
            ):
                self._add(now)

    async def _load(self, origin: float, look: int) -> float:
        """What the ready nodes carry on average: at this look, or until then since the last."""
        utilisation = 0.0
        ready: Sequence[Node] = ()
        for sample in range(1, _SAMPLES + 1):
            at = (look - 1 + sample / _SAMPLES) * self._config.every
            await trio.sleep_until(origin + at)
            ready = [self._nodes[number] for number in self.plan.present(at)]
            utilisation += sum(node.utilisation for node in ready) / len(ready) / _SAMPLES
        if self._config.target_connections is None:
            return utilisation
        return sum(node.n_connected for node in ready) / len(ready)

    def _add(self, now: float) -> None:
        taken = {process.node for process in self.plan.processes}
        node = min(set(range(self.plan.n_places)) - taken)
        ready_at = now + self._config.ready_after
        self.plan = self.plan.joined(node, starts_at=now, ready_at=ready_at)
        self._joined(node, now, ready_at)
