"""Several nodes in one process, and what stands behind all of them."""

from collections.abc import Sequence
from functools import partial

import trio

from server_stub.autoscale import Autoscale
from server_stub.autoscaler import Autoscaler, Joined
from server_stub.backend import Backend
from server_stub.commons import Commons
from server_stub.config import ServerConfig
from server_stub.plan import Plan
from server_stub.recorder import ServerRecorder
from server_stub.server import Server
from server_stub.streams import Port
from server_stub.work import Load


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
        load: Load | None = None,
        backend: Backend | None = None,
        joined: Joined = lambda node, starts_at, ready_at: None,
    ) -> None:
        """Set them up.

        Args:
            config: Of each.
            plan: What happens to which of them when.
            ports: By place.
            seed: Keys their draws.
            recorders: By place; common things stand in the books of the first.
            load: Background work; none unless given.
            backend: History and ledger; new ones, as configured, unless given.
            joined: Told of each node that autoscaling adds, as soon as that is decided.
        """
        self._plan = plan
        self._autoscale = config.autoscale
        self._joined = joined
        self._recorders = recorders
        self._commons = Commons(
            config, seed=seed, recorder=recorders[0], load=load, backend=backend
        )
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

    @property
    def n_unsettled(self) -> int:
        """Open connections that wait at a stage, and are no use without it."""
        return sum(recorder.n_unsettled for recorder in self._recorders)

    def flush(self) -> None:
        """Hand everything recorded so far to the operating system."""
        for recorder in self._recorders:
            recorder.flush()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Listen and serve until cancelled; it counts as started once all of them listen."""
        first, *others = self.nodes
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._commons.work)
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
            nursery.start_soon(partial(self._commons.follow, origin=origin))
            for number, node in enumerate(others, start=1):
                if self._plan.is_used(number):
                    windows = self._plan.windows_of(number)
                    nursery.start_soon(partial(node.follow, windows, origin=origin))
            if self._autoscale is not None:
                nursery.start_soon(self._scale, self._autoscale, nursery, origin)
            await first.follow(self._plan.windows_of(0), origin=origin)

    async def _scale(self, config: Autoscale, nursery: trio.Nursery, origin: float) -> None:
        def joined(node: int, starts_at: float, ready_at: float) -> None:
            windows = autoscaler.plan.windows_of(node)
            nursery.start_soon(partial(self.nodes[node].follow, windows, origin=origin))
            self._joined(node, starts_at, ready_at)

        autoscaler = Autoscaler(config, self._plan, self.nodes, joined=joined)
        await autoscaler.work(origin=origin)
