"""An open connection on the server's side: what is said on it, in order, never waiting for a peer.

The server speaks to a thousand peers at one instant (an event, a close frame), so speaking must not
wait. What the kernel does not take at once is sent by a task that lives only for that; a peer that
leaves too much unread is cut off (see `limits`).
"""

import math
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress

import trio
from wsproto.connection import Connection
from wsproto.events import BytesMessage, CloseConnection, Event, TextMessage
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError

from server_stub.guests import Ending
from server_stub.incoming import Incoming, Said, ViolationError
from server_stub.limits import Limits
from server_stub.messages import Message, encode
from server_stub.streams import Stream
from server_stub.wire import HERD, Identity

_ABNORMAL = 1006
"""The close code of a connection that ends without one."""
_WITHOUT_A_WORD = (Ending.RESET, _ABNORMAL)
_PIECE = 65_536
"""Bytes that are handed to the kernel at a time."""

Spawn = Callable[[Callable[[], Awaitable[None]]], None]
"""Starts a background task."""


class Session:
    """A peer that is connected, or about to be: its 101 may not have been sent yet."""

    __slots__ = (
        "_began_at",
        "_ending",
        "_farewell",
        "_flushed",
        "_incoming",
        "_limits",
        "_protocol",
        "_spawn",
        "_unsent",
        "identity",
        "is_subscribed",
        "listening",
        "n_requests",
        "offence",
        "route",
        "stream",
    )

    def __init__(self, identity: Identity, stream: Stream, spawn: Spawn, limits: Limits) -> None:
        self.identity = identity
        self.stream = stream
        self.listening = trio.CancelScope()
        """The scope in which the peer's task listens."""
        self.is_subscribed = False
        """Does the peer want to hear of events?"""
        self.route = HERD
        """What the connection is for."""
        self.offence: ViolationError | None = None
        """Why the peer was cut off, if it broke the protocol or a limit."""
        self._limits = limits
        self.n_requests = 0
        """What it has asked for so far that keeps workers busy: part of the key of their draws."""
        self._spawn = spawn
        self._protocol: Connection | None = None
        self._farewell: CloseConnection | None = None
        self._ending = _WITHOUT_A_WORD
        self._incoming: Incoming | None = None
        self._began_at = math.inf
        self._unsent = bytearray()
        self._flushed: trio.Event | None = None
        """Set once nothing waits any more; None while nothing does."""

    @property
    def ending(self) -> tuple[Ending, int]:
        """How it ended, and the close code; without a word, unless somebody said one."""
        return self._ending if self._farewell is None else (Ending.TOLD, self._farewell.code)

    @property
    def has_last_words(self) -> bool:
        """Should what was said last be read before the stream is closed?"""
        return self.offence is not None or self.ending[0] is Ending.CLOSED

    @property
    def is_over(self) -> bool:
        """Has either side ended it?"""
        return self.ending is not _WITHOUT_A_WORD

    def ends(self, ending: Ending, code: int = _ABNORMAL) -> None:
        """The peer has ended it."""
        self._ending = ending, code

    def open(self, protocol: Connection) -> None:
        """The 101 has been sent."""
        self._protocol = protocol
        self._incoming = Incoming(protocol, max_message_bytes=self._limits.max_message_bytes)
        if self._farewell is not None:
            self._say_goodbye(self._farewell)

    def lives_until(self, at: float) -> None:
        """Stop listening then, unless it has said goodbye before."""
        self.listening.deadline = min(self.listening.deadline, at)

    def close(self, code: int, reason: str | None = None) -> None:
        """Say goodbye; the peer gets a moment to answer."""
        self._farewell = CloseConnection(code=code, reason=reason)
        self._say_goodbye(self._farewell)

    def _say_goodbye(self, farewell: CloseConnection) -> None:
        self.listening.deadline = trio.current_time() + self._limits.close_timeout
        self.say(farewell)

    def cut_off(self, offence: ViolationError) -> None:
        """Say goodbye to a peer for what it has done."""
        self.offence = offence
        self.close(int(offence.code), str(offence))

    def tell(self, message: Message) -> None:
        """Send one of our own messages."""
        self.say(TextMessage(data=encode(message)))

    def say(self, event: Event) -> None:
        """Send a frame, or what is left of it later; nobody hears what is said after goodbye."""
        if self._protocol is None:
            return
        with suppress(LocalProtocolError, OSError, trio.ClosedResourceError):
            data = self._protocol.send(event)
            if self._flushed is None:
                data = data[self.stream.send_nowait(data) :]
            if data:
                self._send_later(data)

    def _send_later(self, data: bytes) -> None:
        limit = self._limits.max_unsent_bytes
        if len(self._unsent) > limit:
            self.offence = ViolationError(CloseReason.POLICY_VIOLATION, f"{limit} bytes unread")
            self.stream.reset()
            return
        self._unsent += data
        if self._flushed is None:
            self._flushed = trio.Event()
            self._spawn(self._flush)

    async def _flush(self) -> None:
        with suppress(OSError, trio.ClosedResourceError):
            while self._unsent:
                piece = bytes(self._unsent[:_PIECE])
                await self.stream.send_all(piece)
                del self._unsent[: len(piece)]
        self._unsent.clear()
        if self._flushed is not None:
            self._flushed.set()
            self._flushed = None

    async def caught_up(self) -> None:
        """Wait until nothing waits for the peer to read it; no checkpoint when nothing does."""
        if self._flushed is not None:
            await self._flushed.wait()

    async def finish(self) -> None:
        """Give the peer a moment to take what still waits for it."""
        soon = trio.current_time() + self._limits.close_timeout
        self.listening.deadline = min(self.listening.deadline, soon)
        await self.caught_up()

    @property
    def patient_until(self) -> float:
        """When the message that the peer has begun, if any, must be complete."""
        return self._began_at + self._limits.message_timeout

    def hear(self, data: bytes) -> Iterator[Said]:
        """What the peer says with these bytes; messages come whole, however they were cut.

        Raises:
            ViolationError: Something that it must not say.
        """
        if self._incoming is None:
            return
        for said in self._incoming.hear(data):
            if isinstance(said, TextMessage | BytesMessage):
                self._began_at = math.inf
            yield said
        if self._incoming.is_mid_message and math.isinf(self._began_at):
            self._began_at = trio.current_time()
