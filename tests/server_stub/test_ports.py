"""Ports and their queues: the kernel's and those in memory do the same."""

import errno
import socket

import pytest
import trio

from server_stub.streams import SocketPort


async def test_a_port_refuses_until_it_listens(network):
    """It is reserved, no more."""
    with pytest.raises(ConnectionRefusedError):
        await network.dial()


async def test_a_dial_succeeds_though_nobody_accepts(network):
    """A TCP connect is no sign of service (RULES 8)."""
    network.port.listen()
    stream = await network.dial()
    await stream.send_all(b"hello?")
    accepted = await network.port.accept()
    assert await accepted.receive_some() == b"hello?"
    stream.close()
    accepted.close()


async def test_peers_are_accepted_in_the_order_of_their_dials(network):
    """The kernel's queue is first in, first out."""
    network.port.listen()
    streams = [await network.dial() for _ in range(5)]
    for number, stream in enumerate(streams):
        await stream.send_all(bytes([number]))
    accepted = [await network.port.accept() for _ in streams]
    assert [await stream.receive_some() for stream in accepted] == [bytes([n]) for n in range(5)]
    for stream in streams + accepted:
        stream.close()


async def test_who_left_the_queue_is_accepted_all_the_same(network):
    """And is seen to have left only then."""
    network.port.listen()
    (await network.dial()).close()
    accepted = await network.port.accept()
    assert await accepted.receive_some() == b""
    accepted.close()


async def test_accept_waits_for_a_dial(network):
    """However long."""
    network.port.listen()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(dial_when_idle, network)
        (await network.port.accept()).close()


async def dial_when_idle(network):
    """Dial once everybody waits."""
    await trio.testing.wait_all_tasks_blocked()
    (await network.dial()).close()


async def test_a_cancelled_accept_loses_nobody(network):
    """Who has dialled meanwhile is still in the queue."""
    network.port.listen()
    with trio.move_on_after(0) as scope:
        await network.port.accept()
    assert scope.cancelled_caught
    stream = await network.dial()
    with trio.move_on_after(0):
        await network.port.accept()
    await stream.send_all(b"still here")
    accepted = await network.port.accept()
    assert await accepted.receive_some() == b"still here"
    stream.close()
    accepted.close()


async def test_refusing_resets_the_queue_and_refuses_new_dials(network):
    """But leaves alone who was accepted."""
    network.port.listen()
    served = await network.dial()
    accepted = await network.port.accept()
    queued = [await network.dial() for _ in range(3)]
    network.port.refuse()
    for stream in queued:
        with pytest.raises(ConnectionResetError):
            await stream.receive_some()
        stream.close()
    with pytest.raises(ConnectionRefusedError):
        await network.dial()
    await accepted.send_all(b"lucky")
    assert await served.receive_some() == b"lucky"
    served.close()
    accepted.close()


async def test_holding_resets_the_queue_and_lets_new_dials_wait(network):
    """Until somebody accepts."""
    network.port.listen()
    before = await network.dial()
    network.port.hold()
    with pytest.raises(ConnectionResetError):
        await before.receive_some()
    after = await network.dial()
    await after.send_all(b"me")
    accepted = await network.port.accept()
    assert await accepted.receive_some() == b"me"
    for stream in (before, after, accepted):
        stream.close()


async def test_a_port_survives_restarts(network):
    """As many as there are, with connections of every age around."""
    streams = []
    for _ in range(4):
        network.port.listen()
        streams += [await network.dial(), await network.port.accept(), await network.dial()]
        streams[0].close()
        streams[1].close()
        network.port.refuse()
        with pytest.raises(ConnectionRefusedError):
            await network.dial()
    network.port.listen()
    (await network.dial()).close()
    for stream in streams:
        stream.close()


async def test_refusing_twice_is_refusing(network):
    """As when one outage follows another."""
    network.port.refuse()
    network.port.refuse()
    with pytest.raises(ConnectionRefusedError):
        await network.dial()
    network.port.hold()
    (await network.dial()).close()


async def test_accept_outlasts_a_restart(network):
    """It goes on waiting while the port refuses, and takes the first who dials afterwards."""
    network.port.listen()
    accepted = []

    async def accept():
        accepted.append(await network.port.accept())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(accept)
        await trio.testing.wait_all_tasks_blocked()
        network.port.refuse()
        with pytest.raises(ConnectionRefusedError):
            await network.dial()
        await trio.testing.wait_all_tasks_blocked()
        assert accepted == []
        network.port.listen()
        stream = await network.dial()
    stream.close()
    accepted[0].close()


async def test_a_dial_just_before_an_outage_does_not_break_accept(network):
    """It was woken, and finds that the port refuses by now."""
    network.port.listen()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(network.port.accept)
        await trio.testing.wait_all_tasks_blocked()
        stream = await network.dial()
        network.port.refuse()
        with pytest.raises(ConnectionResetError):
            await stream.receive_some()
        nursery.cancel_scope.cancel()
    stream.close()


async def test_a_port_given_up_is_of_no_use(network):
    """Neither to who dials nor to who accepts, not even to who does already."""
    network.port.listen()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(close_when_idle, network.port)
        with pytest.raises(trio.ClosedResourceError):
            await network.port.accept()
    with pytest.raises(ConnectionRefusedError):
        await network.dial()
    with pytest.raises(trio.ClosedResourceError):
        await network.port.accept()


async def close_when_idle(port):
    """Give it up once everybody waits."""
    await trio.testing.wait_all_tasks_blocked()
    port.close()
    port.close()


@pytest.mark.parametrize("state", ["reserved", "listening", "down", "down with connections"])
async def test_a_port_belongs_to_one(kernel, state):
    """Listening or not, no other server can take it: not this one, and not one that tries hard."""
    streams = []
    if state != "reserved":
        kernel.port.listen()
    if state == "down with connections":
        streams = [await kernel.dial(), await kernel.port.accept()]
    if state.startswith("down"):
        kernel.port.refuse()
    with pytest.raises(OSError, match="in use") as caught:
        SocketPort(*kernel.port.address, listen_backlog=5)
    assert caught.value.errno == errno.EADDRINUSE
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError, match="in use"):
            other.bind(kernel.port.address)
    kernel.port.listen()
    (await kernel.dial()).close()
    for stream in streams:
        stream.close()


async def test_a_port_can_be_taken_again_at_once(kernel):
    """Though connections of its last life linger in TIME_WAIT."""
    kernel.port.listen()
    ours = await kernel.dial()
    theirs = await kernel.port.accept()
    theirs.close()
    assert await ours.receive_some() == b""
    ours.close()
    kernel.port.close()
    again = SocketPort(*kernel.port.address, listen_backlog=5)
    again.listen()
    (await kernel.dial()).close()
    again.close()


async def test_a_reserved_port_is_not_dialled_by_itself(kernel):
    """The kernel does not lend it to a client, which would then meet itself."""
    for _ in range(3000):
        with pytest.raises(ConnectionRefusedError):
            await kernel.dial()
