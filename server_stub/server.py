"""One node of the stub: it listens, goes down and comes back on schedule.

What happens to a peer is told elsewhere: `reception` lets it in, `clerk` works the queue, `talk`
answers it. What must happen to a peer from outside (the node goes down) reaches its task as the
cancellation of the scope in which it waits, or as the reset of its stream.
"""

import math
from collections.abc import Sequence
from functools import partial

import trio

from server_stub.advice import Adviser
from server_stub.agenda import Agenda
from server_stub.attention import Attention
from server_stub.background import node_load
from server_stub.backstage import Backstage
from server_stub.clerk import Clerk
from server_stub.commons import Commons
from server_stub.config import ServerConfig
from server_stub.departure import Departure
from server_stub.errands import Errands
from server_stub.gate import Gate
from server_stub.guests import Guests, Unwatched
from server_stub.outage import OutageKind, OutageWindow, of_kind, on_the_server
from server_stub.pace import Pace
from server_stub.presence import Presence
from server_stub.reception import Reception
from server_stub.recorder import ServerRecorder
from server_stub.streams import Port
from server_stub.talk import Talk
from server_stub.uptime import Uptime
from server_stub.welcome import Welcome
from server_stub.work import Load


class Server:
    """One node of the stub.

    Run it with `run`, in a task of its own; it goes down and comes back as `follow` says.
    """

    def __init__(
        self,
        config: ServerConfig,
        *,
        port: Port,
        seed: int,
        recorder: ServerRecorder,
        commons: Commons | None = None,
        is_there: bool = True,
        guests: Guests | None = None,
        load: Load | None = None,
    ) -> None:
        """Set up a node.

        Args:
            config: Its settings.
            port: Where it listens.
            seed: Keys its draws.
            recorder: What it writes down, and where.
            commons: What it has in common with other nodes, which somebody else runs then; its
                own, as configured, unless given.
            is_there: Is it up from the beginning?
            guests: Keeps the book on its clients; nobody does, unless given.
            load: Background work of a node without others; else it is part of what they have in
                common.
        """
        self._port = port
        self._n_workers = config.workers
        self._recorder = recorder
        adviser = Adviser(config, seed=seed)
        self._alone = None
        if commons is None:
            commons = self._alone = Commons(config, seed=seed, recorder=recorder, load=load)
        self._thawed = Gate(is_open=True)
        self._presence = Presence()
        attention = Attention()
        clerk = Clerk(config, self._presence, recorder)
        self._counter = clerk.counter
        self._backstage = Backstage(
            config, clerk.counter, seed=seed, recorder=recorder, shared=commons.stages
        )
        errands = Errands(
            config,
            seed=seed,
            backstage=self._backstage,
            attention=attention,
            backend=commons.backend,
            presence=self._presence,
            recorder=recorder,
        )
        self._load = node_load(
            commons.load,
            self._backstage.counters,
            config,
            seed=seed,
            node=recorder.node,
            thawed=self._thawed,
        )
        clerk.watch_connections(self._load.connected)
        welcome = Welcome(
            config,
            seed=seed,
            presence=self._presence,
            clerk=clerk,
            talk=Talk(commons.backend, errands, self._thawed),
            stages=self._backstage.stages,
            attention=attention,
            thawed=self._thawed,
            recorder=recorder,
            guests=guests or Unwatched(),
            adviser=adviser,
        )
        self._reception = Reception(
            config,
            presence=self._presence,
            clerk=clerk,
            welcome=welcome,
            thawed=self._thawed,
            recorder=recorder,
        )
        departure = Departure(
            seed=seed,
            port=port,
            presence=self._presence,
            clerk=clerk,
            backstage=self._backstage,
            errands=errands,
            recorder=recorder,
            adviser=adviser,
        )
        self._uptime = Uptime(
            is_there=is_there,
            port=port,
            presence=self._presence,
            clerk=clerk,
            reception=self._reception,
            departure=departure,
            backstage=self._backstage,
            commons=commons,
            load=self._load,
            attention=attention,
            thawed=self._thawed,
            recorder=recorder,
        )

    @property
    def n_connected(self) -> int:
        """How many connections are open."""
        return len(self._presence.sessions)

    @property
    def utilisation(self) -> float:
        """Share of its workers that are busy with handshakes."""
        return self._counter.busy_workers / self._n_workers

    @property
    def is_idle(self) -> bool:
        """Nobody waits for anything."""
        return self._backstage.is_idle

    async def thawed(self) -> None:
        """Wait while it is frozen."""
        await self._thawed.passed()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Listen and serve until cancelled; it counts as started once it listens, if it is up."""
        self._uptime.begin(trio.current_time())
        task_status.started()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._backstage.work)
                if self._alone is not None:
                    nursery.start_soon(self._alone.work)
                nursery.start_soon(self._reception.accept_peers, self._port, nursery)
        finally:
            self._port.close()
            if self._alone is not None:
                self._alone.close()

    async def follow(
        self, windows: Sequence[OutageWindow], *, origin: float, agenda: Agenda | None = None
    ) -> None:
        """Go down and come back on schedule, and bring what background work there is.

        Args:
            windows: The outages, by start.
            origin: The clock reading that is t = 0.
            agenda: Of those that the server goes through; made from the windows unless given.
        """
        async with trio.open_nursery() as nursery:
            if self._alone is not None:
                nursery.start_soon(partial(self._alone.follow, origin=origin))
            nursery.start_soon(self._load.follow, origin)
            for kind in OutageKind:
                if not kind.stops_the_node:
                    nursery.start_soon(self._note_outages, of_kind(windows, kind), origin)
            self._backstage.keep_pace(Pace(windows, origin=origin))
            await self._uptime.go_through(agenda or Agenda(on_the_server(windows), origin=origin))

    async def _note_outages(self, windows: Sequence[OutageWindow], origin: float) -> None:
        """The node goes on through these; it keeps the book in which all outages stand."""
        for window in windows:
            await trio.sleep_until(origin + window.starts_at)
            started_at = trio.current_time()
            ended_at = math.inf
            try:
                await trio.sleep_until(origin + window.ends_at)
                ended_at = trio.current_time()
            finally:
                self._recorder.outage(window, started_at, ended_at)
