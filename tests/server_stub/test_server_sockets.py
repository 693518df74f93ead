"""The server over real sockets: what the network in memory cannot show."""

import socket
import struct

import pytest
import trio

from server_stub.config import ServerConfig, ServiceTime
from server_stub.outage import Outage, unfold
from server_stub.recorder import ServerRecorder
from server_stub.server import Server
from server_stub.streams import SocketPort
from server_stub.wire import Identity
from simulator.core.outcomes import NoticedBy
from simulator.engines.live.sockets import dialler
from simulator.transport import WsprotoTransport
from simulator.transport.seam import AttemptFailedError, ConnectionLostError

REQUEST = (
    b"GET /herd?client=1&episode=0&attempt=1 HTTP/1.1\r\nHost: stub\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
FAST = ServiceTime(kind="constant", mean=0.0001)


class Node:
    """A server on a real port, and a transport that dials it."""

    def __init__(self, **config):
        self.config = ServerConfig(service_time=FAST, **config)
        self.port = SocketPort("127.0.0.1", 0, listen_backlog=self.config.listen_backlog)
        self.recorder = ServerRecorder()
        self.server = Server(self.config, port=self.port, seed=1, recorder=self.recorder)
        self.transport = WsprotoTransport(dialler(self.port.address, None), "stub")

    def connect(self, client=0, episode=1):
        """A connection for the length of a context."""
        return self.transport.connect(Identity(client, episode, 1).path)

    def goes_down(self, kind):
        """Now, for a moment; returns when it is over."""
        now = trio.current_time()
        windows = unfold([Outage(kind=kind, starts_at=0.0, down_for=0.05)])
        return self.server.follow(windows, origin=now)


@pytest.fixture
async def node(nursery):
    """It listens."""
    made = Node()
    await nursery.start(made.server.run)
    return made


async def echoes(connection):
    """Does it still say what it is told?"""
    await connection.send("still there?")
    return await connection.receive() == "still there?"


@pytest.mark.parametrize(
    ("kind", "notice"),
    [("graceful", (NoticedBy.CLOSE_FRAME, 1012)), ("crash", (NoticedBy.RESET, 1006))],
)
async def test_the_kernel_delivers_how_a_node_goes_down(node, nursery, kind, notice):
    """A close frame, or a real reset; a moment later everybody can come back."""
    async with node.connect() as connection:
        nursery.start_soon(node.goes_down, kind)
        with pytest.raises(ConnectionLostError) as lost:
            await connection.receive()
    assert (lost.value.noticed_by, lost.value.close_code) == notice
    while True:
        try:
            async with node.connect(episode=2) as connection:
                assert await echoes(connection)
                break
        except AttemptFailedError:
            await trio.sleep(0.01)


async def test_a_frozen_node_keeps_its_sockets(node, nursery):
    """What was said meanwhile is answered after the thaw."""
    async with node.connect() as connection:
        with trio.fail_after(60):
            nursery.start_soon(node.goes_down, "freeze")
            await trio.testing.wait_all_tasks_blocked()
            assert await echoes(connection)
            assert len(node.recorder.losses.columns()["client"]) == 1


@pytest.mark.parametrize("kind", ["graceful", "crash", "freeze"])
async def test_a_storm_around_an_outage_leaves_a_whole_server(node, nursery, kind):
    """Arrivals, handshakes and losses in every stage at once."""

    async def storm(client):
        for episode in range(1, 6):
            try:
                async with node.connect(client, episode) as connection:
                    await connection.send("ping")
                    with trio.move_on_after(0.02):
                        await connection.receive()
                        await connection.receive()
            except (AttemptFailedError, ConnectionLostError):
                await trio.sleep(0.005)

    async with trio.open_nursery() as storming:
        for client in range(30):
            storming.start_soon(storm, client)
        await trio.sleep(0.01)
        for _ in range(3):
            await node.goes_down(kind)
    async with node.connect() as connection:
        assert await echoes(connection)
        assert node.server.n_connected == 1
    starts = node.recorder.outages.columns()["starts_at"]
    assert len(starts) == 3


def raw_dial(address):
    """A plain blocking socket; on loopback it never has to wait here."""
    return socket.create_connection(address)


@pytest.mark.parametrize(
    "said", [b"", REQUEST[:30], REQUEST, b"garbage\r\n\r\n", REQUEST + b"\xff"]
)
@pytest.mark.parametrize("ending", ["close", "reset", "half-close"])
async def test_however_a_peer_ends_others_are_not_disturbed(node, said, ending):
    """At any stage of its connection."""
    async with node.connect() as other:
        with raw_dial(node.port.address) as peer:
            peer.sendall(said)
            await trio.testing.wait_all_tasks_blocked(0.002)
            if ending == "half-close":
                peer.shutdown(socket.SHUT_WR)
                await trio.to_thread.run_sync(drain, peer)
            elif ending == "reset":
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert await echoes(other)
    async with node.connect() as later:
        assert await echoes(later)


def drain(peer):
    """Read to the end: the server closes its side, too."""
    try:
        while peer.recv(1024):
            pass
    except ConnectionResetError:
        pass


async def test_a_server_that_ends_gives_its_port_back():
    """Whoever is connected."""
    node = Node()
    async with trio.open_nursery() as living:
        await living.start(node.server.run)
        async with node.connect() as connection:
            assert await echoes(connection)
            living.cancel_scope.cancel()
    SocketPort(*node.port.address, listen_backlog=1).close()
