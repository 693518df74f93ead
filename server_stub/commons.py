"""What all nodes have in common: history of events, ledger of operations, shared stages.

Where history and ledger survive a restart, they stand in a database behind the nodes. Where they do
not, they are held in the memory of the nodes, each of which has all of it and passes it on to those
that join: so they are lost when no node is left that is up, as with the only one when it restarts.
"""

import itertools
from collections.abc import Callable
from functools import partial

import trio

from server_stub.backend import Backend
from server_stub.backstage import SharedStages
from server_stub.config import ServerConfig
from server_stub.ledger_storage import open_records
from server_stub.messages import Event
from server_stub.recorder import ServerRecorder
from server_stub.work import Load


class Commons:
    """Events are published here, and told to every node."""

    def __init__(
        self,
        config: ServerConfig,
        *,
        seed: int,
        recorder: ServerRecorder,
        load: Load | None = None,
        backend: Backend | None = None,
    ) -> None:
        """Set them up.

        Args:
            config: Of any node: all have the same.
            seed: Keys the draws of shared stages.
            recorder: In whose books they stand.
            load: Background work, here or at the nodes; none unless given.
            backend: History and ledger; new ones, as configured, unless given.
        """
        self._records = open_records(config.ledger, recorder.directory)
        self.backend = backend or Backend(config.history, config.ledger, self._records)
        self.load = load or Load()
        self.stages = SharedStages(config, seed=seed, recorder=recorder, load=self.load)
        self._rate = config.history.rate
        self._recorder = recorder
        self._listeners: list[Callable[[Event], None]] = []
        self._n_up = 0
        self._is_lost = False

    def listen(self, tell: Callable[[Event], None]) -> None:
        """From now on tell this node of every event."""
        self._listeners.append(tell)

    def joined(self) -> None:
        """A node is up, for the first time or again; with nobody to ask it begins anew."""
        if self._is_lost:
            self._is_lost = False
            self.backend.restarted()
        self._n_up += 1

    def left(self) -> None:
        """A node is gone, and what it had in memory."""
        self._n_up -= 1
        self._is_lost = not self._n_up

    async def work(self) -> None:
        """Serve at the shared stages until cancelled."""
        await self.stages.work()

    async def follow(self, *, origin: float) -> None:
        """Publish events, and bring the load of the world, from t = 0 on, until cancelled.

        Args:
            origin: The clock reading that is t = 0.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(self.stages.follow, origin=origin))
            if self._rate is not None:
                nursery.start_soon(self._publish, self._rate, origin)

    async def _publish(self, rate: float, origin: float) -> None:
        for number in itertools.count():
            await trio.sleep_until(origin + number / rate)
            now = trio.current_time()
            event = self.backend.publish(now)
            self._recorder.publication(event, now)
            for tell in self._listeners:
                tell(event)

    def close(self) -> None:
        """The run is over: note what was done for whom."""
        self._recorder.tallies(self.backend.n_applied, self.backend.n_reapplied)
        self._records.close()
