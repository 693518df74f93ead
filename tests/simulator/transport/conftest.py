"""A client's transport at one end of the network in memory, a peer played by hand at the other."""

from contextlib import contextmanager

import pytest
import trio

from server_stub.handshake import Handshake
from server_stub.streams import SocketPort
from simulator.engines.live.sockets import dialler
from simulator.network import MemoryPort
from simulator.transport import TRANSPORTS
from simulator.transport.seam import AttemptFailedError


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
            data = await self.stream.receive_some()
            assert data, "the client has left without a word"
            self.protocol.receive_data(data)


class Harness:
    """A port, and a transport that dials it."""

    def __init__(self, transport, port, dial, **request):
        self.port = port
        self.port.listen()
        self.dial = dial
        """How a connection is dialled; a test may put something else in its place."""
        self.transport = TRANSPORTS[transport](self._dial, "herd.test", **request)
        self.peers = []

    async def _dial(self):
        return await self.dial()

    def connect(self, path="/herd"):
        """Connect over the transport."""
        return self.transport.connect(path)

    async def peer(self):
        """The other end of the next connection."""
        self.peers.append(Peer(await self.port.accept()))
        return self.peers[-1]

    async def failure(self, play=None):
        """How an attempt fails, the peer playing its part meanwhile."""
        async with trio.open_nursery() as nursery:
            if play is not None:
                nursery.start_soon(self.play, play)
            with pytest.raises(AttemptFailedError) as caught:
                async with self.connect():
                    pass
        return caught.value

    async def play(self, play):
        """Have the next peer play its part."""
        await play(await self.peer())


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
    """Each transport in turn, over the network in memory."""
    port = MemoryPort(listen_backlog=8)
    return Harness(request.param, port, port.dial)


@pytest.fixture
def harness_over():
    """One over a transport of one's choice, which says more than it must."""

    def make(transport, **request):
        port = MemoryPort(listen_backlog=8)
        return Harness(transport, port, port.dial, **request)

    return make


@pytest.fixture(params=sorted(TRANSPORTS))
async def socket_harness(request):
    """Each transport in turn, over kernel sockets."""
    port = SocketPort("127.0.0.1", 0, listen_backlog=8)
    harness = Harness(request.param, port, dialler(port.address, None))
    yield harness
    for peer in harness.peers:
        peer.stream.close()
    port.close()


@pytest.fixture
async def connected(harness):
    """An open connection and its peer."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(harness.play, Peer.open)
        async with harness.connect() as connection:
            yield connection, harness.peers[0]
