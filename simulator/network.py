"""A network in memory, in the shape of the real one: streams, ports, and a kernel's listen queue.

To client and server it looks as kernel sockets do: a dial succeeds once the listen queue has room,
whether or not anybody accepts; a closed port refuses; a reset surfaces as ConnectionResetError, an
end as empty bytes. Bytes arrive in the order in which they were sent, at once: the round trip is
slept by the client before it dials (RULES 4).
"""

import errno
import os
from collections import deque
from collections.abc import Sequence

import trio

SYN_RETRY_AT = (1, 2, 3, 4, 5, 7, 11, 19)
"""Seconds after the first SYN at which Linux from 6.5 on repeats an unanswered one (RULES 8)."""

_CAPACITY = 65_536
"""Bytes that a stream holds before its sender must wait."""


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


class _Pipe:
    """One direction of a connection."""

    __slots__ = ("_data", "_failure", "_is_ended", "_lot")

    def __init__(self) -> None:
        self._data = bytearray()
        self._is_ended = False
        self._failure: int | None = None
        self._lot = trio.lowlevel.ParkingLot()

    @property
    def is_empty(self) -> bool:
        return not self._data

    async def put(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()
        while len(self._data) >= _CAPACITY and self._failure is None and not self._is_ended:
            await self._lot.park()
        self.put_nowait(data)
        await trio.lowlevel.cancel_shielded_checkpoint()

    def put_nowait(self, data: bytes) -> int:
        if self._failure is not None or self._is_ended:
            raise _error(self._failure or errno.EPIPE)
        if len(self._data) >= _CAPACITY:
            return 0
        self._data += data
        self._lot.unpark_all()
        return len(data)

    async def take(self) -> bytes:
        if self._data or self._is_ended or self._failure is not None:
            await trio.lowlevel.checkpoint()
        while not self._data and not self._is_ended and self._failure is None:
            await self._lot.park()
        if not self._data and self._failure is not None:
            raise _error(self._failure)
        data = bytes(self._data)
        self._data.clear()
        self._lot.unpark_all()
        return data

    def end(self) -> None:
        """No more data will come."""
        self._is_ended = True
        self._lot.unpark_all()

    def fail(self, number: int) -> None:
        """Whoever puts or takes gets this error."""
        if self._failure is None:
            self._failure = number
            self._lot.unpark_all()


class MemoryStream:
    """One end of a connection."""

    __slots__ = ("_incoming", "_is_closed", "_outgoing")

    def __init__(self, incoming: _Pipe, outgoing: _Pipe) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._is_closed = False

    @property
    def peer_address(self) -> str:
        """Nobody knows: there are no addresses in memory."""
        return ""

    async def send_all(self, data: bytes) -> None:
        """Send everything, waiting for the peer to make room."""
        self._check_open()
        try:
            await self._outgoing.put(data)
        except OSError:
            self._check_open()
            raise

    def send_nowait(self, data: bytes) -> int:
        """Send what can be sent without waiting; how many bytes that was."""
        self._check_open()
        return self._outgoing.put_nowait(data)

    async def receive_some(self) -> bytes:
        """Whatever has arrived, waiting for at least one byte; empty when the peer has ended."""
        self._check_open()
        try:
            data = await self._incoming.take()
        except OSError:
            self._check_open()
            raise
        self._check_open()
        return data

    async def linger(self) -> None:
        """Send nothing more, and wait for the peer to end; what it still sends is dropped."""
        self._check_open()
        self._outgoing.end()
        while await self.receive_some():
            pass

    def close(self) -> None:
        """End it without waiting; the peer sees the end of the stream."""
        if not self._incoming.is_empty:
            self.reset()  # So does the kernel, to say that not everything was read.
        elif not self._is_closed:
            self._is_closed = True
            self._outgoing.end()
            # What the peer still sends meets a closed socket: it learns so when it tries.
            self._incoming.fail(errno.EPIPE)

    def reset(self) -> None:
        """Drop it without waiting; the peer sees a reset."""
        if not self._is_closed:
            self._is_closed = True
            self._outgoing.fail(errno.ECONNRESET)
            self._incoming.fail(errno.ECONNRESET)

    def _check_open(self) -> None:
        if self._is_closed:
            raise trio.ClosedResourceError("this stream was closed on this side")


def stream_pair() -> tuple[MemoryStream, MemoryStream]:
    """The two ends of a new connection."""
    forth, back = _Pipe(), _Pipe()
    return MemoryStream(back, forth), MemoryStream(forth, back)


class MemoryPort:
    """A port with a kernel's listen queue, which holds one more than `listen_backlog`."""

    def __init__(
        self, *, listen_backlog: int, syn_retry_at: Sequence[float] = SYN_RETRY_AT
    ) -> None:
        """Reserve the port; nobody listens yet.

        Args:
            listen_backlog: As the argument of listen().
            syn_retry_at: Seconds after the first SYN at which an unanswered one is sent again.
        """
        self._places = listen_backlog + 1
        self._syn_retry_at = syn_retry_at
        self._queue: deque[MemoryStream] = deque()
        self._arrived = trio.lowlevel.ParkingLot()
        self._is_listening = False
        self._is_closed = False

    def listen(self) -> None:
        """Let peers connect."""
        self._is_listening = True

    def refuse(self) -> None:
        """Reset the peers that nobody has accepted, and refuse new ones."""
        self._is_listening = False
        while self._queue:
            self._queue.popleft().reset()

    def hold(self) -> None:
        """Reset the peers that nobody has accepted; new ones queue and wait."""
        self.refuse()
        self.listen()

    async def accept(self) -> MemoryStream:
        """The next peer in the queue, waiting for one; also while the port refuses."""
        await trio.lowlevel.checkpoint()
        while not self._queue:
            if self._is_closed:
                raise trio.ClosedResourceError("this port was given up")
            await self._arrived.park()
        return self._queue.popleft()

    def close(self) -> None:
        """Give the port up."""
        self.refuse()
        self._is_closed = True
        self._arrived.unpark_all()

    async def dial(self) -> MemoryStream:
        """Connect to the port.

        Raises:
            OSError: Nobody listens (ECONNREFUSED), or no SYN was ever answered (ETIMEDOUT).
        """
        first_syn_at = trio.current_time()
        for wait in (0.0, *self._syn_retry_at):
            await trio.sleep_until(first_syn_at + wait)
            if not self._is_listening:
                raise _error(errno.ECONNREFUSED)
            if len(self._queue) < self._places:
                ours, theirs = stream_pair()
                self._queue.append(theirs)
                self._arrived.unpark()
                return ours
        raise _error(errno.ETIMEDOUT)
