"""The stub server: a thin Trio shell around desk, outage schedule and handshake.

Every accepted peer has one task, which owns the peer's stream and is its error boundary. What
must happen to a peer from outside (its service is done, the node goes down) reaches that task as
the cancellation of the scope in which it waits, or as the reset of its stream.
"""

import itertools
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import trio
from wsproto.events import CloseConnection, Message, Ping, TextMessage

from server_stub.admission import Decision, Desk, Job
from server_stub.backend import Backend
from server_stub.config import ServerConfig
from server_stub.draws import Purpose, uniform
from server_stub.handshake import MALFORMED, Handshake, PeerLeftError
from server_stub.messages import Operation, Sync, decode
from server_stub.outage import OutageKind, OutageWindow, on_the_network, on_the_server
from server_stub.recorder import ServerRecorder
from server_stub.service import service_time
from server_stub.session import Session, Spawn
from server_stub.streams import Port, Stream
from server_stub.wire import (
    APPLICATION_PING,
    APPLICATION_PONG,
    OVERLOADED,
    RAMP_EPISODE,
    Identity,
    identity_of,
)


@dataclass(slots=True, eq=False, kw_only=True)
class _Visit(Job):
    """A job at the desk, and the scope in which its peer's task waits for the outcome."""

    session: Session
    """What it becomes once served."""
    waiting: trio.CancelScope = field(default_factory=trio.CancelScope)
    turned_away: bool = False


class _Gate:
    """Something tasks wait in front of while it is shut."""

    def __init__(self, *, is_open: bool) -> None:
        self._opened = trio.Event()
        self.set(is_open=is_open)

    def set(self, *, is_open: bool) -> None:
        if is_open:
            self._opened.set()
        elif self._opened.is_set():
            self._opened = trio.Event()

    async def passed(self) -> None:
        """Wait until it is open; no checkpoint when it already is."""
        while not self._opened.is_set():
            await self._opened.wait()


class Server:
    """One node of the stub.

    Run it with `run`, in a task of its own; it goes down and comes back as `follow` says.
    """

    def __init__(
        self, config: ServerConfig, *, port: Port, seed: int, recorder: ServerRecorder
    ) -> None:
        self._config = config
        self._port = port
        self._seed = seed
        self._recorder = recorder
        self._desk: Desk[_Visit] = Desk(config)
        self._backend = Backend(config.history, config.ledger)
        self._bell = trio.CancelScope()
        # Dictionaries for sets that keep their order, so that a run can be repeated exactly.
        self._unread: dict[Stream, None] = {}
        self._sessions: dict[Session, None] = {}
        self._accepting = trio.CancelScope()
        self._up = _Gate(is_open=True)
        self._has_room = _Gate(is_open=True)
        self._thawed = _Gate(is_open=True)
        self._goes_down_at = math.inf
        self._n_foreign = 0

    @property
    def n_connected(self) -> int:
        """How many connections are open."""
        return len(self._sessions)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Listen and serve until cancelled; it counts as started once it listens."""
        self._port.listen()
        task_status.started()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._work_the_desk)
                nursery.start_soon(self._accept_peers, nursery)
        finally:
            self._port.close()
            self._recorder.tallies(self._backend.n_applied, self._backend.n_reapplied)

    async def follow(self, windows: Sequence[OutageWindow], *, origin: float) -> None:
        """Go down and come back on schedule.

        Args:
            windows: The outages, by start.
            origin: The clock reading that is t = 0.
        """
        async with trio.open_nursery() as nursery:
            if self._config.history.rate is not None:
                nursery.start_soon(self._publish_events, self._config.history.rate, origin)
            nursery.start_soon(self._note_network_outages, on_the_network(windows), origin)
            await self._go_through(on_the_server(windows), origin)

    async def _publish_events(self, rate: float, origin: float) -> None:
        """Something happens `rate` times a second; a frozen server gets round to it at the thaw."""
        for number in itertools.count():
            await trio.sleep_until(origin + number / rate)
            await self._thawed.passed()
            now = trio.current_time()
            event = self._backend.publish(now)
            self._recorder.publication(event, now)
            for session in self._sessions:
                if session.is_subscribed:
                    session.tell(event)

    async def _note_network_outages(self, windows: Sequence[OutageWindow], origin: float) -> None:
        """The server does not feel them; it keeps the book in which all outages stand."""
        for window in windows:
            await trio.sleep_until(origin + window.starts_at)
            started_at = trio.current_time()
            ended_at = math.inf
            try:
                await trio.sleep_until(origin + window.ends_at)
                ended_at = trio.current_time()
            finally:
                self._recorder.outage(window, started_at, ended_at)

    async def _go_through(self, windows: Sequence[OutageWindow], origin: float) -> None:
        for window in windows:
            self._goes_down_at = origin + window.starts_at
            await trio.sleep_until(self._goes_down_at)
            started_at = trio.current_time()
            ended_at = math.inf
            self._go_down(window, started_at)
            try:
                await trio.sleep_until(origin + window.ends_at)
                ended_at = trio.current_time()
                self._come_back(window, ended_at)
            finally:
                self._recorder.outage(window, started_at, ended_at)

    # The outage

    def _go_down(self, window: OutageWindow, now: float) -> None:
        self._finish_services(now)
        self._goes_down_at = math.inf
        self._up.set(is_open=False)
        self._accepting.cancel()
        for session in self._sessions:
            self._recorder.loss(session.identity, window.index, now)
        if window.kind is OutageKind.FREEZE:
            self._thawed.set(is_open=False)
            self._desk.pause(now)
        else:
            self._disconnect_everybody(window)
        self._changed(now)

    def _disconnect_everybody(self, window: OutageWindow) -> None:
        """Leave nobody: not in the kernel's queue, at the desk, or connected."""
        if window.refuse:
            self._port.refuse()
        else:
            self._port.hold()
        for stream in self._unread:
            stream.reset()
        self._unread.clear()
        graceful = window.kind is OutageKind.GRACEFUL
        for visit in self._desk.clear():
            if graceful:
                visit.turned_away = True
                visit.waiting.cancel()
            else:
                visit.session.stream.reset()
        for session in self._sessions:
            if graceful:
                session.close(window.close_code)
            else:
                session.stream.reset()
        self._sessions.clear()

    def _come_back(self, window: OutageWindow, now: float) -> None:
        if window.kind is OutageKind.FREEZE:
            self._desk.resume(now)
            self._thawed.set(is_open=True)
            if window.lost_at_thaw:
                self._disconnect_everybody(window)
                self._backend.restarted()
        else:
            self._backend.restarted()
            if window.refuse:
                self._port.listen()
        self._up.set(is_open=True)
        self._changed(now)

    # The desk

    async def _work_the_desk(self) -> None:
        while True:
            with trio.CancelScope(deadline=self._next_due()) as self._bell:
                await trio.sleep_forever()
            now = trio.current_time()
            self._finish_services(now)
            self._changed(now)

    def _next_due(self) -> float:
        """When the desk needs attention; what is due only after the outage began never is."""
        due_at = self._desk.next_due()
        return due_at if due_at < self._goes_down_at else math.inf

    def _finish_services(self, now: float) -> None:
        # A service that ends at the very instant of an outage fails (RULES 14).
        for visit in self._desk.finish(min(now, math.nextafter(self._goes_down_at, -math.inf))):
            self._recorder.service(visit.due_at, now)
            self._recorder.count(now, "completed")
            if visit.abandoned:
                self._recorder.count(now, "wasted")
            else:
                self._sessions[visit.session] = None
            visit.waiting.cancel()

    def _changed(self, now: float) -> None:
        """The desk or the set of connections is not what it was."""
        self._bell.deadline = self._next_due()
        self._has_room.set(
            is_open=self._config.overflow != "drop" or self._room() > len(self._unread)
        )
        self._recorder.level(
            now,
            connected=len(self._sessions),
            backlog=self._desk.backlog,
            busy_workers=self._desk.busy_workers,
        )

    def _room(self) -> float:
        """How many more arrivals can be taken in."""
        room: float = self._desk.room
        if self._config.max_connections is not None:
            present = len(self._sessions) + self._desk.backlog + self._desk.busy_workers
            room = min(room, self._config.max_connections - present)
        return room

    # The peers

    async def _accept_peers(self, nursery: trio.Nursery) -> None:
        while True:
            await self._up.passed()
            with trio.CancelScope() as self._accepting:
                while True:
                    await self._has_room.passed()
                    stream = await self._port.accept()
                    self._unread[stream] = None
                    self._changed(trio.current_time())
                    nursery.start_soon(self._receive_peer, stream, nursery.start_soon)

    async def _receive_peer(self, stream: Stream, spawn: Spawn) -> None:
        """Everything that happens to one peer; whatever it sends ends with it."""
        try:
            handshake = await self._read_request(stream)
            if handshake is not None:
                await self._answer(stream, handshake, spawn)
        except (*MALFORMED, PeerLeftError, OSError, trio.ClosedResourceError):
            pass
        finally:
            stream.close()

    async def _read_request(self, stream: Stream) -> Handshake | None:
        """What a peer asks for; None if it takes too long, or if the node went down meanwhile."""
        handshake = None
        try:
            with trio.move_on_after(self._config.request_timeout):
                handshake = await Handshake.read(stream)
        finally:
            await self._thawed.passed()
            was_reset = stream not in self._unread
            self._unread.pop(stream, None)
            self._changed(trio.current_time())
        return None if was_reset else handshake

    async def _hear(self, stream: Stream) -> bytes:
        """What a peer says next; a frozen server hears nothing, not even that it has left."""
        try:
            return await stream.receive_some()
        finally:
            await self._thawed.passed()

    async def _answer(self, stream: Stream, handshake: Handshake, spawn: Spawn) -> None:
        now = trio.current_time()
        ours = identity_of(handshake.target)
        session = Session(ours or self._foreigner(), stream, spawn)
        # Herd's clients hear of events from the start, also those that never ask what they missed;
        # to a foreign client, which asks by a Sync, such texts would be gibberish.
        session.is_subscribed = ours is not None
        self._recorder.count(now, "arrivals")
        self._finish_services(now)
        try:
            if session.identity.episode == RAMP_EPISODE:
                self._recorder.count(now, "admitted")
                self._sessions[session] = None
            elif not await self._serve(session, handshake, now):
                return
            await self._hold(session, handshake)
        finally:
            self._sessions.pop(session, None)
            self._changed(trio.current_time())

    def _foreigner(self) -> Identity:
        """A client that does not say who it is gets the number of its arrival."""
        self._n_foreign += 1
        return Identity(client=self._n_foreign - 1, episode=1, attempt=1)

    async def _serve(self, session: Session, handshake: Handshake, now: float) -> bool:
        """Let a peer through the desk; False when it was turned away or has left."""
        draw = uniform(self._seed, Purpose.SERVICE, *session.identity)
        visit = _Visit(
            arrived_at=now,
            service_time=service_time(self._config.service_time, draw),
            session=session,
        )
        if self._room() <= 0 or self._desk.arrive(visit) is Decision.OVERFLOW:
            self._recorder.count(now, "rejected")
            self._changed(now)
            await self._overflow(session.stream, handshake)
            return False
        self._recorder.count(now, "admitted")
        self._changed(now)
        with visit.waiting:
            # Before the 101 a client has nothing to say: whatever arrives is its farewell.
            with suppress(OSError, trio.ClosedResourceError):
                await self._hear(session.stream)
            now = trio.current_time()
            self._finish_services(now)
            self._desk.leave(visit, now)
            self._changed(now)
            return False
        if visit.turned_away:
            await self._reject(handshake)
        return not visit.turned_away

    async def _overflow(self, stream: Stream, handshake: Handshake) -> None:
        if self._config.overflow == "reset":
            stream.reset()
        else:
            await self._reject(handshake)

    async def _reject(self, handshake: Handshake) -> None:
        headers = []
        if self._config.retry_after is not None:
            headers.append((b"Retry-After", f"{math.ceil(self._config.retry_after)}".encode()))
        await handshake.reject(OVERLOADED, headers)

    async def _hold(self, session: Session, handshake: Handshake) -> None:
        """Open a connection, and stay with it until it ends."""
        self._changed(trio.current_time())
        session.open(await handshake.accept())
        with session.listening:
            await self._converse(session)

    async def _converse(self, session: Session) -> None:
        """Answer whatever the peer says, until one side closes."""
        while data := await self._hear(session.stream):
            for event in session.hear(data):
                match event:
                    case CloseConnection():
                        session.say(event.response())
                        return
                    case Ping():
                        session.say(event.response())
                    case TextMessage(data=text):
                        self._answer_text(session, text)
                    case Message():
                        session.say(event)

    def _answer_text(self, session: Session, text: str) -> None:
        match decode(text):
            case Sync() as sync:
                session.is_subscribed = True
                session.tell(self._backend.catch_up(sync, trio.current_time()))
            case Operation() as operation:
                session.tell(self._backend.apply(session.identity.client, operation))
            case _:
                answer = APPLICATION_PONG if text == APPLICATION_PING else text
                session.say(TextMessage(data=answer))
