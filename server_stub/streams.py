"""The seam to the network: byte streams and ports, and their real form over kernel sockets.

Both sides of herd use these, and the in-memory network has the same shape. A stream fails with
the operating system's own errors: ConnectionResetError, BrokenPipeError, ConnectionRefusedError.
"""

import errno
import socket
import struct
from contextlib import closing
from typing import Protocol

import trio

_RECEIVE_SIZE = 16_384
_LINGER_ZERO = struct.pack("ii", 1, 0)
_EXHAUSTED = {errno.EMFILE, errno.ENFILE}
_NOT_NOW = {errno.ENOBUFS, errno.ENOMEM, errno.EINVAL}
"""Why accept() may fail for a while: no memory, or (EINVAL) the socket does not listen."""


class ExhaustedError(Exception):
    """There is no file descriptor left for another peer, which stays in the queue."""


class GarbledError(OSError):
    """What the peer says is not what is spoken on this stream."""


class Stream(Protocol):
    """One TCP connection, or what looks like one."""

    @property
    def peer_address(self) -> str:
        """Where the other side is, without the port; empty if nobody knows."""

    async def send_all(self, data: bytes) -> None:
        """Send everything, waiting for the peer to make room."""

    def send_nowait(self, data: bytes) -> int:
        """Send what can be sent without waiting; how many bytes that was."""

    async def receive_some(self) -> bytes:
        """Whatever has arrived, waiting for at least one byte; empty when the peer has ended."""

    async def linger(self) -> None:
        """Send nothing more, and wait for the peer to end; what it still sends is dropped.

        A kernel resets a stream that is closed with data unread, and a reset may overtake what was
        sent before it. Whoever wants its last words to be read lingers before it closes.
        """

    def close(self) -> None:
        """End it without waiting; the peer sees the end of the stream."""

    def reset(self) -> None:
        """Drop it without waiting; the peer sees a reset."""


class Port(Protocol):
    """Where a node listens; it outlives the node's restarts."""

    def listen(self) -> None:
        """Let peers connect."""

    def refuse(self) -> None:
        """Reset the peers that nobody has accepted, and refuse new ones."""

    def hold(self) -> None:
        """Reset the peers that nobody has accepted; new ones queue and wait."""

    async def accept(self) -> Stream:
        """The next peer in the queue, waiting for one; also while the port refuses.

        Raises:
            ExhaustedError: There is one, but no file descriptor for it.
        """

    def close(self) -> None:
        """Give the port up."""


class SocketStream:
    """A stream over a non-blocking socket, with nothing between it and Trio's event loop."""

    __slots__ = ("_socket",)

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    @property
    def peer_address(self) -> str:
        """Where the other side is, without the port; empty once it has left."""
        try:
            return str(self._socket.getpeername()[0])
        except OSError:
            return ""

    async def send_all(self, data: bytes) -> None:
        """Send everything, waiting for the peer to make room."""
        await trio.lowlevel.checkpoint_if_cancelled()
        n_sent = self.send_nowait(data)
        while n_sent < len(data):
            await trio.lowlevel.wait_writable(self._socket)
            n_sent += self.send_nowait(data[n_sent:])
        await trio.lowlevel.cancel_shielded_checkpoint()

    def send_nowait(self, data: bytes) -> int:
        """Send what can be sent without waiting; how many bytes that was."""
        self._check_open()
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0

    async def receive_some(self) -> bytes:
        """Whatever has arrived, waiting for at least one byte; empty when the peer has ended."""
        self._check_open()
        while True:
            await trio.lowlevel.wait_readable(self._socket)
            self._check_open()
            try:
                return self._socket.recv(_RECEIVE_SIZE)
            except BlockingIOError:
                continue

    async def linger(self) -> None:
        """Send nothing more, and wait for the peer to end; what it still sends is dropped."""
        self._check_open()
        self._socket.shutdown(socket.SHUT_WR)
        while await self.receive_some():
            pass

    def _check_open(self) -> None:
        if self._socket.fileno() < 0:
            raise trio.ClosedResourceError("this stream was closed on this side")

    def close(self) -> None:
        """End it without waiting; the peer sees the end of the stream."""
        if self._socket.fileno() >= 0:
            if trio.lowlevel.in_trio_run():
                trio.lowlevel.notify_closing(self._socket)
            self._socket.close()

    def reset(self) -> None:
        """Drop it without waiting; the peer sees a reset."""
        if self._socket.fileno() >= 0:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
            self.close()


class SocketPort:
    """A TCP port that stays reserved while nobody listens on it.

    A closed port in the kernel's ephemeral range could be handed to one of our own clients, which
    would then connect to itself. So a bound socket takes the place of the listening one.

    On Linux that needs two options. SO_REUSEPORT lets a socket bind beside the listening one; it
    is set once the port is known to be ours alone. SO_REUSEADDR passes over the remains of earlier
    connections (TIME_WAIT); while nobody listens it is off, or another server could take the port.
    """

    def __init__(self, host: str, port: int, *, listen_backlog: int) -> None:
        """Reserve the port.

        Args:
            host: Address to bind to, or a name for one.
            port: 0 for a free one of the kernel's choice.
            listen_backlog: The kernel's queue of connections that nobody has accepted yet.

        Raises:
            OSError: The port is in use, or may not be bound.
        """
        self._listen_backlog = listen_backlog
        with closing(_bind(resolved(host, port))) as first:
            first.listen()  # A mere bind would succeed beside another server's reserved socket.
            first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            self.address: tuple[str, int] = first.getsockname()[:2]
            self._socket = _reserve(self.address)

    def listen(self) -> None:
        """Let peers connect."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.listen(self._listen_backlog)

    def refuse(self) -> None:
        """Reset the peers that nobody has accepted, and refuse new ones."""
        reserved = _reserve(self.address)
        self.close()
        self._socket = reserved

    def hold(self) -> None:
        """Reset the peers that nobody has accepted; new ones queue and wait."""
        self.refuse()
        self.listen()

    async def accept(self) -> SocketStream:
        """The next peer in the queue, waiting for one; also while the port refuses.

        Raises:
            ExhaustedError: There is one, but no file descriptor for it.
        """
        while True:
            if self._socket.fileno() < 0:
                raise trio.ClosedResourceError("this port was given up")
            try:
                await trio.lowlevel.wait_readable(self._socket)
                accepted, _ = self._socket.accept()
            except (BlockingIOError, ConnectionAbortedError, trio.ClosedResourceError):
                continue
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    raise ExhaustedError(error.strerror) from None
                if error.errno not in _NOT_NOW:
                    raise
                await trio.sleep(0.05)
                continue
            accepted.setblocking(False)
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return SocketStream(accepted)

    def close(self) -> None:
        """Give the port up."""
        if self._socket.fileno() >= 0:
            trio.lowlevel.notify_closing(self._socket)
            self._socket.close()


def resolved(host: str, port: int) -> tuple[str, int]:
    """The address that a host stands for; of a name, the first one.

    Raises:
        OSError: None is known.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    address = found[0][-1]
    return str(address[0]), int(address[1])


def open_ports(host: str, first: int, n: int, *, listen_backlog: int) -> list[SocketPort]:
    """Reserve a port for each of n nodes: those from `first` on, or free ones if that is 0.

    Raises:
        OSError: One of them is in use, or may not be bound; none is kept then.
    """
    ports: list[SocketPort] = []
    try:
        for node in range(n):
            port = SocketPort(host, first and first + node, listen_backlog=listen_backlog)
            ports.append(port)
    except OSError:
        for port in ports:
            port.close()
        raise
    return ports


def _reserve(address: tuple[str, int]) -> socket.socket:
    """A socket bound to a port of ours, to keep it while nobody listens."""
    reserved = _bind(address, socket.SO_REUSEPORT)
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    return reserved


def _bind(address: tuple[str, int], *options: int) -> socket.socket:
    """A bound, non-blocking socket."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        for option in (socket.SO_REUSEADDR, *options):
            bound.setsockopt(socket.SOL_SOCKET, option, 1)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound
