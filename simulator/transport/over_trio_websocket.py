"""WebSocket by trio-websocket, behind a stream that notices how it ends."""

import math
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial

import trio
import trio_websocket
from wsproto.connection import ConnectionState

from server_stub.handshake import MALFORMED
from server_stub.streams import Stream
from simulator.core.outcomes import NoticedBy, Outcome
from simulator.transport.seam import (
    ABNORMAL_CLOSURE,
    FOREIGN_ERRORS,
    MAX_ANSWER_BYTES,
    MAX_MESSAGE_BYTES,
    AttemptFailedError,
    ConnectionLostError,
    Dial,
    Headers,
    attempt_error,
    loss_error,
    rejection,
    violation,
)


class TrioWebSocketTransport:
    """WebSocket by trio-websocket, with a nursery of its own for every attempt."""

    def __init__(
        self, dial: Dial, host: str, *, headers: Headers = (), subprotocols: Sequence[str] = ()
    ) -> None:
        self._dial = dial
        self._host = host
        self._headers = [(name.encode("ascii"), value.encode("ascii")) for name, value in headers]
        self._subprotocols = subprotocols

    @asynccontextmanager
    async def connect(self, path: str) -> AsyncIterator["TrioWebSocketConnection"]:
        """A connection for the length of a context."""
        try:
            stream = _ObservedStream(await self._dial())
        except FOREIGN_ERRORS as error:
            raise attempt_error(error) from None
        try:
            async with trio.open_nursery() as nursery:
                # The library waits for an answer even when the peer is gone: see to it that the
                # end of the stream ends the attempt, unless the answer came just before it.
                stream.on_end = partial(nursery.start_soon, _end_attempt, stream, nursery)
                connection = await trio_websocket.wrap_client_stream(
                    nursery,
                    stream,  # type: ignore[arg-type] # any stream will do
                    self._host,
                    path,
                    subprotocols=self._subprotocols or None,
                    extra_headers=self._headers,
                    max_message_size=MAX_MESSAGE_BYTES,
                )
                stream.on_end = None
                yield TrioWebSocketConnection(stream, connection, nursery)
                nursery.cancel_scope.cancel()
            if stream.on_end is not None:
                raise stream.attempt_error()
        except BaseExceptionGroup as group:
            raise _only_error(group, is_open=stream.on_end is None) from None
        finally:
            stream.close()


async def _end_attempt(stream: "_ObservedStream", nursery: trio.Nursery) -> None:
    """The stream has ended; cancel the attempt if nobody has come to see it opened by now."""
    await trio.lowlevel.checkpoint()
    if stream.on_end is not None:
        nursery.cancel_scope.cancel()


def _only_error(group: BaseExceptionGroup[BaseException], *, is_open: bool) -> BaseException:
    """What really happened, out of the group in which a nursery delivers it."""
    leaves = list(_leaves(group))
    for leaf in leaves:
        if isinstance(leaf, AttemptFailedError | ConnectionLostError):
            return leaf
        if isinstance(leaf, trio_websocket.ConnectionRejected):
            return rejection(leaf.status_code, leaf.headers or ())
    if all(isinstance(leaf, trio.Cancelled) for leaf in leaves):
        return leaves[0]
    errors = [leaf for leaf in leaves if isinstance(leaf, Exception)]
    if len(errors) < sum(not isinstance(leaf, trio.Cancelled) for leaf in leaves):
        return group  # A KeyboardInterrupt, say: not ours to unpack.
    if all(isinstance(error, MALFORMED) for error in errors):
        return loss_error(errors[0]) if is_open else attempt_error(errors[0])
    return errors[0] if len(errors) == 1 else group


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for inner in group.exceptions:
        if isinstance(inner, BaseExceptionGroup):
            yield from _leaves(inner)
        else:
            yield inner


class _ObservedStream(trio.abc.Stream):
    """A stream as trio-websocket wants it, that remembers when it was heard and how it ended."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._n_received = 0
        self.heard_at = -math.inf
        self.failure: OSError | None = None
        self.on_heard: Callable[[], None] | None = None
        self.on_end: Callable[[], None] | None = None
        self.on_sent: Callable[[], None] | None = None

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        try:
            data = await self._stream.receive_some()
        except OSError as error:
            raise self._broken(error) from error
        self._n_received += len(data)
        if self.on_end is not None and self._n_received > MAX_ANSWER_BYTES:
            data = b""  # The library would keep an answer without an end for as long as it comes.
        if data:
            self.heard_at = trio.current_time()
            if self.on_heard is not None:
                action, self.on_heard = self.on_heard, None
                action()
        else:
            self._end()
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        try:
            await self._stream.send_all(bytes(data))
        except OSError as error:
            raise self._broken(error) from error
        if self.on_sent is not None:
            self.on_sent()

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        self.close()
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        self._stream.close()

    def attempt_error(self) -> AttemptFailedError:
        """Why the attempt over this stream failed, once it has ended."""
        if self.failure is not None:
            return AttemptFailedError(Outcome.RESET, str(self.failure))
        return AttemptFailedError(Outcome.EOF, "closed before the answer")

    def loss(self, code: int, reason: str, *, is_theirs: bool) -> ConnectionLostError:
        """Why the connection over this stream is lost.

        Args:
            code: The close code; 1006 for none.
            reason: What goes with it.
            is_theirs: Does the code come from the server, in a close frame?
        """
        if code != ABNORMAL_CLOSURE:
            if not is_theirs:
                return violation(code, reason)
            return ConnectionLostError(NoticedBy.CLOSE_FRAME, code, reason)
        if self.failure is not None:
            return ConnectionLostError(NoticedBy.RESET, reason=str(self.failure))
        return ConnectionLostError(NoticedBy.EOF)

    def _broken(self, error: OSError) -> trio.BrokenResourceError:
        self.failure = self.failure or error
        self._end()
        return trio.BrokenResourceError(str(error))

    def _end(self) -> None:
        if self.on_end is not None:
            self.on_end()


class TrioWebSocketConnection:
    """An open connection of TrioWebSocketTransport."""

    __slots__ = ("_connection", "_nursery", "_stream")

    def __init__(
        self,
        stream: _ObservedStream,
        connection: trio_websocket.WebSocketConnection,
        nursery: trio.Nursery,
    ) -> None:
        self._stream = stream
        self._connection = connection
        self._nursery = nursery

    @property
    def heard_at(self) -> float:
        """When the peer was last heard, whatever it said."""
        return self._stream.heard_at

    def when_heard(self, action: Callable[[], None]) -> None:
        """Do something, once, when the peer is heard next, whatever it says."""
        self._stream.on_heard = action

    async def receive(self) -> str:
        """The next text of the peer."""
        with self._loss():
            while True:
                message = await self._connection.get_message()
                if isinstance(message, str):
                    return message

    async def send(self, text: str) -> None:
        """Send a text."""
        with self._loss():
            await self._connection.send_message(text)

    def ping(self) -> None:
        """Send a ping, without waiting for the pong: the library's own call waits for ever."""
        self._nursery.start_soon(self._ping)

    async def _ping(self) -> None:
        with suppress(trio_websocket.ConnectionClosed):  # `receive` reports it.
            await self._connection.ping()

    async def close(self, code: int) -> None:
        """Send a close frame, without waiting for the answer."""
        with self._loss(), trio.CancelScope() as sending:
            self._stream.on_sent = sending.cancel
            await self._connection.aclose(code)

    @contextmanager
    def _loss(self) -> Iterator[None]:
        try:
            yield
        except trio_websocket.ConnectionClosed as error:
            reason = error.reason
            code = reason.code if reason is not None else ABNORMAL_CLOSURE
            text = (reason.reason or "") if reason is not None else ""
            # Of a close frame, the library has sent the answer by now; of garbage it only says
            # which close code it would be worth.
            is_theirs = self._connection._wsproto.state is ConnectionState.CLOSED
            raise self._stream.loss(code, text, is_theirs=is_theirs) from None
