"""Streams and ports: the kernel's and those in memory do the same."""

import errno
import socket

import pytest
import trio

from server_stub.streams import SocketPort
from simulator.engines.live.sockets import dialler
from simulator.network import MemoryPort

HOST = "127.0.0.1"
LARGE = bytes(range(256)) * 8192
"""More than any stream holds."""


class Kernel:
    """Real sockets on the loopback interface."""

    def __init__(self, listen_backlog):
        self.port = SocketPort(HOST, 0, listen_backlog=listen_backlog)
        self.dial = dialler(self.port.address, None)


class Memory:
    """The network in memory; it sends a SYN again sooner than a kernel would."""

    def __init__(self, listen_backlog):
        self.port = MemoryPort(listen_backlog=listen_backlog, syn_retry_at=(0.3, 0.6, 0.9))
        self.dial = self.port.dial


@pytest.fixture(params=[Kernel, Memory], ids=["kernel", "memory"])
async def network(request):
    """A port that is reserved, and the way to dial it."""
    made = request.param(listen_backlog=5)
    yield made
    made.port.close()


@pytest.fixture
async def pair(network):
    """The two ends of a connection: the one that dialled and the one that was accepted."""
    network.port.listen()
    ours = await network.dial()
    theirs = await network.port.accept()
    yield ours, theirs
    ours.close()
    theirs.close()


async def receive(stream, size):
    """This many bytes, or what there is until the end."""
    data = bytearray()
    while len(data) < size and (piece := await stream.receive_some()):
        data += piece
    return bytes(data)


async def send_on_and_on(stream, data=LARGE):
    """Until it fails."""
    while True:
        await stream.send_all(data)


# Streams


async def test_bytes_arrive_in_order_both_ways(pair):
    """As many as there are."""
    for sender, receiver in (pair, pair[::-1]):
        await sender.send_all(b"thundering ")
        await sender.send_all(b"herd")
        assert await receive(receiver, 15) == b"thundering herd"


async def test_a_sender_waits_for_its_reader(pair):
    """And nothing is lost while it does."""
    ours, theirs = pair
    sent = False

    async def send():
        nonlocal sent
        for _ in range(8):
            await ours.send_all(LARGE)
        sent = True

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert not sent
        assert await receive(theirs, 8 * len(LARGE)) == 8 * LARGE


async def test_an_end_is_seen_after_the_data(pair):
    """Again and again."""
    ours, theirs = pair
    await ours.send_all(b"farewell")
    ours.close()
    assert await receive(theirs, 99) == b"farewell"
    assert await theirs.receive_some() == b""


async def test_a_reset_is_seen_after_the_data(pair):
    """As an error."""
    ours, theirs = pair
    await ours.send_all(b"farewell")
    ours.reset()
    assert await theirs.receive_some() == b"farewell"
    with pytest.raises(ConnectionResetError):
        await theirs.receive_some()


async def test_a_reset_wakes_who_waits_for_data(pair):
    """At once."""
    ours, theirs = pair
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reset_when_idle, ours)
        with pytest.raises(ConnectionResetError):
            await theirs.receive_some()


async def reset_when_idle(stream):
    """Reset it once everybody waits."""
    await trio.testing.wait_all_tasks_blocked()
    stream.reset()


async def test_a_reset_wakes_who_waits_for_room(pair):
    """At once."""
    ours, theirs = pair
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reset_when_idle, theirs)
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            await send_on_and_on(ours)


async def test_closing_with_unread_data_resets(pair):
    """What was sent and never read is not passed over in silence."""
    ours, theirs = pair
    await ours.send_all(b"did you get this?")
    await theirs.send_all(b"never mind")
    theirs.close()
    assert await ours.receive_some() == b"never mind"
    with pytest.raises(ConnectionResetError):
        await ours.receive_some()


async def test_sending_to_who_has_closed_fails_before_long(pair):
    """The first bytes may go out before the news has come in."""
    ours, theirs = pair
    theirs.close()
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        await send_on_and_on(ours, b"anyone?")


async def test_sending_to_who_has_reset_fails(pair):
    """At once, or after the first bytes."""
    ours, theirs = pair
    theirs.reset()
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        await send_on_and_on(ours, b"anyone?")


@pytest.mark.parametrize("end", ["close", "reset"])
async def test_what_was_closed_on_this_side_cannot_be_used(pair, end):
    """A mistake of the caller, not of the network."""
    ours, _ = pair
    getattr(ours, end)()
    with pytest.raises(trio.ClosedResourceError):
        await ours.send_all(b"x")
    with pytest.raises(trio.ClosedResourceError):
        await ours.receive_some()


@pytest.mark.parametrize("first", ["close", "reset"])
@pytest.mark.parametrize("second", ["close", "reset"])
async def test_an_end_is_final(pair, first, second):
    """Closing again changes nothing for the peer."""
    ours, theirs = pair
    getattr(ours, first)()
    getattr(ours, second)()
    if first == "close":
        assert await theirs.receive_some() == b""
    else:
        with pytest.raises(ConnectionResetError):
            await theirs.receive_some()


@pytest.mark.parametrize("end", ["close", "reset"])
async def test_closing_wakes_the_own_receiver(pair, end):
    """It need not wait for what will never come."""
    ours, _ = pair
    async with trio.open_nursery() as nursery:
        nursery.start_soon(end_when_idle, ours, end)
        with pytest.raises(trio.ClosedResourceError):
            await ours.receive_some()


@pytest.mark.parametrize("end", ["close", "reset"])
async def test_closing_wakes_the_own_sender(pair, end):
    """Room will never come either."""
    ours, _ = pair
    async with trio.open_nursery() as nursery:
        nursery.start_soon(end_when_idle, ours, end)
        with pytest.raises(trio.ClosedResourceError):
            await send_on_and_on(ours)


async def end_when_idle(stream, end):
    """Close or reset it once everybody waits."""
    await trio.testing.wait_all_tasks_blocked()
    getattr(stream, end)()


@pytest.mark.parametrize("end", ["close", "reset"])
async def test_data_and_the_own_end_may_come_at_once(pair, end):
    """Whoever waits for data gets it, or meets the closed stream."""
    ours, theirs = pair
    met = []

    async def wait():
        try:
            met.append(await ours.receive_some())
        except trio.ClosedResourceError:
            met.append("closed")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        await theirs.send_all(b"too late?")
        getattr(ours, end)()
    assert met in (["closed"], [b"too late?"])


async def test_a_cancelled_receive_loses_nothing(pair):
    """However often it is cancelled while bytes come in."""
    ours, theirs = pair
    received = bytearray()

    async def send():
        for number in range(200):
            await ours.send_all(bytes([number]))
            await trio.lowlevel.checkpoint()
        ours.close()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        while True:
            with trio.CancelScope() as scope:
                nursery.start_soon(cancel_soon, scope)
                if not (data := await theirs.receive_some()):
                    break
                received += data
    assert received == bytes(range(200))


async def cancel_soon(scope):
    """Cancel it while others go on."""
    await trio.lowlevel.checkpoint()
    scope.cancel()


async def test_a_cancelled_sender_has_sent_nothing(pair):
    """When it was cancelled before it began."""
    ours, theirs = pair
    with trio.move_on_after(0) as scope:
        await ours.send_all(b"never")
    assert scope.cancelled_caught
    ours.close()
    assert await theirs.receive_some() == b""


# Ports


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


# What only the kernel has


@pytest.mark.parametrize("state", ["reserved", "listening", "down", "down with connections"])
async def test_a_port_belongs_to_one(state):
    """Listening or not, no other server can take it: not this one, and not one that tries hard."""
    network = Kernel(listen_backlog=5)
    streams = []
    if state != "reserved":
        network.port.listen()
    if state == "down with connections":
        streams = [await network.dial(), await network.port.accept()]
    if state.startswith("down"):
        network.port.refuse()
    with pytest.raises(OSError, match="in use") as caught:
        SocketPort(*network.port.address, listen_backlog=5)
    assert caught.value.errno == errno.EADDRINUSE
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError, match="in use"):
            other.bind(network.port.address)
    network.port.listen()
    (await network.dial()).close()
    for stream in streams:
        stream.close()
    network.port.close()


async def test_a_port_can_be_taken_again_at_once():
    """Though connections of its last life linger in TIME_WAIT."""
    network = Kernel(listen_backlog=5)
    network.port.listen()
    ours = await network.dial()
    theirs = await network.port.accept()
    theirs.close()
    assert await ours.receive_some() == b""
    ours.close()
    network.port.close()
    again = SocketPort(*network.port.address, listen_backlog=5)
    again.listen()
    (await network.dial()).close()
    again.close()


async def test_a_reserved_port_is_not_dialled_by_itself():
    """The kernel does not lend it to a client, which would then meet itself."""
    network = Kernel(listen_backlog=5)
    for _ in range(3000):
        with pytest.raises(ConnectionRefusedError):
            await network.dial()
    network.port.close()
