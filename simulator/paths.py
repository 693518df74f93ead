"""The network between a cohort and the server, which an outage can cut without a sign.

A cut loses packets, not connections: TCP sends again until it gets through, so what was sent
meanwhile arrives once the path heals, and a side that closed meanwhile has closed by then. Only
silence tells: no answer, no refusal, no reset. It works alike over kernel sockets and over the
network in memory, since it wraps the client's end of every stream.
"""

import errno
import os
from collections.abc import Callable, Sequence
from contextlib import suppress

import trio

from server_stub.outage import Direction
from server_stub.streams import Stream
from simulator.network import SYN_RETRY_AT
from simulator.transport.seam import Dial

_PIECE = 16_384
"""Bytes that are sent at a time, so that a cut stops a long message in the middle."""


class _Way:
    """One direction of a path."""

    __slots__ = ("_healed", "_postponed", "is_cut")

    def __init__(self) -> None:
        self.is_cut = False
        self._healed = trio.Event()
        self._postponed: list[Callable[[], None]] = []

    def cut(self) -> None:
        if not self.is_cut:
            self.is_cut = True
            self._healed = trio.Event()

    def heal(self) -> None:
        """Let everything through; first what was postponed, in order."""
        self.is_cut = False
        self._healed.set()
        postponed, self._postponed = self._postponed, []
        for action in postponed:
            action()

    async def healed(self) -> None:
        """Wait until it works; one that is cut again at once keeps its packets waiting."""
        while self.is_cut:
            await self._healed.wait()

    def postpone(self, action: Callable[[], None]) -> None:
        """Do something once it has healed."""
        self._postponed.append(action)


class Path:
    """One cohort's way to the server."""

    def __init__(self, syn_retry_at: Sequence[float] = SYN_RETRY_AT) -> None:
        """A path that works.

        Args:
            syn_retry_at: Seconds after the first SYN at which a lost one is sent again.
        """
        self._syn_retry_at = syn_retry_at
        self.up = _Way()
        self.down = _Way()

    @property
    def is_cut(self) -> bool:
        """Does nothing get through, one way at least?"""
        return self.up.is_cut or self.down.is_cut

    def cut(self, direction: Direction = "both") -> None:
        """From now on nothing gets through, in this direction or in both."""
        if direction != "down":
            self.up.cut()
        if direction != "up":
            self.down.cut()

    def heal(self) -> None:
        """From now on everything gets through; first what was sent meanwhile, in order."""
        self.up.heal()
        self.down.heal()

    def over(self, dial: Dial) -> Dial:
        """The same dial function, along this path."""

        async def dial_along() -> Stream:
            first_syn_at = trio.current_time()
            for wait in (0.0, *self._syn_retry_at):
                if wait:
                    await trio.sleep_until(first_syn_at + wait)
                if not self.is_cut:
                    return await self._hear_of(dial)
            raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))

        return dial_along

    async def _hear_of(self, dial: Dial) -> Stream:
        """Dial; if the path is cut before the answer has come, it comes when that has healed."""
        try:
            stream = _PathStream(await dial(), self)
        except OSError:
            await self.down.healed()
            raise
        try:
            await self.down.healed()
        except trio.Cancelled:
            stream.close()
            raise
        return stream


class _PathStream:
    """The client's end of a stream along a path."""

    __slots__ = ("_arrived", "_end", "_is_closed", "_path", "_stream", "_unsent")

    def __init__(self, stream: Stream, path: Path) -> None:
        self._stream = stream
        self._path = path
        self._arrived: bytes | OSError | None = None
        """What a reader has not been given yet, because the path was cut or the reader gone."""
        self._unsent = bytearray()
        """What waits on this side, as in the kernel's buffer."""
        self._is_closed = False
        self._end: Callable[[], None] | None = None
        """How to end the stream once everything is sent."""

    @property
    def peer_address(self) -> str:
        """Where the server is."""
        return self._stream.peer_address

    # Up

    async def send_all(self, data: bytes) -> None:
        """Send everything; along a cut path it goes no further than this side's buffer."""
        for start in range(0, max(len(data), 1), _PIECE):
            piece = data[start : start + _PIECE]
            if self._is_held_up:
                await trio.lowlevel.checkpoint_if_cancelled()
                self._keep(piece)
                await trio.lowlevel.cancel_shielded_checkpoint()
            else:
                try:
                    await self._stream.send_all(piece)
                except OSError as error:
                    self._told_of(error)

    def send_nowait(self, data: bytes) -> int:
        """Send what can be sent without waiting; how many bytes that was."""
        if self._is_held_up:
            self._keep(data)
            return len(data)
        try:
            return self._stream.send_nowait(data)
        except OSError as error:
            self._told_of(error)
            return len(data)

    def _told_of(self, error: OSError) -> None:
        """The peer is gone, as its answer says: which a way down that is cut holds up as well."""
        if not self._path.down.is_cut:
            raise error
        if self._arrived is None:
            self._arrived = error

    @property
    def _is_held_up(self) -> bool:
        return self._path.up.is_cut or bool(self._unsent)

    def _keep(self, data: bytes) -> None:
        self._check_open()
        if not self._unsent:
            self._path.up.postpone(self._catch_up)
        self._unsent += data

    def _catch_up(self) -> None:
        """Send what has waited for the path to heal, or as much as the peer has room for."""
        try:
            while self._unsent:
                n_sent = self._stream.send_nowait(bytes(self._unsent[:_PIECE]))
                if not n_sent:
                    break
                del self._unsent[:n_sent]
        except OSError as error:
            self._unsent.clear()
            if self._arrived is None:
                self._arrived = error  # A kernel would not tell it a second time.
        if self._unsent:
            trio.lowlevel.spawn_system_task(self._send_rest)
        elif self._end is not None:
            self._end()

    async def _send_rest(self) -> None:
        """Go on as the peer makes room; a peer that has left misses it."""
        with suppress(OSError, trio.ClosedResourceError):
            while self._unsent:
                await self._path.up.healed()
                piece = bytes(self._unsent[:_PIECE])
                await self._stream.send_all(piece)
                del self._unsent[: len(piece)]
        self._unsent.clear()
        if self._end is not None:
            self._end()

    async def linger(self) -> None:
        """Send nothing more, and wait for the peer to end; what it still sends is dropped."""
        await self._path.up.healed()
        await self._stream.linger()

    def close(self) -> None:
        """End it; the peer learns so once it has everything that was sent before."""
        if not self._is_closed:
            self._is_closed = True
            self._end_with(self._stream.close)

    def reset(self) -> None:
        """Drop it; the peer learns so when the path has healed."""
        if not self._is_closed:
            self._is_closed = True
            self._unsent.clear()
            self._end_with(self._stream.reset)

    def _end_with(self, end: Callable[[], None]) -> None:
        if self._unsent:
            self._end = end
        elif self._path.up.is_cut:
            self._path.up.postpone(end)
        else:
            end()

    # Down

    async def receive_some(self) -> bytes:
        """Whatever has arrived; what arrives along a cut path arrives when it has healed."""
        self._check_open()
        if self._arrived is None:
            try:
                self._arrived = await self._stream.receive_some()
            except OSError as error:
                self._arrived = error
        await self._path.down.healed()
        self._check_open()
        arrived, self._arrived = self._arrived, None
        if isinstance(arrived, OSError):
            raise arrived
        return arrived

    def _check_open(self) -> None:
        if self._is_closed:
            raise trio.ClosedResourceError("this stream was closed on this side")
