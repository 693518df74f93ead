"""The same over kernel sockets: what the memory network imitates is what the kernel does."""

import socket
from contextlib import suppress

import pytest
import trio
from wsproto.events import CloseConnection, TextMessage

from server_stub.streams import SocketPort
from server_stub.wire import OVERLOADED
from simulator.core.outcomes import NoticedBy, Outcome
from simulator.engines.live.sockets import dialler
from simulator.transport.seam import ConnectionLostError


@pytest.fixture
async def connected(socket_harness):
    """An open connection and its peer."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(socket_harness.play, lambda peer: peer.open())
        async with socket_harness.connect() as connection:
            yield connection, socket_harness.peers[0]


async def test_texts_go_both_ways(connected):
    """The connection works."""
    connection, peer = connected
    await connection.send("question")
    assert await peer.hear() == TextMessage(data="question")
    await peer.send(TextMessage(data="answer"))
    assert await connection.receive() == "answer"


@pytest.mark.parametrize(
    ("leave", "noticed_by"),
    [("close", NoticedBy.EOF), ("reset", NoticedBy.RESET)],
)
async def test_an_end_and_a_reset_are_told_apart(connected, leave, noticed_by):
    """As a server that exits, and one that crashes."""
    connection, peer = connected
    getattr(peer.stream, leave)()
    with pytest.raises(ConnectionLostError) as caught:
        await connection.receive()
    assert caught.value.noticed_by is noticed_by


async def test_a_close_frame_arrives_before_the_end(connected):
    """The peer says 1012 and leaves at once."""
    connection, peer = connected
    await peer.send(CloseConnection(code=1012))
    peer.stream.close()
    with pytest.raises(ConnectionLostError) as caught:
        await connection.receive()
    assert (caught.value.noticed_by, caught.value.close_code) == (NoticedBy.CLOSE_FRAME, 1012)


async def test_pings_into_a_lost_connection_neither_hang_nor_fail_otherwise(connected):
    """The kernel takes the first, and says so at the second."""
    connection, peer = connected
    peer.stream.reset()
    for _ in range(3):
        with suppress(ConnectionLostError):
            connection.ping()
    with pytest.raises(ConnectionLostError):
        await connection.receive()


async def test_a_closed_port_refuses(socket_harness):
    """The port is reserved, but nobody listens."""
    socket_harness.port.refuse()
    assert (await socket_harness.failure()).outcome is Outcome.REFUSED


@pytest.mark.parametrize(
    ("leave", "outcome"),
    [("close", Outcome.EOF), ("reset", Outcome.RESET)],
)
async def test_a_peer_that_leaves_before_its_answer(socket_harness, leave, outcome):
    """The attempt ends with it."""

    async def play(peer):
        getattr((await peer.read_request()).stream, leave)()

    assert (await socket_harness.failure(play)).outcome is outcome


async def test_a_503_is_a_rejection(socket_harness):
    """The answer counts, and what it asks for."""

    async def play(peer):
        await peer.read_request()
        await peer.handshake.reject(OVERLOADED, [(b"Retry-After", b"3")])
        peer.stream.close()

    failure = await socket_harness.failure(play)
    assert (failure.outcome, failure.retry_after) == (Outcome.REJECTED, 3.0)


async def test_an_attempt_that_the_listen_queue_swallowed_can_be_cancelled(socket_harness):
    """Its TCP connect succeeded, but nobody accepts."""
    with trio.move_on_after(0.05) as scope:
        async with socket_harness.connect():
            pytest.fail("nobody answered")
    assert scope.cancelled_caught


async def test_a_peer_in_the_listen_queue_meets_a_reset_when_the_port_closes(socket_harness):
    """Its TCP connect succeeded; the server goes down before it accepts."""
    dial = socket_harness.dial

    async def dial_and_go_down():
        stream = await dial()
        socket_harness.port.refuse()
        return stream

    socket_harness.dial = dial_and_go_down
    assert (await socket_harness.failure()).outcome is Outcome.RESET


async def test_a_client_dials_from_the_address_it_is_given():
    """One source address has no more ports than the kernel hands out."""
    port = SocketPort("127.0.0.1", 0, listen_backlog=8)
    port.listen()
    stream = await dialler(port.address, "127.0.9.9")()
    accepted = await port.accept()
    assert accepted._socket.getpeername()[0] == "127.0.9.9"
    assert stream._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    for end in (stream, accepted, port):
        end.close()
