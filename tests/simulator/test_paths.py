"""A path that is cut tells nobody; when it heals, everything arrives, in order."""

import errno
import math
from functools import partial

import pytest
import trio
import trio.testing

from server_stub.streams import SocketPort
from simulator.engines.live.sockets import dialler
from simulator.network import MemoryPort
from simulator.paths import Path

SYN_RETRY_AT = (0.1, 0.2, 0.4)
LARGE = bytes(range(256)) * 16_384
"""More than any stream holds."""
A_WHILE = 0.05
"""Seconds of real time in which whatever can arrive does."""


class Net:
    """A port that listens, and a path to it."""

    def __init__(self, port, dial):
        self.port = port
        self.port.listen()
        self.path = Path(SYN_RETRY_AT)
        self.dial = self.path.over(dial)


def memory():
    """The network in memory."""
    port = MemoryPort(listen_backlog=8, syn_retry_at=SYN_RETRY_AT)
    return port, port.dial


def kernel():
    """Sockets on the loopback interface."""
    port = SocketPort("127.0.0.1", 0, listen_backlog=8)
    return port, dialler(port.address, None)


@pytest.fixture(params=[memory, kernel])
async def net(request):
    """Both networks in turn."""
    net = Net(*request.param())
    yield net
    net.path.heal()
    net.port.close()


@pytest.fixture
async def ends(net):
    """The client's end of a connection along the path, and the server's."""
    ours = await net.dial()
    theirs = await net.port.accept()
    yield ours, theirs
    net.path.heal()
    ours.close()
    theirs.close()


async def settle():
    """Let whatever can arrive do so."""
    await trio.testing.wait_all_tasks_blocked(A_WHILE)


async def receive(stream, size):
    """This many bytes, or what there is until the end."""
    data = bytearray()
    while len(data) < size and (piece := await stream.receive_some()):
        data += piece
    return bytes(data)


class Reader:
    """Takes down what arrives at one end, and how it ends."""

    def __init__(self, stream, nursery):
        self.data = b""
        self.end = None
        """ "eof" or "reset"."""
        self._stream = stream
        nursery.start_soon(self._read)

    async def _read(self):
        try:
            while data := await self._stream.receive_some():
                self.data += data
            self.end = "eof"
        except ConnectionResetError:
            self.end = "reset"
        except trio.ClosedResourceError:
            self.end = "closed"


# What is sent


async def test_a_path_that_works_changes_nothing(ends):
    """Bytes arrive both ways, however many."""
    ours, theirs = ends
    for sender, receiver in (ends, ends[::-1]):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sender.send_all, LARGE)
            assert await receive(receiver, len(LARGE)) == LARGE
    ours.close()
    assert await theirs.receive_some() == b""


async def test_nothing_arrives_while_it_is_cut(net, ends, nursery):
    """And everything in order once it has healed, before what is said from then on."""
    ours, theirs = ends
    mine, yours = Reader(ours, nursery), Reader(theirs, nursery)
    await settle()
    net.path.cut()
    for stream in ends:
        await stream.send_all(b"one ")
        assert stream.send_nowait(b"two ") == 4
    await settle()
    assert mine.data == yours.data == b""
    net.path.heal()
    for stream in ends:
        await stream.send_all(b"three")
    await settle()
    assert mine.data == yours.data == b"one two three"


@pytest.mark.parametrize("direction", ["up", "down"])
async def test_a_cut_of_one_direction_leaves_the_other_alone(net, ends, nursery, direction):
    """What goes the other way arrives at once."""
    ours, theirs = ends
    mine, yours = Reader(ours, nursery), Reader(theirs, nursery)
    net.path.cut(direction)
    await ours.send_all(b"up")
    await theirs.send_all(b"down")
    await settle()
    assert (yours.data == b"up") is (direction == "down")
    assert (mine.data == b"down") is (direction == "up")
    net.path.heal()
    await settle()
    assert (yours.data, mine.data) == (b"up", b"down")


@pytest.mark.parametrize("direction", ["up", "down"])
async def test_nobody_connects_along_half_a_path(net, nursery, direction):
    """A handshake needs both directions."""
    net.path.cut(direction)
    with trio.move_on_after(0.25) as waiting:
        await net.dial()
    assert waiting.cancelled_caught


async def test_a_sender_does_not_learn_of_a_reset_while_the_way_down_is_cut(net, ends):
    """The peer's kernel says so, but not to anybody who hears it."""
    ours, theirs = ends
    net.path.cut("down")
    theirs.reset()
    await settle()
    await ours.send_all(b"anyone?")
    assert ours.send_nowait(b"there?") == 6
    with trio.move_on_after(A_WHILE) as waiting:
        await ours.receive_some()
    assert waiting.cancelled_caught
    net.path.heal()
    with pytest.raises(OSError, match=r"reset|[Bb]roken"):
        await ours.receive_some()


async def test_sending_along_a_cut_path_does_not_wait(net, ends):
    """As far as this side knows, the data is on its way."""
    ours, theirs = ends
    net.path.cut()
    with trio.fail_after(1):
        await ours.send_all(LARGE)
    net.path.heal()
    assert await receive(theirs, len(LARGE)) == LARGE


@pytest.mark.parametrize("then", [b"", b"and more"])
async def test_a_peer_without_room_gets_the_rest_later(net, ends, nursery, then):
    """What is more than fits arrives as the peer reads, in one piece with what follows."""
    ours, theirs = ends

    async def go_on():
        await ours.send_all(then)
        ours.close()

    net.path.cut()
    await ours.send_all(LARGE)
    net.path.heal()
    nursery.start_soon(go_on)
    await settle()
    assert await receive(theirs, 2 * len(LARGE)) == LARGE + then


async def test_a_cut_stops_a_message_in_the_middle(net, ends, nursery):
    """What was not sent before it waits, and the message arrives whole."""
    ours, theirs = ends
    nursery.start_soon(ours.send_all, LARGE)
    await settle()
    net.path.cut()
    yours = Reader(theirs, nursery)
    await settle()
    assert 0 < len(yours.data) < len(LARGE)
    assert LARGE.startswith(yours.data)
    net.path.heal()
    await settle()
    assert yours.data == LARGE


async def test_a_path_that_is_cut_again_holds_back_the_rest(net, ends, nursery):
    """Of what had waited for it to heal."""
    ours, theirs = ends
    net.path.cut()
    await ours.send_all(LARGE)
    net.path.heal()
    await settle()
    net.path.cut()
    yours = Reader(theirs, nursery)
    await settle()
    assert 0 < len(yours.data) < len(LARGE)
    net.path.heal()
    await settle()
    assert yours.data == LARGE


async def test_cutting_twice_is_cutting_once(net, ends, nursery):
    """What waits still waits, and arrives once."""
    ours, theirs = ends
    yours = Reader(theirs, nursery)
    net.path.cut()
    await ours.send_all(b"one ")
    net.path.cut()
    await ours.send_all(b"two")
    await settle()
    assert yours.data == b""
    net.path.heal()
    net.path.heal()
    await settle()
    assert yours.data == b"one two"


# What is received


async def test_a_receive_that_is_cancelled_loses_nothing(net, ends):
    """Whether before the data has arrived, or while it waits for the path."""
    ours, theirs = ends
    net.path.cut()
    with trio.move_on_after(A_WHILE):
        await ours.receive_some()
    await theirs.send_all(b"one")
    with trio.move_on_after(A_WHILE):
        await ours.receive_some()
    net.path.heal()
    assert await receive(ours, 3) == b"one"


@pytest.mark.parametrize("n_cancelled", [0, 1, 3])
async def test_a_reset_is_kept_for_its_reader(net, ends, n_cancelled):
    """A kernel tells it once; a heartbeat may cancel the one who hears it."""
    ours, theirs = ends
    net.path.cut()
    theirs.reset()
    for _ in range(n_cancelled):
        with trio.move_on_after(A_WHILE) as patience:
            await ours.receive_some()
        assert patience.cancelled_caught
    net.path.heal()
    with pytest.raises(ConnectionResetError):
        await ours.receive_some()


async def test_a_reset_is_not_lost_on_a_sender(net, ends):
    """What was said along the cut path meets it first; the reader hears of it all the same."""
    ours, theirs = ends
    net.path.cut()
    await ours.send_all(b"anybody there?")
    theirs.reset()
    await settle()
    net.path.heal()
    with pytest.raises(OSError) as caught:  # noqa: PT011 - which of the two is up to the kernel
        await ours.receive_some()
    assert caught.value.errno in (errno.ECONNRESET, errno.EPIPE)


async def test_what_came_before_an_end_is_read_before_it(net, ends):
    """Also along a path that was cut in between."""
    ours, theirs = ends
    net.path.cut()
    await theirs.send_all(b"farewell")
    theirs.close()
    await settle()
    net.path.heal()
    assert await receive(ours, 99) == b"farewell"


# Ends


@pytest.mark.parametrize(("end", "seen"), [("close", "eof"), ("reset", "reset")])
@pytest.mark.parametrize("leaves", ["client", "server"])
async def test_an_end_is_learnt_of_when_the_path_has_healed(net, ends, leaves, end, seen):
    """Neither side hears that the other has left."""
    leaving, staying = ends if leaves == "client" else ends[::-1]
    async with trio.open_nursery() as nursery:
        reader = Reader(staying, nursery)
        await settle()
        net.path.cut()
        getattr(leaving, end)()
        await settle()
        assert reader.end is None
        net.path.heal()
    assert reader.end == seen


async def test_what_is_said_before_a_close_arrives(net, ends, nursery):
    """And a reset forgets it."""
    ours, theirs = ends
    yours = Reader(theirs, nursery)
    net.path.cut()
    await ours.send_all(b"farewell")
    ours.close()
    net.path.heal()
    await settle()
    assert (yours.data, yours.end) == (b"farewell", "eof")


async def test_a_reset_forgets_what_was_said_before_it(net, ends, nursery):
    """As a kernel does with what it has not sent yet."""
    ours, theirs = ends
    yours = Reader(theirs, nursery)
    net.path.cut()
    await ours.send_all(b"farewell")
    ours.reset()
    net.path.heal()
    await settle()
    assert (yours.data, yours.end) == (b"", "reset")


async def test_a_stream_that_was_closed_is_closed_on_this_side_at_once(net, ends):
    """Whatever the peer knows of it."""
    ours, _ = ends
    net.path.cut()
    ours.close()
    ours.close()
    ours.reset()
    for use in (partial(ours.send_all, b"x"), ours.receive_some):
        with pytest.raises(trio.ClosedResourceError):
            await use()
    with pytest.raises(trio.ClosedResourceError):
        ours.send_nowait(b"x")


# Dialling


async def test_a_dial_waits_for_a_syn_that_gets_through(net):
    """The first one after the path has healed, by the schedule of its repetitions."""
    net.path.cut()
    started_at = trio.current_time()

    async def heal():
        await trio.sleep(0.25)
        net.path.heal()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(heal)
        stream = await net.dial()
    assert 0.4 <= trio.current_time() - started_at < 0.6
    stream.close()


async def test_a_dial_along_a_path_that_stays_cut_times_out(net):
    """Once the last SYN has been lost."""
    net.path.cut()
    with pytest.raises(TimeoutError):
        await net.dial()


@pytest.mark.parametrize("direction", ["up", "down"])
async def test_a_dial_needs_both_directions(net, direction):
    """A SYN that nobody hears the answer to is as good as lost."""
    net.path.cut(direction)
    with pytest.raises(TimeoutError):
        await net.dial()


async def test_a_refusal_comes_along_the_path_too(net, nursery):
    """One that is cut says nothing at all."""
    net.port.refuse()
    with pytest.raises(ConnectionRefusedError):
        await net.dial()
    net.path.cut()
    with trio.move_on_after(A_WHILE) as patience:
        await net.dial()
    assert patience.cancelled_caught


class Crowded:
    """A port in memory whose queue is full, so that a dial has to send its SYN again."""

    def __init__(self):
        self.port = MemoryPort(listen_backlog=1, syn_retry_at=SYN_RETRY_AT)
        self.port.listen()
        self.path = Path(SYN_RETRY_AT)
        self.answers = []

    async def crowd(self):
        """Fill the queue."""
        for _ in range(2):
            await self.port.dial()

    async def dial(self, patience=math.inf):
        """Dial along the path, and note what comes of it."""
        with trio.move_on_after(patience):
            try:
                self.answers.append(await self.path.over(self.port.dial)())
            except ConnectionRefusedError:
                self.answers.append("refused")


@pytest.fixture
async def crowded():
    """A queue that is full."""
    crowded = Crowded()
    await crowded.crowd()
    return crowded


async def test_a_path_that_is_cut_during_a_dial_holds_back_the_answer(
    crowded, nursery, autojump_clock
):
    """Whenever it was given."""
    nursery.start_soon(crowded.dial)
    await trio.sleep(0.05)
    crowded.path.cut()
    for _ in range(2):
        await crowded.port.accept()
    await trio.sleep(0.5)
    assert crowded.answers == []
    crowded.path.heal()
    await trio.sleep(0.01)
    (ours,) = crowded.answers
    theirs = await crowded.port.accept()
    await ours.send_all(b"hello")
    assert await theirs.receive_some() == b"hello"


async def test_a_refusal_during_a_cut_is_held_back_too(crowded, nursery, autojump_clock):
    """It is an answer like any other."""
    nursery.start_soon(crowded.dial)
    await trio.sleep(0.05)
    crowded.path.cut()
    crowded.port.refuse()
    await trio.sleep(0.5)
    assert crowded.answers == []
    crowded.path.heal()
    await trio.sleep(0.01)
    assert crowded.answers == ["refused"]


async def test_a_dial_that_is_given_up_leaves_nothing_open(crowded, nursery, autojump_clock):
    """The server, which has heard of it, hears of its end as well."""
    nursery.start_soon(crowded.dial, 0.3)
    await trio.sleep(0.05)
    crowded.path.cut()
    for _ in range(2):
        await crowded.port.accept()
    await trio.sleep(0.5)
    theirs = await crowded.port.accept()
    crowded.path.heal()
    assert await theirs.receive_some() == b""
    assert crowded.answers == []


# One direction


async def test_the_way_up_can_be_cut_alone(net, ends, nursery):
    """The server is heard, the client is not."""
    ours, theirs = ends
    mine, yours = Reader(ours, nursery), Reader(theirs, nursery)
    net.path.cut("up")
    for stream in ends:
        await stream.send_all(b"hello")
    await settle()
    assert (mine.data, yours.data) == (b"hello", b"")
    net.path.heal()
    await settle()
    assert yours.data == b"hello"


async def test_the_way_down_can_be_cut_alone(net, ends, nursery):
    """The client is heard, the server is not."""
    ours, theirs = ends
    mine, yours = Reader(ours, nursery), Reader(theirs, nursery)
    net.path.cut("down")
    for stream in ends:
        await stream.send_all(b"hello")
    await settle()
    assert (mine.data, yours.data) == (b"", b"hello")
    net.path.heal()
    await settle()
    assert mine.data == b"hello"
