"""Fleets: many clients, assembled, cut off and back again."""

import numpy as np
import pytest
import trio

from server_stub.config import ServiceTime
from simulator.core.lifecycle import AttemptEnded, Connected, Failed, Reconnecting
from simulator.core.outcomes import Outcome
from simulator.fleet import Fleet
from simulator.recording import FleetRecorder
from simulator.scenario import ClientConfig, Cohort, Scenario

from .world import FIXED, RTT, SEED, outage


def herd(n_clients, **settings):
    """A scenario for a fleet; what the server does is the world's affair."""
    client = ClientConfig(policy=FIXED, connect_timeout=2.0, rtt=RTT, heartbeat=None)
    return Scenario(
        **{"n_clients": n_clients, "horizon": 100.0, "ramp_rate": 10.0, "client": client}
        | {"seed": SEED, **settings}
    )


async def test_a_fleet_assembles_at_the_ramp_rate(world, autojump_clock):
    """A client's turn comes by its number in the whole fleet, whoever else is in its part."""
    _, life = (await world()).fleet(herd(20), range(1, 20, 2), ramp_starts_at=3.0)
    await trio.sleep_until(10)
    due = {event.client: event.due_at for event in life.of(AttemptEnded)}
    assert due == {number: pytest.approx(3.0 + number / 10) for number in range(1, 20, 2)}
    assert len(life.of(Connected)) == 10


async def test_a_fleet_comes_back_after_an_outage(world, autojump_clock):
    """In lockstep, at the rate of the only worker; both sides agree on every number."""
    begun = await world(outage(), backlog=5, service_time=ServiceTime(kind="constant", mean=0.1))
    _, life = begun.fleet(herd(20))
    await trio.sleep_until(50)
    begun.scope.cancel()
    await trio.sleep_until(50.1)
    attempts = life.of(AttemptEnded)
    reconnects = [event for event in life.of(Connected) if event.was_reconnect]
    assert sorted(event.client for event in reconnects) == list(range(20))
    for client in range(20):
        numbers = [e.attempt for e in attempts if (e.client, e.episode) == (client, 1)]
        assert numbers == list(range(1, len(numbers) + 1))
    outcomes = [event.outcome for event in attempts if event.ended_at < 50]
    totals = begun.recorder.totals
    assert totals["rejected"] == outcomes.count(Outcome.REJECTED) > 0
    assert totals["arrivals"] == totals["rejected"] + outcomes.count(Outcome.CONNECTED)
    assert totals["completed"] == len(reconnects)
    assert totals["wasted"] == 0


async def test_every_client_has_the_settings_of_its_cohort(world, autojump_clock):
    """Two policies side by side in one fleet."""
    hasty, patient = FIXED, FIXED.model_copy(update={"name": "", "base": 5.0})
    scenario = herd(
        10,
        cohort=(
            Cohort(name="hasty", share=0.5, policy=hasty),
            Cohort(name="patient", share=0.5, policy=patient),
        ),
    )
    cohort_of = np.arange(10, dtype=np.uint16) % 2
    _, life = (await world(outage())).fleet(scenario, cohort_of=cohort_of)
    await trio.sleep_until(10.5)
    waits = {event.client: event.delay for event in life.of(Reconnecting)}
    assert waits == {number: 5.0 if number % 2 else 1.0 for number in range(10)}


async def test_a_fleet_stops_dialling_at_the_horizon(world, autojump_clock):
    """Which counts from t = 0; attempts due before it are made."""
    begun = await world(outage(down_for=500.0))
    fleet, life = begun.fleet(herd(5, horizon=20.0))
    fleet.begin(4.0)
    await trio.sleep_until(200)
    due = [event.due_at for event in life.of(AttemptEnded)]
    assert 22.9 < max(due) < 24.0
    assert life.ended_at is None


async def test_a_fleet_that_has_given_up_is_done(world, autojump_clock):
    """Once its last client has."""
    client = ClientConfig(policy=FIXED.model_copy(update={"max_attempts": 1}), rtt=RTT)
    _, life = (await world(outage(down_for=500.0))).fleet(herd(5, client=client))
    await trio.sleep_until(200)
    assert len(life.of(Failed)) == 5
    assert life.ended_at == pytest.approx(11.0 + RTT)


async def test_a_fleet_is_spread_over_the_ways_to_the_server(world, autojump_clock, nursery):
    """Client n takes way n, counted round."""
    begun = await world()
    used = []

    class Way:
        def __init__(self, name):
            self.name = name

        def connect(self, path):
            used.append((path.split("client=")[1].split("&")[0], self.name))
            return begun.transport.connect(path)

    fleet = Fleet(
        herd(6),
        range(6),
        np.zeros(6, dtype=np.uint16),
        dials=[["a"], ["b"]],
        transport=lambda dial, host, **said: Way(dial),
        host="server",
        recorder=FleetRecorder(),
    )
    with trio.move_on_after(5):
        await fleet.run(ramp_starts_at=0.0)
    assert used == [(str(number), "ab"[number % 2]) for number in range(6)]
