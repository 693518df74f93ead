"""Several nodes in one process, and what stands behind all of them."""

from collections.abc import Sequence
from functools import partial

import trio

from server_stub.backend import Backend
from server_stub.commons import Commons
from server_stub.config import ServerConfig
from server_stub.plan import Plan
from server_stub.recorder import ServerRecorder
from server_stub.server import Server
from server_stub.streams import Port


class Cluster:
    """A node for every place of a plan, each with a port of its own."""

    def __init__(
        self,
        config: ServerConfig,
        plan: Plan,
        *,
        ports: Sequence[Port],
        seed: int,
        recorders: Sequence[ServerRecorder],
        backend: Backend | None = None,
    ) -> None:
        """Set them up.

        Args:
            config: Of each.
            plan: What happens to which of them when.
            ports: By place.
            seed: Keys their draws.
            recorders: By place; common things stand in the books of the first.
            backend: History and ledger; new ones, as configured, unless given.
        """
        self._plan = plan
        self._recorders = recorders
        self._commons = Commons(config, recorder=recorders[0], backend=backend)
        self.nodes = [
            Server(
                config,
                port=port,
                seed=seed,
                recorder=recorder,
                commons=self._commons,
                is_there=plan.is_taken(node),
            )
            for node, (port, recorder) in enumerate(zip(ports, recorders, strict=True))
        ]

    @property
    def n_arrivals(self) -> int:
        """Upgrade requests that have reached any of them so far."""
        return sum(recorder.totals["arrivals"] for recorder in self._recorders)

    def flush(self) -> None:
        """Hand everything recorded so far to the operating system."""
        for recorder in self._recorders:
            recorder.flush()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Listen and serve until cancelled; it counts as started once all of them listen."""
        first, *others = self.nodes
        try:
            async with trio.open_nursery() as nursery:
                for node in others:
                    await nursery.start(node.run)
                await first.run(task_status=task_status)
        finally:
            self._commons.close()

    async def follow(self, *, origin: float) -> None:
        """Let each go through what the plan has for it.

        Args:
            origin: The clock reading that is t = 0.
        """
        first, *others = self.nodes
        async with trio.open_nursery() as nursery:
            if self._commons.publishes:
                nursery.start_soon(partial(self._commons.follow, origin=origin))
            for number, node in enumerate(others, start=1):
                windows = self._plan.windows_of(number)
                nursery.start_soon(partial(node.follow, windows, origin=origin))
            await first.follow(self._plan.windows_of(0), origin=origin)
