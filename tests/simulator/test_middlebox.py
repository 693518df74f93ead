"""A middlebox forgets connections on which nothing is said, and tells neither end."""

import pytest
import trio
import trio.testing

from server_stub.outage import Outage, unfold
from server_stub.streams import SocketPort
from simulator.engines.live.sockets import dialler
from simulator.middlebox import Forgotten, Middlebox
from simulator.network import MemoryPort

IDLE_FOR = 30.0
OUTAGE = {"kind": "idle_timeout", "starts_at": 10.0, "down_for": 100.0, "idle_for": IDLE_FOR}


def box(*outages):
    """One that has been switched on at 0 s."""
    made = Middlebox(unfold(Outage(**outage) for outage in outages))
    made.begin(0.0)
    return made


# When


@pytest.mark.parametrize(
    ("said_at", "now", "forgotten_at"),
    [
        (20.0, 49.0, None),
        (20.0, 50.0, 50.0),
        (20.0, 500.0, 50.0),
        (0.0, 30.5, 30.0),
        (-40.0, 9.0, None),
        (-40.0, 11.0, 10.0),
        (79.0, 500.0, 109.0),
        (80.0, 500.0, None),
    ],
)
def test_a_connection_is_forgotten_when_nothing_was_said_for_so_long(said_at, now, forgotten_at):
    """At that very instant, too; but only from the outage's start up to its end.

    Who has been silent for longer when it begins is forgotten at its start.
    """
    found = box(OUTAGE).forgotten(said_at, now)
    assert found == (None if forgotten_at is None else Forgotten(0, forgotten_at))


def test_the_first_outage_that_forgets_it_counts():
    """Of those that come one after the other."""
    again = {**OUTAGE, "starts_at": 200.0}
    assert box(OUTAGE, again).forgotten(90.0, 500.0) == Forgotten(1, 200.0)
    assert box(OUTAGE, again).forgotten(20.0, 500.0) == Forgotten(0, 50.0)


def test_nothing_is_forgotten_before_the_run_begins():
    """The schedule counts from t = 0, which is not known yet."""
    assert Middlebox(unfold([Outage(**OUTAGE)])).forgotten(-1e9, 1e9) is None


# What becomes of the streams, on the virtual clock


class Net:
    """A connection through a middlebox, both ends of it, and what the middlebox has told."""

    def __init__(self):
        self.box = box(OUTAGE)
        self.told = []
        self.port = MemoryPort(listen_backlog=8)
        self.port.listen()

    async def connect(self):
        """The client's end, and the server's."""
        self.ours = await self.box.over(self.port.dial, self.told.append)()
        self.theirs = await self.port.accept()
        return self


async def heard(stream):
    """What arrives on a stream within a while; None for nothing."""
    with trio.move_on_after(5.0):
        return await stream.receive_some()
    return None


@pytest.fixture
async def net():
    """A connection made at 0 s; needs `autojump_clock`."""
    return await Net().connect()


async def test_what_is_said_in_time_arrives(autojump_clock, net):
    """Either way, and each time the wait begins anew."""
    for at in (25.0, 50.0, 75.0):
        await trio.sleep_until(at)
        await net.ours.send_all(b"up")
        assert await heard(net.theirs) == b"up"
    await trio.sleep_until(100.0)
    await net.theirs.send_all(b"down")
    assert await heard(net.ours) == b"down"
    assert net.told == []


async def test_what_is_said_too_late_is_lost(autojump_clock, net):
    """Up and down; neither end is told anything, then or later."""
    await trio.sleep_until(40.0)
    await net.ours.send_all(b"up")
    assert net.ours.send_nowait(b"more") == 4
    await net.theirs.send_all(b"down")
    assert [await heard(net.theirs), await heard(net.ours)] == [None, None]
    assert net.told == [Forgotten(0, 30.0)]


async def test_the_servers_word_comes_too_late_as_well(autojump_clock, net):
    """A client that only listens never hears of it, though it was listening all the time."""
    async with trio.open_nursery() as nursery:
        words = []

        async def listen():
            words.append(await heard(net.ours))

        await trio.sleep_until(29.0)
        nursery.start_soon(listen)
        await trio.sleep_until(31.0)
        await net.theirs.send_all(b"down")
    assert words == [None]
    assert net.told == [Forgotten(0, 30.0)]


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_a_farewell_is_lost_until_the_run_is_over(autojump_clock, net, how):
    """The server keeps the connection; then it is really ended."""
    await trio.sleep_until(40.0)
    getattr(net.ours, how)()
    assert await heard(net.theirs) is None
    with pytest.raises(trio.ClosedResourceError):
        await net.ours.receive_some()
    with pytest.raises(trio.ClosedResourceError):
        await net.ours.send_all(b"up")
    net.box.release()
    if how == "close":
        assert await heard(net.theirs) == b""
    else:
        with pytest.raises(ConnectionResetError):
            await net.theirs.receive_some()


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_the_servers_farewell_is_lost_too(autojump_clock, net, how):
    """So the client takes itself to be connected."""
    await trio.sleep_until(40.0)
    getattr(net.theirs, how)()
    assert await heard(net.ours) is None


async def test_closing_wakes_who_listens_in_vain(autojump_clock, net):
    """Another task of this side, say, as one of trio-websocket's does."""
    await trio.sleep_until(40.0)
    await net.theirs.send_all(b"down")
    async with trio.open_nursery() as nursery:

        async def listen():
            with pytest.raises(trio.ClosedResourceError):
                await net.ours.receive_some()

        nursery.start_soon(listen)
        await trio.sleep(1.0)
        net.ours.close()


async def test_a_farewell_in_time_arrives(autojump_clock, net):
    """As ever."""
    await trio.sleep_until(20.0)
    net.ours.close()
    assert await heard(net.theirs) == b""
    assert net.told == []


async def test_over_kernel_sockets_it_is_the_same():
    """The box looks at Trio's clock, whichever that is; here idle means 0.1 s."""
    port = SocketPort("127.0.0.1", 0, listen_backlog=8)
    port.listen()
    middlebox = Middlebox(
        unfold([Outage(kind="idle_timeout", starts_at=0.0, down_for=60.0, idle_for=0.1)])
    )
    middlebox.begin(trio.current_time())
    told = []
    ours = await middlebox.over(dialler(port.address, None), told.append)()
    theirs = await port.accept()
    await ours.send_all(b"in time")
    assert await theirs.receive_some() == b"in time"
    await trio.sleep(0.15)
    await ours.send_all(b"too late")
    ours.close()
    with trio.move_on_after(0.1) as waiting:
        await theirs.receive_some()
    assert waiting.cancelled_caught
    assert len(told) == 1
    middlebox.release()
    assert await theirs.receive_some() == b""
    theirs.close()
    port.close()
