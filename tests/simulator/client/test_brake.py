"""The browser's own brake holds attempts back, whatever the page's policy says."""

import itertools

import pytest
import trio

from server_stub.draws import Purpose
from simulator.core.lifecycle import AttemptEnded, Connected
from simulator.core.outcomes import Outcome

RTT = 0.02
HASTY = {"growth": "constant", "base": 0.01}
"""Retries after ten milliseconds."""


async def test_the_delays_grow_whatever_the_policy_says(stub, outage, draw, autojump_clock):
    """200 to 400 ms after the first failure, times 1.5 from there, from failure to dial."""
    life = (await stub(outage("crash", down_for=60.0))).client(
        policy=HASTY, brake="firefox", connect_timeout=50.0
    )
    await trio.sleep_until(20)
    ended = [10.0, *(event.ended_at for event in life.of(AttemptEnded)[1:])]
    waits = [b - a - RTT for a, b in itertools.pairwise(ended)]
    first = 0.2 + 0.2 * draw(Purpose.BRAKE, 0, 1, 1)
    assert len(waits) > 4
    assert waits == pytest.approx([first * 1.5**n for n in range(len(waits))])


async def test_to_the_page_it_looks_as_if_it_were_connecting(stub, outage, autojump_clock):
    """An attempt counts from when the page has started it."""
    world = await stub(outage("crash", down_for=60.0))
    life = world.client(policy=HASTY, brake="firefox", connect_timeout=50.0)
    await trio.sleep_until(20)
    events = life.of(AttemptEnded)[1:]
    assert events[0].started_at == pytest.approx(10.01)
    for before, after in itertools.pairwise(events):
        assert after.started_at == pytest.approx(before.ended_at + 0.01)


async def test_the_page_s_patience_runs_meanwhile(stub, outage, autojump_clock):
    """It may give up an attempt that has never left, and gains nothing by the next."""
    world = await stub(outage("crash", down_for=60.0))
    life = world.client(policy=HASTY, brake="firefox", connect_timeout=0.1)
    await trio.sleep_until(12)
    outcomes = [event.outcome for event in life.of(AttemptEnded)[1:]]
    assert outcomes[0] is Outcome.TIMED_OUT
    assert outcomes.count(Outcome.REFUSED) > 1
    assert world.recorder.totals["arrivals"] == 1


async def test_a_clean_close_does_not_apply_it(stub, outage, autojump_clock):
    """The first retry leaves when the page wants."""
    life = (await stub(outage(down_for=0.005))).client(policy=HASTY, brake="firefox")
    await trio.sleep_until(20)
    assert life.attempts[1] == (10.01, 10.51 + RTT, Outcome.CONNECTED)


async def test_a_connection_releases_it(stub, outage, draw, autojump_clock):
    """What failed before is forgotten, and the next delay is a first one again."""
    world = await stub(outage("crash", down_for=0.1, every=10.0, count=3))
    life = world.client(policy=HASTY, brake="firefox")
    await trio.sleep_until(40)
    firsts = [0.2 + 0.2 * draw(Purpose.BRAKE, 0, episode, 1) for episode in (1, 2, 3)]
    downtimes = [event.downtime for event in life.of(Connected)[1:]]
    assert downtimes == pytest.approx([first + RTT + 0.5 for first in firsts])
