"""A middlebox on the way: it forgets connections on which nothing is said, and tells neither end.

A NAT, a firewall or a proxy keeps an entry for each connection, and drops it after so many seconds
without traffic. From then on what either side sends is lost, and so is its farewell: a client finds
out by its heartbeat, a server that does not look never does, and keeps the connection for good.
Heartbeats that come more often keep the entry. It works alike over kernel sockets and over the
network in memory, since it wraps the client's end of every stream.

Nobody watches the clock for this: whether a connection has been forgotten is asked when something
is next said on it.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import trio

from server_stub.outage import OutageWindow
from server_stub.streams import Stream
from simulator.transport.seam import Dial


class Forgotten(NamedTuple):
    """That a connection was forgotten."""

    outage: int
    """Index of the outage in the schedule."""
    at: float


Told = Callable[[Forgotten], None]


class Middlebox:
    """What stands between one cohort and the server, while the schedule says so."""

    def __init__(self, windows: Sequence[OutageWindow]) -> None:
        """A middlebox that has not been switched on.

        Args:
            windows: When it forgets, by start.
        """
        self._windows = windows
        self._origin = math.inf
        self._farewells: list[Callable[[], None]] = []

    def begin(self, origin: float) -> None:
        """The schedule's t = 0 is at this reading of Trio's clock."""
        self._origin = origin

    def forgotten(self, said_at: float, now: float) -> Forgotten | None:
        """Whether a connection on which something was last said then has been forgotten since.

        At the very instant at which its time is up, it is (RULES 3).
        """
        for window in self._windows:
            at = max(self._origin + window.starts_at, said_at + window.idle_for)
            if at <= now and at < self._origin + window.ends_at:
                return Forgotten(window.index, at)
        return None

    def over(self, dial: Dial, told: Told) -> Dial:
        """The same dial function, through this middlebox.

        Args:
            dial: How to reach the server.
            told: Of every connection that was forgotten, once that has shown.
        """

        async def dial_through() -> Stream:
            return _ForgettableStream(await dial(), self, told)

        return dial_through

    def postpone(self, farewell: Callable[[], None]) -> None:
        """An end goes away that the other one will not hear of."""
        self._farewells.append(farewell)

    def release(self) -> None:
        """The run is over: really end the connections that were forgotten."""
        while self._farewells:
            self._farewells.pop()()


class _ForgettableStream:
    """The client's end of a stream through a middlebox."""

    __slots__ = ("_box", "_closed", "_is_forgotten", "_said_at", "_stream", "_told")

    def __init__(self, stream: Stream, box: Middlebox, told: Told) -> None:
        self._stream = stream
        self._box = box
        self._told = told
        self._said_at = trio.current_time()
        self._is_forgotten = False
        self._closed: trio.Event | None = None
        """Set once a forgotten stream is closed on this side; made when it is needed."""

    @property
    def peer_address(self) -> str:
        """Where it comes from, without the port."""
        return self._stream.peer_address

    def _passes(self) -> bool:
        """Something is said, by whichever side: does it get through?"""
        now = trio.current_time()
        if not self._is_forgotten:
            forgotten = self._box.forgotten(self._said_at, now)
            self._said_at = now
            if forgotten is not None:
                self._is_forgotten = True
                self._closed = trio.Event()
                self._told(forgotten)
        return not self._is_forgotten

    def _check_open(self) -> None:
        if self._closed is not None and self._closed.is_set():
            raise trio.ClosedResourceError("this stream was closed on this side")

    async def send_all(self, data: bytes) -> None:
        """Send everything; into the void, once it is forgotten."""
        self._check_open()
        if self._passes():
            await self._stream.send_all(data)
        else:
            await trio.lowlevel.checkpoint()

    def send_nowait(self, data: bytes) -> int:
        """Send what can be sent without waiting; how many bytes that was."""
        self._check_open()
        return self._stream.send_nowait(data) if self._passes() else len(data)

    async def receive_some(self) -> bytes:
        """Whatever has arrived; nothing ever does, once it is forgotten."""
        self._check_open()
        failure: OSError | None = None
        data = b""
        try:
            data = await self._stream.receive_some()
        except OSError as error:
            failure = error
        if not self._passes():
            await self._hear_nothing()
        if failure is not None:
            raise failure
        return data

    async def linger(self) -> None:
        """Send nothing more, and wait for the peer to end; what it still sends is dropped."""
        self._check_open()
        if self._passes():
            await self._stream.linger()
        else:
            await self._hear_nothing()

    async def _hear_nothing(self) -> None:
        """Wait for what will not come, until this side is closed."""
        if self._closed is not None:
            await self._closed.wait()
        self._check_open()

    def close(self) -> None:
        """End it; the peer sees the end of the stream, unless it is forgotten."""
        self._end(self._stream.close)

    def reset(self) -> None:
        """Drop it; the peer sees a reset, unless it is forgotten."""
        self._end(self._stream.reset)

    def _end(self, end: Callable[[], None]) -> None:
        if self._passes():
            end()
        elif self._closed is not None and not self._closed.is_set():
            self._closed.set()
            self._box.postpone(end)
