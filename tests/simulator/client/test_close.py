"""A client that is told to close ends quickly, cleanly and once, whatever it was doing."""

import pytest
import trio
import trio.testing

from simulator.core.events import StatusChanged
from simulator.core.lifecycle import AttemptEnded, Disconnected
from simulator.core.outcomes import Outcome
from simulator.network import MemoryStream

RTT = 0.02
HEARTBEAT = {"interval": 1.0, "timeout": 1.0}


@pytest.fixture
def left_behind(monkeypatch):
    """The client's ends of connections that are still open."""
    dialled = []
    begin = MemoryStream.__init__

    def note(self, *arguments):
        begin(self, *arguments)
        dialled.append(self)

    monkeypatch.setattr(MemoryStream, "__init__", note)
    return lambda: [stream for stream in dialled[::2] if not stream._is_closed]


def n_tasks():
    """Tasks that live."""
    return trio.lowlevel.current_statistics().tasks_living


async def nothing(world, life):
    """Nothing happens to it meanwhile."""


async def goes_offline(world, life):
    """Its network goes."""
    await trio.sleep_until(12)
    life.client.signal_network(online=False)


async def loses_its_path(world, life):
    """Its path is cut."""
    await trio.sleep_until(12)
    world.path.cut()


async def speaks(world, life):
    """It is in the middle of a flush that nobody takes."""
    await trio.sleep_until(12)
    for _ in range(3):
        life.client.send("x" * 70_000)


MOMENTS = {
    "before the first attempt": ({}, {"first_due_at": 50.0}, nothing, 20.0),
    "during the first round trip": ({}, {"first_due_at": 19.99}, nothing, 20.0),
    "connected": ({}, {}, nothing, 20.0),
    "connected, a heartbeat under way": ({}, {"heartbeat": HEARTBEAT}, nothing, 20.0),
    "backing off": ({"down_for": 99.0}, {}, nothing, 20.5),
    "in the queue": (
        {"kind": "freeze", "lost_at_thaw": True, "starts_at": 5.0, "down_for": 99.0},
        {"heartbeat": HEARTBEAT, "connect_timeout": None},
        nothing,
        20.0,
    ),
    "being served": ({"down_for": 1.1}, {}, nothing, 12.3),
    "connected to a frozen server": ({"kind": "freeze", "down_for": 99.0}, {}, nothing, 20.0),
    "offline": ({"starts_at": 500.0}, {}, goes_offline, 20.0),
    "along a cut path": ({"starts_at": 500.0}, {}, loses_its_path, 20.0),
    "dialling along a cut path": ({"down_for": 9.0}, {}, loses_its_path, 20.0),
    "held by the brake": ({"kind": "crash", "down_for": 99.0}, {"brake": "firefox"}, nothing, 20.0),
    "in the middle of a flush": ({"kind": "freeze", "down_for": 99.0}, {}, speaks, 20.0),
}


@pytest.fixture(params=MOMENTS.values(), ids=MOMENTS)
async def moment(request, stub, outage):
    """A world, a client with every part, and the instant at which it is told to close."""
    settings, options, meanwhile, at = request.param
    world = await stub(outage(**settings))
    parts = {"network_monitor": {}, "operation_rate": 1.0, "sync": "delta"}
    life = world.client(runs=False, **parts, **options)

    async def until_then():
        world.run(life)
        await meanwhile(world, life)
        await trio.sleep_until(at)

    return world, life, until_then


async def test_a_client_can_be_closed_at_any_moment(moment, left_behind, autojump_clock):
    """Within a second, and with nothing left behind."""
    world, life, until_then = moment
    await trio.testing.wait_all_tasks_blocked()
    before = n_tasks()
    await until_then()
    told_at = trio.current_time()
    await life.client.aclose()
    assert trio.current_time() <= told_at + 1.0
    await trio.testing.wait_all_tasks_blocked()
    assert life.error is None
    assert life.ended_at <= told_at + 1.0
    assert life.statuses[-1] == "closed"
    assert life.statuses.count("closed") == 1
    world.path.heal()
    await trio.sleep_until(2000)
    assert left_behind() == []
    assert n_tasks() == before
    assert [type(event) for event in life.events if getattr(event, "at", 0) > told_at + 1.0] == []


async def test_a_client_can_be_cancelled_at_any_moment(moment, left_behind, autojump_clock):
    """At once, and with nothing left behind; to the server it just ends."""
    world, life, until_then = moment
    await trio.testing.wait_all_tasks_blocked()
    before = n_tasks()
    await until_then()
    told_at = trio.current_time()
    life.scope.cancel()
    await trio.testing.wait_all_tasks_blocked()
    assert (life.error, life.ended_at) == (None, told_at)
    assert life.statuses[-1] == "closed"
    world.path.heal()
    await trio.sleep_until(2000)
    assert left_behind() == []
    assert n_tasks() == before


async def test_closing_twice_is_closing_once(moment, autojump_clock):
    """Both calls return when the client has ended."""
    world, life, until_then = moment
    await until_then()
    async with trio.open_nursery() as closing:
        for _ in range(2):
            closing.start_soon(life.client.aclose)
    await life.client.aclose()
    await trio.testing.wait_all_tasks_blocked()
    assert life.ended_at is not None
    assert life.statuses.count("closed") == 1
    world.path.heal()


async def test_closing_while_being_cancelled(moment, autojump_clock):
    """Both at one instant; the client is closed all the same."""
    world, life, until_then = moment
    await until_then()
    life.scope.cancel()
    await life.client.aclose()
    await trio.testing.wait_all_tasks_blocked()
    assert life.error is None
    assert life.statuses.count("closed") == 1
    world.path.heal()


async def test_a_client_that_has_not_begun_never_does(stub, autojump_clock):
    """Closed before it runs, it ends as soon as it does."""
    life = (await stub()).client(runs=False)
    await life.client.aclose()
    await life.client.aclose()
    await life.live()
    assert (life.error, life.ended_at) == (None, 0.0)
    assert life.statuses == ["closed"]
    assert life.attempts == []


async def test_the_peer_hears_a_goodbye(played, autojump_clock):
    """A close frame, 1000, to which no answer is waited for."""
    heard = []

    async def never_answers(peer):
        await peer.open()
        heard.append((await peer.hear(), trio.current_time()))
        await trio.sleep(10.0)
        heard.append((await peer.hear(), trio.current_time()))

    life = played(never_answers).client()
    await trio.sleep_until(5)
    await life.client.aclose()
    assert trio.current_time() == 5.0
    await trio.sleep_until(20)
    assert heard == [(1000, 5.0), (None, 15.0)]


async def test_a_client_that_is_cancelled_says_nothing(played, autojump_clock):
    """As one whose process has died."""
    heard = []

    async def listens(peer):
        await peer.open()
        heard.append((await peer.hear(), trio.current_time()))

    life = played(listens).client()
    await trio.sleep_until(5)
    life.scope.cancel()
    await trio.sleep_until(6)
    assert heard == [(None, 5.0)]


async def test_closing_is_no_loss(stub, autojump_clock):
    """Nobody is told of a disconnect, and nothing follows."""
    life = (await stub()).client()
    await trio.sleep_until(5)
    await life.client.aclose()
    assert life.of(Disconnected) == []
    assert life.events[-1] == StatusChanged(0, 5.0, life.client.status)


async def test_an_attempt_that_is_cut_short_is_on_record(stub, outage, autojump_clock):
    """As cancelled."""
    life = (await stub(outage(down_for=1.1))).client()
    await trio.sleep_until(12.3)
    await life.client.aclose()
    assert life.of(AttemptEnded)[-1].outcome is Outcome.CANCELLED


async def test_a_client_that_has_given_up_can_be_closed(stub, outage, autojump_clock):
    """Its run has ended before."""
    policy = {"growth": "constant", "base": 1.0, "max_attempts": 0}
    life = (await stub(outage())).client(policy=policy)
    await trio.sleep_until(11)
    assert life.ended_at == 10.0
    await life.client.aclose()
    assert life.statuses[-2:] == ["failed", "closed"]


async def test_a_client_that_a_failing_probe_ends_says_so(stub, autojump_clock):
    """What is no affair of the network is an error, and not swallowed."""
    world = await stub()
    life = world.client(network_monitor={"interval": 10.0}, runs=False)

    async def broken_probe():
        raise LookupError("broken")

    life.client.surroundings.probe = broken_probe
    await life.live()
    assert isinstance(life.error, ExceptionGroup)
    assert life.error.subgroup(LookupError) is not None
    assert life.statuses[-1] == "closed"
