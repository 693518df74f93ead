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
from server_stub.messages import Event
from server_stub.outage import OutageKind, OutageWindow, of_kind, on_the_server
from server_stub.pace import Pace
from server_stub.presence import Presence
from server_stub.reception import Reception
from server_stub.recorder import ServerRecorder
from server_stub.streams import Port
from server_stub.talk import Talk
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
        self._commons = commons
        self._commons.listen(self._hear_of)
        self._untold: list[Event] = []
        """What has happened while it was frozen."""
        self._is_there = is_there
        self._thawed = Gate(is_open=True)
        self._presence = Presence()
        self._attention = Attention()
        self._clerk = Clerk(config, self._presence, recorder)
        self._backstage = Backstage(
            config, self._clerk.counter, seed=seed, recorder=recorder, shared=commons.stages
        )
        errands = Errands(
            config,
            seed=seed,
            backstage=self._backstage,
            attention=self._attention,
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
        self._clerk.watch_connections(self._load.connected)
        self._reception = Reception(
            config,
            seed=seed,
            presence=self._presence,
            clerk=self._clerk,
            talk=Talk(commons.backend, errands, self._thawed),
            stages=self._backstage.stages,
            attention=self._attention,
            thawed=self._thawed,
            recorder=recorder,
            guests=guests or Unwatched(),
            adviser=adviser,
        )
        self._departure = Departure(
            seed=seed,
            port=port,
            presence=self._presence,
            clerk=self._clerk,
            backstage=self._backstage,
            errands=errands,
            recorder=recorder,
            adviser=adviser,
        )

    @property
    def n_connected(self) -> int:
        """How many connections are open."""
        return len(self._presence.sessions)

    @property
    def utilisation(self) -> float:
        """Share of its workers that are busy with handshakes."""
        return self._clerk.counter.busy_workers / self._n_workers

    @property
    def is_idle(self) -> bool:
        """Nobody waits for anything."""
        return self._backstage.is_idle

    async def thawed(self) -> None:
        """Wait while it is frozen."""
        await self._thawed.passed()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Listen and serve until cancelled; it counts as started once it listens, if it is up."""
        if self._is_there:
            self._port.listen()
            self._commons.joined()
        else:
            self._reception.shut_doors()
            self._load.set_up(trio.current_time(), is_up=False)
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
            await self._go_through(agenda or Agenda(on_the_server(windows), origin=origin))

    def _hear_of(self, event: Event) -> None:
        """Tell those who want to know; a frozen node gets round to it at the thaw."""
        if not self._thawed.is_open:
            self._untold.append(event)
            return
        for session in self._presence.sessions:
            if session.is_subscribed:
                session.tell(event)

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

    async def _go_through(self, agenda: Agenda) -> None:
        while True:
            self._expect_outage(agenda.next_starts_at)
            window = await agenda.next()
            if window is None:
                return
            started_at = trio.current_time()
            ended_at = math.inf
            starts_at, back_at = (agenda.origin + at for at in (window.starts_at, window.ends_at))
            if window.others_serve:
                back_at = started_at
            self._go_down(window, started_at, back_at)
            try:
                async with trio.open_nursery() as nursery:
                    if window.kind is OutageKind.DRAIN:
                        nursery.start_soon(self._departure.drain, window, starts_at, back_at)
                    await agenda.over()
                    nursery.cancel_scope.cancel()
                ended_at = trio.current_time()
                if window.up_again_at == window.ends_at:
                    self._come_back(window, ended_at)
                else:
                    self._departure.kill(window, ended_at)
            finally:
                self._recorder.outage(window, started_at, ended_at)
            if window.ends_at < window.up_again_at == math.inf:
                return
            if window.up_again_at > window.ends_at:
                await trio.sleep_until(agenda.origin + window.up_again_at)
                self._come_back(window, trio.current_time())

    def _go_down(self, window: OutageWindow, now: float, back_at: float) -> None:
        self._backstage.catch_up(now)
        self._reception.shut_doors()
        if window.kind is OutageKind.FREEZE:
            for session in self._presence.sessions:
                self._recorder.loss(session.identity, window.index, now)
            self._thawed.set(is_open=False)
            self._attention.freeze()
            self._backstage.pause(now)
        else:
            self._departure.lock_up(window, now=now, back_at=back_at)
            if window.kind is not OutageKind.DRAIN:
                self._departure.disconnect_everybody(window, now=now, back_at=back_at)
            self._leave(now)
        self._expect_outage(math.inf)
        self._clerk.changed(now)

    def _expect_outage(self, at: float) -> None:
        """The next outage is known: what is due only after it began never is."""
        self._backstage.goes_down_at(at)
        self._attention.goes_down_at(at)

    def _come_back(self, window: OutageWindow, now: float) -> None:
        if window.kind is OutageKind.FREEZE:
            self._backstage.resume(now)
            self._thawed.set(is_open=True)
            if window.lost_at_thaw:
                self._departure.lock_up(window, now=now, back_at=now)
                self._departure.disconnect_everybody(window, now=now, back_at=now)
                self._leave(now)
                self._join(now)
            self._attention.thaw(now)
            self._catch_up()
        else:
            # A drain that was called off leaves some behind, whom the restart disconnects.
            self._departure.disconnect_everybody(window, now=now, back_at=now)
            self._join(now)
            if window.refuse:
                self._port.listen()
        self._reception.open_doors()
        self._clerk.changed(now)

    def _join(self, now: float) -> None:
        self._is_there = True
        self._commons.joined()
        self._backstage.restarted()
        self._load.set_up(now, is_up=True)

    def _leave(self, now: float) -> None:
        self._load.set_up(now, is_up=False)
        self._attention.lose()
        if self._is_there:
            self._is_there = False
            self._commons.left()

    def _catch_up(self) -> None:
        """Tell what has happened during a freeze."""
        events, self._untold = self._untold, []
        for event in events:
            self._hear_of(event)
