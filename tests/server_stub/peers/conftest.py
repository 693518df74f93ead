"""A peer that sends what a test tells it, byte by byte, and keeps what it hears."""

import struct

import pytest
import trio

from .frames import CLOSE, read_frames, request


class RawPeer:
    """One connection, over a stream in memory."""

    def __init__(self, stream):
        self.stream = stream
        self.received = bytearray()
        self.end = None
        """How the stream ended and when: ("eof", 1.0), ("reset", 1.0)."""

    async def listen(self):
        """Keep what the server says, to the end."""
        try:
            while data := await self.stream.receive_some():
                self.received += data
            self.end = ("eof", round(trio.current_time(), 9))
        except OSError:
            self.end = ("reset", round(trio.current_time(), 9))
        except trio.ClosedResourceError:
            pass  # It has left by itself.

    async def says(self, *pieces):
        """Send bytes, each piece for itself, as far as anybody takes them."""
        try:
            for piece in pieces:
                await self.stream.send_all(piece)
                await trio.testing.wait_all_tasks_blocked()
        except OSError:
            pass

    @property
    def head(self):
        """The head of the server's answer, and the rest."""
        head, _, rest = bytes(self.received).partition(b"\r\n\r\n")
        return head, rest

    @property
    def status(self):
        """Of the server's answer; None without one."""
        return int(self.head[0].split()[1]) if self.received else None

    @property
    def headers(self):
        """Of the server's answer, by name in lower case."""
        lines = self.head[0].decode("ascii").split("\r\n")[1:]
        return {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}

    @property
    def frames(self):
        """What the server said on the open connection, as (opcode, payload)."""
        return read_frames(self.head[1])

    @property
    def close_code(self):
        """Of the server's last frame; None if it is no close frame, "none" if it has no code."""
        frames = self.frames
        if not frames or frames[-1][0] != CLOSE:
            return None
        payload = frames[-1][1]
        return struct.unpack("!H", payload[:2])[0] if payload else "none"


@pytest.fixture
def raw(nursery):
    """A call that connects a raw peer to a node, and lets it say something."""

    async def connect(node, *pieces, listens=True):
        peer = RawPeer(await node.port.dial())
        if listens:
            nursery.start_soon(peer.listen)
        await trio.testing.wait_all_tasks_blocked()
        await peer.says(*pieces)
        return peer

    return connect


@pytest.fixture
def opened(raw):
    """A call that connects a raw peer to a node as part of the ramp: it is let in at once."""

    async def connect(node, client=0, **options):
        target = f"/herd?client={client}&episode=0&attempt=1"
        peer = await raw(node, request(target), **options)
        assert not options.get("listens", True) or peer.status == 101
        return peer

    return connect
