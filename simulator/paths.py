"""The network between a cohort and the server, which an outage can cut without a sign.

A cut loses packets, not connections: TCP sends again until it gets through, so what was sent
meanwhile arrives once the path heals, and a side that closed meanwhile has closed by then. Only
silence tells: no answer, no refusal, no reset. It works alike over kernel sockets and over the
network in memory, since it wraps the client's end of every stream.
"""

import errno
import os
from collections.abc import Callable, Sequence

import trio

from server_stub.streams import Stream
from simulator.network import SYN_RETRY_AT
from simulator.transport.seam import Dial


class Path:
    """One cohort's way to the server."""

    def __init__(self, syn_retry_at: Sequence[float] = SYN_RETRY_AT) -> None:
        """A path that works.

        Args:
            syn_retry_at: Seconds after the first SYN at which a lost one is sent again.
        """
        self._syn_retry_at = syn_retry_at
        self._healed = trio.Event()
        self._healed.set()
        self._postponed: list[Callable[[], None]] = []

    @property
    def is_cut(self) -> bool:
        """Does nothing get through?"""
        return not self._healed.is_set()

    def cut(self) -> None:
        """From now on nothing gets through."""
        if not self.is_cut:
            self._healed = trio.Event()

    def heal(self) -> None:
        """From now on everything gets through; first what was sent meanwhile, in order."""
        self._healed.set()
        postponed, self._postponed = self._postponed, []
        for action in postponed:
            action()

    async def healed(self) -> None:
        """Wait until it works; a path that is cut again at once keeps its packets waiting."""
        while self.is_cut:
            await self._healed.wait()

    def postpone(self, action: Callable[[], None]) -> None:
        """Do something once the path has healed."""
        self._postponed.append(action)

    def over(self, dial: Dial) -> Dial:
        """The same dial function, along this path."""

        async def dial_along() -> Stream:
            first_syn_at = trio.current_time()
            for wait in (0.0, *self._syn_retry_at):
                if wait:
                    await trio.sleep_until(first_syn_at + wait)
                if not self.is_cut:
                    return _PathStream(await dial(), self)
            raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))

        return dial_along


class _PathStream:
    """The client's end of a stream along a path."""

    __slots__ = ("_arrived", "_is_closed", "_path", "_stream")

    def __init__(self, stream: Stream, path: Path) -> None:
        self._stream = stream
        self._path = path
        self._arrived: bytes | None = None
        self._is_closed = False

    async def send_all(self, data: bytes) -> None:
        """Send everything; along a cut path it goes no further than this side's kernel."""
        if not self._path.is_cut:
            await self._stream.send_all(data)
            return
        await trio.lowlevel.checkpoint()
        self.send_nowait(data)

    def send_nowait(self, data: bytes) -> int:
        """Send what can be sent without waiting; how many bytes that was."""
        if not self._path.is_cut:
            return self._stream.send_nowait(data)
        if self._is_closed:
            raise trio.ClosedResourceError("this stream was closed on this side")
        self._path.postpone(lambda: self._deliver(data))
        return len(data)

    def _deliver(self, data: bytes) -> None:
        """Send what waited for the path to heal; a peer that has left meanwhile misses it."""
        try:
            self._stream.send_nowait(data)
        except (OSError, trio.ClosedResourceError):
            return

    async def receive_some(self) -> bytes:
        """Whatever has arrived; what arrives along a cut path arrives when it has healed."""
        if self._arrived is None:
            try:
                self._arrived = await self._stream.receive_some()
            finally:
                await self._path.healed()
        await self._path.healed()
        arrived, self._arrived = self._arrived, None
        return arrived

    def close(self) -> None:
        """End it; the peer learns so when the path has healed."""
        self._end(self._stream.close)

    def reset(self) -> None:
        """Drop it; the peer learns so when the path has healed."""
        self._end(self._stream.reset)

    def _end(self, end: Callable[[], None]) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        if self._path.is_cut:
            self._path.postpone(end)
        else:
            end()
