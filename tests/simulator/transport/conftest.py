"""A client's transport at one end of the network in memory, a peer played by hand at the other."""

from contextlib import contextmanager

import pytest
import trio

from server_stub.handshake import Handshake
from simulator.network import MemoryPort
from simulator.transport import TRANSPORTS
from simulator.transport.seam import AttemptFailedError, ConnectionLostError


class Peer:
    """The server's end of one connection: it does what a test tells it, and nothing else."""

    def __init__(self, stream):
        self.stream = stream
        self.handshake = None
        self.protocol = None
        self.events = None

    async def read_request(self):
        """Wait for the upgrade request."""
        self.handshake = await Handshake.read(self.stream)
        return self

    async def open(self):
        """Answer the upgrade request with 101."""
        await self.read_request()
        self.protocol = await self.handshake.accept()
        self.events = self.protocol.events()
        return self

    async def reply(self, data):
        """Answer the upgrade request with these bytes."""
        await self.read_request()
        await self.stream.send_all(data)
        return self

    async def send(self, *events):
        """Send frames, all in one piece."""
        await self.stream.send_all(b"".join(map(self.protocol.send, events)))

    async def hear(self):
        """The client's next frame."""
        while True:
            for event in self.protocol.events():
                return event
            self.protocol.receive_data(await self.stream.receive_some())


class Harness:
    """A port in memory, and a transport that dials it."""

    def __init__(self, transport):
        self.port = MemoryPort(listen_backlog=8)
        self.port.listen()
        self.transport = TRANSPORTS[transport](self.port.dial, "herd.test")

    def connect(self, path="/herd"):
        """Connect over the transport."""
        return self.transport.connect(path)

    async def peer(self):
        """The other end of the next connection."""
        return Peer(await self.port.accept())

    async def failure(self, play=None):
        """How an attempt fails, the peer playing its part meanwhile."""
        async with trio.open_nursery() as nursery:
            if play is not None:
                nursery.start_soon(self._play, play)
            with pytest.raises(AttemptFailedError) as caught:
                async with self.connect():
                    pass
        return caught.value

    async def _play(self, play):
        await play(await self.peer())

    @contextmanager
    def loss(self):
        """Expect the loss of the connection; it is the first entry of what this gives."""
        found = []
        with pytest.raises(ConnectionLostError) as caught:
            yield found
        found.append(caught.value)


@contextmanager
def _at_once():
    began = trio.current_time()
    with trio.fail_after(1):
        yield
    assert trio.current_time() == began


@pytest.fixture
def at_once():
    """A context that nothing may wait in: virtual time stands still."""
    return _at_once


@pytest.fixture(params=sorted(TRANSPORTS))
def harness(request):
    """The harness of each transport in turn."""
    return Harness(request.param)


@pytest.fixture
async def connected(harness):
    """An open connection and its peer."""
    async with trio.open_nursery() as nursery:
        peers = []

        async def open_peer():
            peers.append(await (await harness.peer()).open())

        nursery.start_soon(open_peer)
        async with harness.connect() as connection:
            yield connection, peers[0]
