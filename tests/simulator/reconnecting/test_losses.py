"""One client notices that its connection is lost, and follows its policy."""

import itertools

import pytest
import trio

from server_stub.draws import Purpose, uniform
from simulator.core.lifecycle import AttemptEnded, Connected, Disconnected
from simulator.core.outcomes import NoticedBy, Outcome
from simulator.scenario import HeartbeatConfig

from .world import RTT, SEED, outage


async def test_the_first_connection_is_made_when_it_is_due(world, autojump_clock):
    """It costs a round trip, and no service in the ramp (RULES 4 and 17)."""
    life = (await world()).client(first_due_at=1.0)
    await trio.sleep_until(9)
    ended, connected = life.events
    assert ended == AttemptEnded(0, 0, 1, 1.0, pytest.approx(1.0), 1.0 + RTT, Outcome.CONNECTED)
    assert connected == Connected(0, 1.0 + RTT, was_reconnect=False, attempt=1, downtime=0.0)


async def test_a_client_follows_its_policy_through_an_outage(world, autojump_clock):
    """Noticed at once, refused twice, then served: every instant is that of the policy."""
    life = (await world(outage())).client()
    await trio.sleep_until(20)
    (disconnected,) = life.of(Disconnected)
    assert disconnected == Disconnected(0, 10.0, 1, NoticedBy.CLOSE_FRAME, 1012, "")
    assert life.attempts == [
        (11.0, 11.0 + RTT, Outcome.REFUSED),
        (12.0 + RTT, 12.0 + 2 * RTT, Outcome.REFUSED),
        (13.0 + 2 * RTT, 13.5 + 3 * RTT, Outcome.CONNECTED),
    ]
    connected = life.of(Connected)[-1]
    assert (connected.was_reconnect, connected.attempt) == (True, 3)
    assert connected.downtime == pytest.approx(3.5 + 3 * RTT)


LOST_AT_THAW = {"kind": "freeze", "lost_at_thaw": True, "starts_at": 9.0, "down_for": 1.0}


@pytest.mark.parametrize(
    ("settings", "noticed_by", "close_code"),
    [
        ({"kind": "graceful", "close_code": 4001}, NoticedBy.CLOSE_FRAME, 4001),
        ({"kind": "crash"}, NoticedBy.RESET, 1006),
        (LOST_AT_THAW, NoticedBy.RESET, 1006),
    ],
)
async def test_a_loss_that_shows_is_noticed_at_once(
    world, settings, noticed_by, close_code, autojump_clock
):
    """By the close frame, or by the reset of a crash or of a restart after a freeze."""
    life = (await world(outage(**settings))).client()
    await trio.sleep_until(20)
    (disconnected,) = life.of(Disconnected)
    assert (disconnected.at, disconnected.noticed_by) == (10.0, noticed_by)
    assert disconnected.close_code == close_code


async def test_a_server_that_just_ends_is_noticed_at_once(world, autojump_clock):
    """The end of the stream is a loss like any other, and the port then refuses."""
    begun = await world()
    life = begun.client()
    await trio.sleep_until(10)
    begun.scope.cancel()
    await trio.sleep_until(11.5)
    (disconnected,) = life.of(Disconnected)
    assert (disconnected.at, disconnected.noticed_by) == (10.0, NoticedBy.EOF)
    assert life.attempts == [(11.0, 11.0 + RTT, Outcome.REFUSED)]


# The heartbeat


@pytest.mark.parametrize("number", range(4))
async def test_a_freeze_is_noticed_by_the_heartbeat(world, number, autojump_clock):
    """`timeout` after the first ping that met silence, at the phase of this client (RULES 19)."""
    begun = await world(outage("freeze", down_for=50.0))
    life = begun.client(number, heartbeat=HeartbeatConfig(interval=4.0, timeout=3.0))
    await trio.sleep_until(20)
    phase = uniform(SEED, Purpose.HEARTBEAT, number, 0)
    pings = (RTT + (phase + turn) * 4.0 for turn in itertools.count())
    (disconnected,) = life.of(Disconnected)
    assert disconnected.at == pytest.approx(next(at for at in pings if at > 10.0) + 3.0)
    assert (disconnected.noticed_by, disconnected.close_code) == (NoticedBy.HEARTBEAT, 1006)


async def test_without_a_heartbeat_a_freeze_goes_unnoticed(world, autojump_clock):
    """At the thaw the connection goes on (RULES 15)."""
    life = (await world(outage("freeze"))).client()
    await trio.sleep_until(1000)
    assert life.of(Disconnected) == []


async def test_a_freeze_shorter_than_the_timeout_goes_unnoticed(world, autojump_clock):
    """The pong comes late, but in time."""
    begun = await world(outage("freeze"))
    life = begun.client(heartbeat=HeartbeatConfig(interval=1.0, timeout=3.5))
    await trio.sleep_until(1000)
    assert life.of(Disconnected) == []


async def test_a_heartbeat_keeps_a_healthy_connection(world, autojump_clock):
    """Its pings are answered, with several of them under way or one."""
    begun = await world()
    lives = [
        begun.client(number, heartbeat=HeartbeatConfig(interval=1.0, timeout=timeout))
        for number, timeout in enumerate([0.1, 1.0, 3.0])
    ]
    await trio.sleep_until(100)
    assert [len(life.events) for life in lives] == [2, 2, 2]


async def test_a_frozen_server_lets_attempts_run_into_their_timeout(world, autojump_clock):
    """Nobody accepts: each ends exactly `connect_timeout` after it started, until the thaw."""
    begun = await world(outage("freeze", down_for=8.0, lost_at_thaw=True))
    life = begun.client(heartbeat=HeartbeatConfig(interval=0.5, timeout=1.0))
    await trio.sleep_until(17.9)
    lost_at = life.of(Disconnected)[0].at
    assert life.attempts == [
        (lost_at + 1.0, lost_at + 3.0, Outcome.TIMED_OUT),
        (lost_at + 4.0, lost_at + 6.0, Outcome.TIMED_OUT),
    ]
