"""WebSocket by wsproto, straight over the stream."""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from wsproto.connection import Connection as FrameConnection
from wsproto.connection import ConnectionType
from wsproto.events import (
    AcceptConnection,
    CloseConnection,
    Message,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.handshake import H11Handshake

from server_stub.streams import Stream
from simulator.core.outcomes import NoticedBy, Outcome
from simulator.transport.seam import (
    AttemptFailedError,
    ConnectionLostError,
    Dial,
    attempt_errors,
    connection_errors,
    rejection,
)


class WsprotoTransport:
    """WebSocket by wsproto, straight over the stream, in the caller's own task."""

    def __init__(self, dial: Dial, host: str) -> None:
        self._dial = dial
        self._host = host

    @asynccontextmanager
    async def connect(self, path: str) -> AsyncIterator["WsprotoConnection"]:
        """A connection for the length of a context."""
        with attempt_errors():
            stream = await self._dial()
        try:
            with attempt_errors():
                protocol = await self._shake_hands(stream, path)
            yield WsprotoConnection(stream, protocol)
        finally:
            stream.close()

    async def _shake_hands(self, stream: Stream, path: str) -> FrameConnection:
        handshake = H11Handshake(ConnectionType.CLIENT)
        await stream.send_all(handshake.send(Request(host=self._host, target=path)))
        while True:
            data = await stream.receive_some()
            if not data:
                raise AttemptFailedError(Outcome.EOF, "closed before the answer")
            handshake.receive_data(data)
            for event in handshake.events():
                if isinstance(event, RejectConnection):
                    raise rejection(event.status_code, event.headers)
                if isinstance(event, AcceptConnection):
                    if handshake.connection is None:
                        raise AttemptFailedError(Outcome.EOF, "the reply makes no sense")
                    return handshake.connection


class WsprotoConnection:
    """An open connection of WsprotoTransport."""

    __slots__ = ("_parts", "_protocol", "_stream", "heard_at")

    def __init__(self, stream: Stream, protocol: FrameConnection) -> None:
        self._stream = stream
        self._protocol = protocol
        self._parts: list[str] = []
        self.heard_at = -math.inf

    async def receive(self) -> str:
        """The next text of the peer."""
        with connection_errors():
            while True:
                for event in self._protocol.events():
                    match event:
                        case TextMessage():
                            self._parts.append(event.data)
                            if event.message_finished:
                                text = "".join(self._parts)
                                self._parts.clear()
                                return text
                        case Ping():
                            await self._stream.send_all(self._protocol.send(event.response()))
                        case CloseConnection():
                            await self._answer_close(event)
                data = await self._stream.receive_some()
                if not data:
                    raise ConnectionLostError(NoticedBy.EOF)
                self.heard_at = trio.current_time()
                self._protocol.receive_data(data)

    async def _answer_close(self, event: CloseConnection) -> None:
        lost = ConnectionLostError(NoticedBy.CLOSE_FRAME, event.code, event.reason or "")
        try:
            await self._stream.send_all(self._protocol.send(event.response()))
        except OSError:
            pass  # The peer said goodbye and left; the frame still tells how it ended.
        raise lost

    async def send(self, text: str) -> None:
        """Send a text."""
        await self._send(TextMessage(data=text))

    async def ping(self) -> None:
        """Send a ping, without waiting for the pong."""
        await self._send(Ping())

    async def close(self, code: int) -> None:
        """Send a close frame, without waiting for the answer."""
        await self._send(CloseConnection(code=code))

    async def _send(self, event: Message[str] | Ping | CloseConnection) -> None:
        with connection_errors():
            await self._stream.send_all(self._protocol.send(event))
