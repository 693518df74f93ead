"""From the accepted socket to the request: who it is that knocks, and who only stands about.

Every accepted peer has one task, which owns the peer's stream and is its error boundary. How much
of the server a peer can take, however bad it is, says `limits`.
"""

import trio

from server_stub.clerk import Clerk
from server_stub.config import ServerConfig
from server_stub.gate import Gate
from server_stub.handshake import Handshake, PeerLeftError, SilentPeerError
from server_stub.presence import Presence
from server_stub.recorder import ServerRecorder
from server_stub.session import Spawn
from server_stub.streams import ExhaustedError, GarbledError, Port, Stream
from server_stub.upgrade import BadRequestError
from server_stub.welcome import Welcome

_EXHAUSTED_PAUSE = 0.05
"""Seconds until the next look whether there is a file descriptor for the peer who waits."""


class Reception:
    """Accepts peers while the doors are open, and hands those who ask for something on."""

    def __init__(
        self,
        config: ServerConfig,
        *,
        presence: Presence,
        clerk: Clerk,
        welcome: Welcome,
        thawed: Gate,
        recorder: ServerRecorder,
    ) -> None:
        self._config = config
        self._presence = presence
        self._clerk = clerk
        self._welcome = welcome
        self._thawed = thawed
        self._recorder = recorder
        self._doors = Gate(is_open=True)
        self._accepting = trio.CancelScope()

    def open_doors(self) -> None:
        """Accept again."""
        self._doors.set(is_open=True)

    def shut_doors(self) -> None:
        """Accept nobody from now on."""
        self._doors.set(is_open=False)
        self._accepting.cancel()

    async def accept_peers(self, port: Port, nursery: trio.Nursery) -> None:
        """Accept whoever comes, until cancelled; each gets a task in the nursery."""
        while True:
            await self._doors.passed()
            with trio.CancelScope() as self._accepting:
                while True:
                    await self._clerk.has_room.passed()
                    stream = await self._next_peer(port)
                    if self._presence.n_strangers >= self._config.limits.max_unread:
                        self._make_room()
                    self._presence.unread[stream] = None
                    self._clerk.changed(trio.current_time())
                    nursery.start_soon(self._receive_peer, stream, nursery.start_soon)

    async def _next_peer(self, port: Port) -> Stream:
        while True:
            try:
                return await port.accept()
            except ExhaustedError:
                if not self._make_room():
                    await trio.sleep(_EXHAUSTED_PAUSE)

    def _make_room(self) -> bool:
        """Drop the peer who has been silent longest; whether there was one."""
        has_kept_silent = not self._presence.leaving
        is_gone = self._presence.reset_oldest_stranger()
        if is_gone and has_kept_silent:
            self._recorder.count(trio.current_time(), "malformed")
        return is_gone

    async def _receive_peer(self, stream: Stream, spawn: Spawn) -> None:
        """Everything that happens to one peer; whatever it sends ends with it."""
        try:
            last_words = await self._attend(stream, spawn)
            if last_words is not None:
                await self._show_out(stream, last_words)
        except (PeerLeftError, OSError, trio.ClosedResourceError):
            pass
        finally:
            stream.close()

    async def _attend(self, stream: Stream, spawn: Spawn) -> bytes | None:
        """Read a peer's request, and do what it asks for, to the end.

        Returns:
            What is still to be said to it, if anything (be it that everything has been said) is to
            be read before the stream is closed.
        """
        try:
            handshake = await self._read_request(stream)
            if handshake is not None and await self._welcome.answer(stream, handshake, spawn):
                return b""
        except BadRequestError as bad:
            last_words: bytes | None = bad.answer()
        except GarbledError:
            last_words = b""  # The stream has something of its own to say to that, if anything.
        except SilentPeerError:
            last_words = None
        else:
            return None
        self._recorder.count(trio.current_time(), "malformed")
        return last_words

    async def _show_out(self, stream: Stream, last_words: bytes) -> None:
        """Part with a peer in such a way that it can read our last words."""
        self._presence.leaving[stream] = None
        try:
            with trio.move_on_after(self._config.limits.close_timeout):
                if last_words:
                    await stream.send_all(last_words)
                await stream.linger()
        finally:
            await self._thawed.passed()
            self._presence.leaving.pop(stream, None)

    async def _read_request(self, stream: Stream) -> Handshake | None:
        """What a peer asks for; None if the node went down meanwhile.

        Raises:
            BadRequestError: Nothing that could be granted.
            SilentPeerError: Nothing at all.
            PeerLeftError: The peer has left.
            OSError: Likewise.
        """
        try:
            handshake = await Handshake.read(
                stream,
                patience=self._config.request_timeout,
                max_bytes=self._config.limits.max_request_bytes,
            )
        finally:
            await self._thawed.passed()
            was_reset = stream not in self._presence.unread
            self._presence.unread.pop(stream, None)
            self._clerk.changed(trio.current_time())
        return None if was_reset else handshake
