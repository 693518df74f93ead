"""How a connected client finds out that its peer is dead."""

import itertools

import pytest
import trio

from server_stub.draws import Purpose
from simulator.core.lifecycle import Disconnected
from simulator.core.outcomes import NoticedBy

RTT = 0.02
KINDS = ["protocol", "application"]


@pytest.fixture
def pings(draw):
    """The instants of a client's pings on its first connection, for ever."""

    def of(number, interval, opened_at=RTT):
        phase = draw(Purpose.HEARTBEAT, number, 0)
        return (opened_at + (phase + turn) * interval for turn in itertools.count())

    return of


@pytest.mark.parametrize("kind", KINDS)
async def test_a_healthy_connection_stays(stub, kind, autojump_clock):
    """The server's library answers ping frames, its application answers texts."""
    life = (await stub()).client(heartbeat={"interval": 4.0, "timeout": 1.0, "kind": kind})
    await trio.sleep_until(100)
    assert life.of(Disconnected) == []
    assert life.texts == []


@pytest.mark.parametrize("case", [*itertools.product(KINDS, range(3))], ids=str)
async def test_silence_is_noticed(stub, outage, pings, case, autojump_clock):
    """`timeout` after the first ping without an answer, at the client's own phase (RULES 19)."""
    kind, number = case
    world = await stub(outage("freeze", down_for=99.0))
    life = world.client(number, heartbeat={"interval": 4.0, "timeout": 3.0, "kind": kind})
    await trio.sleep_until(20)
    (disconnected,) = life.of(Disconnected)
    first_unanswered = next(at for at in pings(number, 4.0) if at > 10.0)
    assert disconnected.at == pytest.approx(first_unanswered + 3.0)
    assert disconnected.noticed_by is NoticedBy.HEARTBEAT
    assert not disconnected.was_clean


async def test_an_application_ping_is_a_text(played, pings, autojump_clock):
    """At the interval, from the client's phase on."""
    heard = []

    async def play(peer):
        await peer.open()
        while (text := await peer.hear()) is not None:
            heard.append((trio.current_time(), text))
            await peer.say("pong")

    played(play).client(heartbeat={"interval": 4.0, "timeout": 1.0, "kind": "application"})
    await trio.sleep_until(20)
    expected = itertools.takewhile(lambda at: at < 20, pings(0, 4.0))
    assert heard == [(pytest.approx(at), "ping") for at in expected]


@pytest.mark.parametrize("kind", KINDS)
async def test_whatever_is_heard_counts_as_life(played, pings, kind, autojump_clock):
    """A peer that talks is alive, also if it answers no ping; until it stops."""

    async def play(peer):
        await peer.open()
        for _ in range(50):
            await trio.sleep(1.0)
            await peer.say("still here")
        await trio.sleep_forever()

    life = played(play).client(heartbeat={"interval": 4.0, "timeout": 3.0, "kind": kind})
    await trio.sleep_until(70)
    (lost_at,) = [event.at for event in life.of(Disconnected) if event.at < 60]
    assert lost_at == pytest.approx(next(at for at in pings(0, 4.0) if at > 50.0 + RTT) + 3.0)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_peer_that_takes_nothing_is_dead(stub, outage, kind, autojump_clock):
    """A client that is stuck in the middle of a sentence notices silence too."""
    world = await stub(outage("freeze", down_for=99.0))
    life = world.client(heartbeat={"interval": 50.0, "timeout": 3.0, "kind": kind})
    await trio.sleep_until(11)
    for _ in range(3):
        life.client.send("x" * 70_000)
    await trio.sleep_until(20)
    (disconnected,) = life.of(Disconnected)
    assert (disconnected.at, disconnected.noticed_by) == (14.0, NoticedBy.HEARTBEAT)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_ping_that_cannot_leave_is_noticed(stub, outage, pings, kind, autojump_clock):
    """What was said before may have filled the way."""
    world = await stub(outage("freeze", down_for=99.0))
    life = world.client(heartbeat={"interval": 4.0, "timeout": 3.0, "kind": kind})
    await trio.sleep_until(10.1)
    life.client.send("x" * 70_000)
    await trio.sleep_until(30)
    (disconnected,) = life.of(Disconnected)
    assert disconnected.at == pytest.approx(next(at for at in pings(0, 4.0) if at > 10.1) + 3.0)
    assert disconnected.noticed_by is NoticedBy.HEARTBEAT
