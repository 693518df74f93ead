"""How a client ends, and who hears of it."""

import pytest
import trio

from server_stub.config import ServiceTime
from simulator.core.events import StatusChanged
from simulator.core.lifecycle import AttemptEnded, Connected, Disconnected, Failed, Reconnecting
from simulator.core.outcomes import Outcome
from simulator.scenario import HeartbeatConfig

from .world import FIXED, RTT, outage


async def test_a_client_that_gives_up_is_done(world, autojump_clock):
    """After `max_attempts` retries it says so and ends by itself."""
    begun = await world(outage(down_for=50.0))
    life = begun.client(policy=FIXED.model_copy(update={"max_attempts": 2}))
    await trio.sleep_until(100)
    assert [outcome for _, _, outcome in life.attempts] == [Outcome.REFUSED] * 2
    assert life.events[-1] == Failed(
        client=0, at=life.ended_at, attempts=2, reason="max_attempts = 2 are used up"
    )
    assert life.ended_at == pytest.approx(12.0 + 2 * RTT)


async def test_nobody_dials_once_dialling_has_ended(world, autojump_clock):
    """An attempt due too late is not made; the client stays where it is until it is cancelled."""
    begun = await world(outage(down_for=50.0))
    life = begun.client(may_dial=lambda due_at: due_at < 12.5)
    await trio.sleep_until(1000)
    assert [outcome for _, _, outcome in life.attempts] == [Outcome.REFUSED] * 2
    assert life.ended_at is None


async def test_dialling_that_has_ended_does_not_touch_a_connection(world, autojump_clock):
    """Who is connected stays connected."""
    life = (await world()).client(may_dial=lambda due_at: due_at < 1.0)
    await trio.sleep_until(1000)
    assert life.of(Disconnected) == []


async def test_an_attempt_under_way_is_recorded_as_cancelled(world, autojump_clock):
    """Every attempt that started has an outcome."""
    begun = await world(outage(), service_time=ServiceTime(kind="constant", mean=50.0))
    life = begun.client(connect_timeout=None)
    await trio.sleep_until(20)
    life.scope.cancel()
    await trio.sleep_until(21)
    assert life.attempts[-1] == (13.0 + 2 * RTT, 20.0, Outcome.CANCELLED)
    assert life.ended_at == 20.0


async def test_an_attempt_cancelled_at_its_very_timeout_has_timed_out(world, autojump_clock):
    """It is not lost from the record when both come in one breath."""
    begun = await world(outage(down_for=0.5), service_time=ServiceTime(kind="constant", mean=50.0))
    life = begun.client()
    life.scope.deadline = 13.0
    await trio.sleep_until(14)
    assert life.attempts == [(11.0, 13.0, Outcome.TIMED_OUT)]
    assert life.ended_at == 13.0


@pytest.mark.parametrize("at", [5.0, 10.5], ids=["connected", "backing off"])
async def test_a_client_that_is_cancelled_ends_at_once(world, at, autojump_clock):
    """Connected or backing off, it has nothing more to say and waits for nobody."""
    life = (await world(outage())).client(heartbeat=HeartbeatConfig(interval=1.0, timeout=1.0))
    await trio.sleep_until(at)
    said = len(life.events)
    life.scope.cancel()
    await trio.sleep_until(at + 1)
    assert life.ended_at == at
    assert len(life.events) == said


async def test_a_client_of_a_frozen_server_ends_at_once(world, autojump_clock):
    """No close handshake is waited for."""
    life = (await world(outage("freeze", down_for=50.0))).client()
    await trio.sleep_until(20)
    life.scope.cancel()
    await trio.sleep_until(21)
    assert life.ended_at == 20.0


async def test_all_listeners_hear_the_same(world, autojump_clock):
    """Every event, in order, each of them."""
    heard = []
    life = (await world(outage())).client(listeners=[heard.append])
    await trio.sleep_until(20)
    heard = [event for event in heard if not isinstance(event, StatusChanged)]
    assert heard == life.events
    assert [type(event) for event in heard] == [
        AttemptEnded,
        Connected,
        Disconnected,
        Reconnecting,
        *(AttemptEnded, Reconnecting),
        *(AttemptEnded, Reconnecting),
        *(AttemptEnded, Connected),
    ]


async def test_the_server_knows_whom_it_loses(world, autojump_clock):
    """The request says which client it is, and in which episode."""
    begun = await world(outage(every=20.0, count=2))
    begun.client(7)
    await trio.sleep_until(50)
    losses = begun.recorder.losses.columns()
    assert losses["client"].tolist() == [7, 7]
    assert losses["episode"].tolist() == [0, 1]
    assert losses["broke_at"].tolist() == [10.0, 30.0]
