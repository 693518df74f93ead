"""An open connection on the server's side: what is said on it, in order, never waiting for a peer.

The server speaks to a thousand peers at one instant (an event, a close frame), so speaking must not
wait. What the kernel does not take at once is sent by a task that lives only for that; a peer that
leaves too much unread is cut off.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

import trio
from wsproto.connection import Connection
from wsproto.events import BytesMessage, CloseConnection, Event, TextMessage
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from server_stub.guests import Ending
from server_stub.messages import Message, encode
from server_stub.streams import Stream
from server_stub.wire import HERD, Identity

_UNSENT_LIMIT = 1_048_576
"""Bytes that a peer may leave unread before it is cut off."""
_MESSAGE_LIMIT = 1_048_576
"""Characters or bytes of the longest message that a peer may send."""
_ABNORMAL = 1006
"""The close code of a connection that ends without one."""
_WITHOUT_A_WORD = (Ending.RESET, _ABNORMAL)
_CLOSE_TIMEOUT = 1.0
"""Seconds that a peer gets to answer a close frame."""

Spawn = Callable[[Callable[[], Awaitable[None]]], None]
"""Starts a background task."""


class Session:
    """A peer that is connected, or about to be: its 101 may not have been sent yet."""

    __slots__ = (
        "_ending",
        "_farewell",
        "_is_flushing",
        "_n_said",
        "_protocol",
        "_said",
        "_spawn",
        "_unsent",
        "identity",
        "is_subscribed",
        "listening",
        "route",
        "stream",
    )

    def __init__(self, identity: Identity, stream: Stream, spawn: Spawn) -> None:
        self.identity = identity
        self.stream = stream
        self.listening = trio.CancelScope()
        """The scope in which the peer's task listens."""
        self.is_subscribed = False
        """Does the peer want to hear of events?"""
        self.route = HERD
        """What the connection is for."""
        self._spawn = spawn
        self._protocol: Connection | None = None
        self._farewell: CloseConnection | None = None
        self._ending = _WITHOUT_A_WORD
        self._said: list[Any] = []
        self._n_said = 0
        self._unsent = b""
        self._is_flushing = False

    @property
    def ending(self) -> tuple[Ending, int]:
        """How it ended, and the close code; without a word, unless somebody said one."""
        return self._ending if self._farewell is None else (Ending.TOLD, self._farewell.code)

    def ends(self, ending: Ending, code: int = _ABNORMAL) -> None:
        """The peer has ended it."""
        self._ending = ending, code

    def open(self, protocol: Connection) -> None:
        """The 101 has been sent."""
        self._protocol = protocol
        if self._farewell is not None:
            self._say_goodbye(self._farewell)

    def lives_until(self, at: float) -> None:
        """Stop listening then, unless it has said goodbye before."""
        self.listening.deadline = min(self.listening.deadline, at)

    def close(self, code: int, reason: str = "") -> None:
        """Say goodbye; the peer gets a moment to answer."""
        self._farewell = CloseConnection(code=code, reason=reason or None)
        self._say_goodbye(self._farewell)

    def _say_goodbye(self, farewell: CloseConnection) -> None:
        self.listening.deadline = trio.current_time() + _CLOSE_TIMEOUT
        self.say(farewell)

    def tell(self, message: Message) -> None:
        """Send one of our own messages."""
        self.say(TextMessage(data=encode(message)))

    def say(self, event: Event) -> None:
        """Send a frame, or what is left of it later; nobody hears what is said after goodbye."""
        if self._protocol is None:
            return
        with suppress(LocalProtocolError, OSError, trio.ClosedResourceError):
            data = self._protocol.send(event)
            if not self._is_flushing:
                data = data[self.stream.send_nowait(data) :]
            if data:
                self._send_later(data)

    def _send_later(self, data: bytes) -> None:
        self._unsent += data
        if len(self._unsent) > _UNSENT_LIMIT:
            self.stream.reset()
        elif not self._is_flushing:
            self._is_flushing = True
            self._spawn(self._flush)

    async def _flush(self) -> None:
        with suppress(OSError, trio.ClosedResourceError):
            while self._unsent:
                data, self._unsent = self._unsent, b""
                await self.stream.send_all(data)
        self._is_flushing = False

    def hear(self, data: bytes) -> list[Event]:
        """What the peer says with these bytes; messages come whole, however they were cut.

        Raises:
            wsproto.utilities.ProtocolError: Nothing that makes sense.
        """
        if self._protocol is None:
            return []
        self._protocol.receive_data(data)
        return list(self._whole(self._protocol.events()))

    def _whole(self, events: Iterable[Event]) -> Iterator[Event]:
        for event in events:
            if not isinstance(event, TextMessage | BytesMessage):
                yield event
                continue
            if event.message_finished and not self._said:
                yield event
                continue
            self._said.append(event.data)
            self._n_said += len(event.data)
            if self._n_said > _MESSAGE_LIMIT:
                raise RemoteProtocolError("a message is too long")
            if event.message_finished:
                said, self._said, self._n_said = self._said, [], 0
                yield type(event)(data=said[0][:0].join(said))
