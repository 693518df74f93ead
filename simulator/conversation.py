"""What a client says and hears while it is connected, and what it keeps while it is not.

The parts are optional and cost nothing when they are off: the heartbeat, the cursor of delta sync,
the outbox of operations, the buffer of outgoing messages. They are sans-IO; this shell gives each
of them its say, and asks only one question of all: until when may the client just listen?
"""

import math
from collections.abc import Awaitable, Callable

import trio

from server_stub.draws import Purpose, uniform
from server_stub.messages import (
    Ack,
    Batch,
    Event,
    Nack,
    Operation,
    Snapshot,
    Sync,
    decode,
    encode,
)
from server_stub.wire import APPLICATION_PING, APPLICATION_PONG
from simulator.core.cursor import Cursor, Update
from simulator.core.gaps import GapCounter
from simulator.core.heartbeat import Heartbeat, Verdict
from simulator.core.outbox import Outbox
from simulator.core.outcomes import NoticedBy
from simulator.core.outgoing import Offered, Outgoing
from simulator.core.visibility import HiddenPage
from simulator.scenario import ClientConfig
from simulator.transport.seam import Connection, ConnectionLostError

_OFFLINE = "the network is gone"


class Conversation:
    """One client's side of all its connections, one after the other."""

    __slots__ = (
        "_config",
        "_heartbeat",
        "_is_offline",
        "_is_reconnect",
        "_listening",
        "_next_operation_at",
        "_on_synced",
        "_on_text",
        "_on_update",
        "_outgoing",
        "_owed",
        "_page",
        "_speaking",
        "cursor",
        "gaps",
        "n_delta_sync",
        "n_full_refresh",
        "outbox",
        "synced_at",
    )

    def __init__(
        self,
        config: ClientConfig,
        *,
        outbox: Outbox | None,
        first_operation_at: float,
        on_text: Callable[[str], None],
        on_update: Callable[[Update], None],
        on_synced: Callable[[float], None],
    ) -> None:
        """Begin without a connection.

        Args:
            config: Which parts the client has.
            outbox: Where its operations wait; None for a client without.
            first_operation_at: When its user first does something, on Trio's clock.
            on_text: Told of every text that is not herd's own.
            on_update: Told of events to apply and of whole states to take over.
            on_synced: Told when the first request to sync of a connection has been answered.
        """
        self._config = config
        self._on_text = on_text
        self._on_update = on_update
        self._on_synced = on_synced
        self._outgoing = Outgoing(config.outgoing)
        self._next_operation_at = first_operation_at
        self._listening: trio.CancelScope | None = None
        self._speaking: trio.CancelScope | None = None
        self._page: HiddenPage | None = None
        self._is_offline = False
        self._heartbeat: Heartbeat | None = None
        self._is_reconnect = False
        self._owed: Sync | None = None
        self.outbox = outbox
        self.gaps = GapCounter() if config.sync == "none" else None
        self.cursor = None if config.sync == "none" else Cursor(always_full=config.sync == "full")
        self.synced_at = math.nan
        self.n_delta_sync = 0
        self.n_full_refresh = 0

    @property
    def n_events_missed(self) -> int:
        """Events that never reached this client, as far as it can tell."""
        return self.gaps.n_missed if self.gaps is not None else 0

    def send(self, text: str) -> Offered:
        """Send a text now, or as soon as there is a connection."""
        offered = self._outgoing.offer(text)
        self._interrupt()
        return offered

    def finish(self, now: float) -> None:
        """The run is over: what the user did until now stands in the outbox, connected or not."""
        self._operate(now)

    def go_offline(self) -> None:
        """The network is gone: the connection, if there is one, is lost."""
        self._is_offline = True
        self._interrupt()
        if self._speaking is not None:
            self._speaking.cancel()

    def set_page(self, page: HiddenPage | None) -> None:
        """The page goes out of view, or comes into view (None)."""
        self._page = page
        self._interrupt()

    def _interrupt(self) -> None:
        if self._listening is not None:
            self._listening.cancel()

    async def hold(self, connection: Connection, *, phase: float, is_reconnect: bool) -> None:
        """Talk on a new connection until it is lost.

        Args:
            connection: It has just opened.
            phase: In (0, 1): the share of an interval before the first heartbeat.
            is_reconnect: Whether there was one before.

        Raises:
            ConnectionLostError: Always, in the end.
        """
        self._is_offline = False
        self._is_reconnect = is_reconnect
        now = trio.current_time()
        self._heartbeat = None
        if (beat := self._config.heartbeat) is not None:
            self._heartbeat = Heartbeat(beat.interval, beat.timeout, now=now, phase=phase)
        if self.cursor is not None:
            self._owed = self.cursor.on_connect()
            self.synced_at = math.nan
        if self.outbox is not None:
            self._operate(now)
            self.outbox.connected(now)
        try:
            while True:
                await self._say_what_waits(connection)
                text = await self._listen(connection)
                if text is not None:
                    self._hear(text)
                elif self._is_offline:
                    raise ConnectionLostError(NoticedBy.OFFLINE, reason=_OFFLINE)
                else:
                    await self._keep_time(connection)
        finally:
            if self.outbox is not None:
                self.outbox.disconnected()

    async def _listen(self, connection: Connection) -> str | None:
        """The next text; None when something is due, or somebody outside wants attention."""
        if self._is_offline or len(self._outgoing):
            return None
        text = None
        with trio.CancelScope(deadline=self._next_due()) as self._listening:
            text = await connection.receive()
        self._listening = None
        return text

    def _next_due(self) -> float:
        """Until when the client may just listen."""
        deadline = math.inf
        if self._heartbeat is not None:
            deadline = self._heartbeat.deadline
            if self._page is not None:  # Whatever kind of ping: its timers are the page's, chained.
                deadline = self._page.runs_at(deadline)
        if self.outbox is not None:
            deadline = min(deadline, self.outbox.deadline, self._next_operation_at)
        return deadline

    def _sign_of_life(self) -> None:
        """The peer was heard after a ping: there is no need to look whether it was."""
        if self._heartbeat is not None:
            self._heartbeat.heard()
        if self._listening is not None:
            self._listening.deadline = self._next_due()

    async def _say_what_waits(self, connection: Connection) -> None:
        """Flush what has collected: the request to sync first, then messages, then operations."""
        if self._owed is not None:
            sync, self._owed = self._owed, None
            await self._speak(connection.send, encode(sync))
        while (text := self._outgoing.take()) is not None:
            await self._speak(connection.send, text)
        if self.outbox is not None:
            operation = self.outbox.next_to_send(trio.current_time())
            if operation is not None:
                text = encode(Operation(operation.key, operation.body))
                await self._speak(connection.send, text)

    async def _speak(self, send: Callable[[str], Awaitable[None]], words: str) -> None:
        """Send something; a peer that does not take it within the heartbeat's timeout is dead.

        While this client cannot finish a sentence it does not listen either, so that its heartbeat
        would have no say.
        """
        heartbeat = self._config.heartbeat
        patience = math.inf if heartbeat is None else heartbeat.timeout
        with trio.move_on_after(patience) as self._speaking:
            await send(words)
        if self._is_offline:
            raise ConnectionLostError(NoticedBy.OFFLINE, reason=_OFFLINE)
        if self._speaking.cancelled_caught:
            raise ConnectionLostError(NoticedBy.HEARTBEAT, reason="nobody takes what is sent")

    async def _keep_time(self, connection: Connection) -> None:
        now = trio.current_time()
        if self.outbox is not None:
            self.outbox.timed_out(now)
            self._operate(now)
        if self._heartbeat is None:
            return
        match self._heartbeat.verdict(now, connection.heard_at):
            case Verdict.PING:
                connection.when_heard(self._sign_of_life)
                if self._config.heartbeat_by_application:
                    await self._speak(connection.send, APPLICATION_PING)
                else:
                    connection.ping()
            case Verdict.DEAD:
                raise ConnectionLostError(NoticedBy.HEARTBEAT, reason="no answer to a ping")
            case Verdict.WAIT:
                pass

    def _operate(self, now: float) -> None:
        """Enqueue what the user has done until now, connected or not."""
        rate = self._config.operation_rate
        if self.outbox is None or rate is None:
            return
        while self._next_operation_at <= now:
            self.outbox.enqueue("", self._next_operation_at)
            self._next_operation_at += 1 / rate

    def _hear(self, text: str) -> None:
        match decode(text):
            case Event() as event:
                if self.gaps is not None:
                    self.gaps.on_event(event)
                if self.cursor is not None:
                    self._apply(self.cursor.on_event(event))
            case Batch() as batch if self.cursor is not None:
                self.n_delta_sync += self._is_reconnect
                self._apply(self.cursor.on_batch(batch))
            case Snapshot() as snapshot if self.cursor is not None:
                self._apply(self.cursor.on_snapshot(snapshot))
            case Ack() as ack if self.outbox is not None:
                self.outbox.acknowledged(ack.key)
            case Nack() as nack if self.outbox is not None:
                self.outbox.rejected(nack.key, nack.reason)
            case None if text != APPLICATION_PONG:
                self._on_text(text)

    def _apply(self, update: Update) -> None:
        """Take in what the cursor makes of something that has arrived."""
        if update.refreshed is not None:
            self.n_full_refresh += self._is_reconnect
        if update.refreshed is not None or update.applied:
            self._on_update(update)
        if update.ask is not None:
            self._owed = update.ask
        if self.cursor is not None and self.cursor.synced and math.isnan(self.synced_at):
            self.synced_at = trio.current_time()
            self._on_synced(self.synced_at)


def operation_phase(seed: int, client: int, rate: float | None) -> float:
    """Seconds before a client's user first does something: uniform within one interval."""
    if rate is None:
        return math.inf
    return uniform(seed, Purpose.OPERATION, client) / rate
