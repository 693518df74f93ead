"""WebSocket by wsproto, straight over the stream."""

import math
from collections.abc import Callable, Sequence
from contextlib import suppress

import trio
from wsproto.connection import Connection as FrameConnection
from wsproto.events import CloseConnection, Message, Ping, TextMessage
from wsproto.utilities import LocalProtocolError

from server_stub.incoming import Incoming, ViolationError
from server_stub.streams import Stream
from simulator.core.outcomes import NoticedBy, Outcome
from simulator.transport.client_handshake import ClientHandshake
from simulator.transport.seam import (
    FOREIGN_ERRORS,
    MAX_MESSAGE_BYTES,
    AttemptFailedError,
    ConnectionLostError,
    Dial,
    Headers,
    attempt_error,
    loss_error,
    violation,
)


class WsprotoTransport:
    """WebSocket by wsproto, straight over the stream, in the caller's own task."""

    def __init__(
        self, dial: Dial, host: str, *, headers: Headers = (), subprotocols: Sequence[str] = ()
    ) -> None:
        self.dial = dial
        self._host = host
        self._headers = headers
        self._subprotocols = subprotocols

    def connect(self, path: str) -> "_Opening":
        """A connection for the length of a context."""
        return _Opening(self, path)

    def handshake(self, path: str) -> ClientHandshake:
        """The opening handshake of one attempt."""
        return ClientHandshake(self._host, path, self._headers, self._subprotocols)


class _Opening:
    """The context of one connection: dials on entering, drops the stream on leaving.

    A class rather than a generator, which would cost a herd a frame and a half per client.
    """

    __slots__ = ("_path", "_stream", "_transport")

    def __init__(self, transport: WsprotoTransport, path: str) -> None:
        self._transport = transport
        self._path = path
        self._stream: Stream | None = None

    async def __aenter__(self) -> "WsprotoConnection":
        try:
            self._stream = stream = await self._transport.dial()
            return WsprotoConnection(stream, await self._shake_hands(stream))
        except FOREIGN_ERRORS as error:
            self._drop()
            raise attempt_error(error) from None
        except BaseException:
            self._drop()
            raise

    async def __aexit__(self, *raised: object) -> None:
        self._drop()

    def _drop(self) -> None:
        if self._stream is not None:
            self._stream.close()

    async def _shake_hands(self, stream: Stream) -> FrameConnection:
        handshake = self._transport.handshake(self._path)
        await stream.send_all(handshake.request())
        while data := await stream.receive_some():
            connection = handshake.receive(data)
            if connection is not None:
                return connection
        raise AttemptFailedError(Outcome.EOF, "closed before the answer")


class WsprotoConnection:
    """An open connection of WsprotoTransport."""

    __slots__ = ("_incoming", "_loss", "_on_heard", "_protocol", "_stream", "_unsent", "heard_at")

    def __init__(self, stream: Stream, protocol: FrameConnection) -> None:
        self._stream = stream
        self._protocol = protocol
        self._incoming = Incoming(protocol, max_message_bytes=MAX_MESSAGE_BYTES)
        self._unsent = b""
        """Pings and pongs that the peer has made no room for yet; they go first."""
        self._loss: ConnectionLostError | None = None
        self._on_heard: Callable[[], None] | None = None
        self.heard_at = -math.inf

    def when_heard(self, action: Callable[[], None]) -> None:
        """Do something, once, when the peer is heard next, whatever it says."""
        self._on_heard = action

    async def receive(self) -> str:
        """The next text of the peer."""
        if self._loss is not None:
            raise self._loss
        try:
            while True:
                for event in self._protocol.events():
                    match self._incoming.take(event):
                        case TextMessage(data=text):
                            return text
                        case Ping() as ping:
                            self._unsent += self._protocol.send(ping.response())
                        case CloseConnection() as close:
                            await self._answer_close(close)
                await self._listen()
        except ViolationError as error:
            raise self._break_off(error) from None
        except FOREIGN_ERRORS as error:
            raise loss_error(error) from None

    async def _listen(self) -> None:
        if self._unsent:  # Kept until they are sent: a heartbeat that is due may cancel this.
            await self._stream.send_all(self._unsent)
            self._unsent = b""
        data = await self._stream.receive_some()
        if not data:
            raise ConnectionLostError(NoticedBy.EOF)
        self.heard_at = trio.current_time()
        if self._on_heard is not None:
            action, self._on_heard = self._on_heard, None
            action()
        self._protocol.receive_data(data)

    async def _answer_close(self, event: CloseConnection) -> None:
        # Kept, since answering it may be cancelled (a heartbeat is due), and it comes only once.
        self._loss = ConnectionLostError(NoticedBy.CLOSE_FRAME, event.code, event.reason or "")
        with suppress(OSError):  # The peer may have left; the frame still tells how it ended.
            await self._stream.send_all(self._protocol.send(event.response()))
        raise self._loss

    def _break_off(self, error: ViolationError) -> ConnectionLostError:
        """Tell the server what it has done wrong, if it takes that at once."""
        self._loss = violation(error.code, str(error))
        with suppress(OSError, LocalProtocolError):
            farewell = CloseConnection(code=error.code, reason=str(error))
            self._stream.send_nowait(self._unsent + self._protocol.send(farewell))
        return self._loss

    async def send(self, text: str) -> None:
        """Send a text."""
        await self._send(TextMessage(data=text))

    def ping(self) -> None:
        """Send a ping, without waiting for the pong, or for the peer to make room."""
        if self._loss is not None:
            raise self._loss
        try:
            data = self._unsent + self._protocol.send(Ping())
            self._unsent = data[self._stream.send_nowait(data) :]
        except FOREIGN_ERRORS as error:
            raise loss_error(error) from None

    async def close(self, code: int) -> None:
        """Send a close frame, without waiting for the answer."""
        await self._send(CloseConnection(code=code))

    async def _send(self, event: Message[str] | CloseConnection) -> None:
        try:
            data, self._unsent = self._unsent + self._protocol.send(event), b""
            await self._stream.send_all(data)
        except FOREIGN_ERRORS as error:
            raise loss_error(error) from None
