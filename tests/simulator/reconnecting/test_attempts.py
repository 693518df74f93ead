"""Attempts that fail: how, when, and what comes after them."""

import pytest
import trio

from server_stub.config import ServiceTime
from server_stub.draws import Purpose, uniform
from simulator.core.backoff import BASIC, Policy, delay
from simulator.core.lifecycle import AttemptEnded, Disconnected, Reconnecting
from simulator.core.outcomes import Outcome

from .world import FIXED, RTT, SEED, outage


async def test_an_attempt_is_given_up_at_its_timeout(world, autojump_clock):
    """The server works for longer than the client waits; the next delay counts from the end."""
    begun = await world(outage(), service_time=ServiceTime(kind="constant", mean=5.0))
    life = begun.client()
    await trio.sleep_until(17)
    assert life.attempts[2:] == [(13.0 + 2 * RTT, 15.0 + 2 * RTT, Outcome.TIMED_OUT)]
    assert life.of(Reconnecting)[-1].due_at == pytest.approx(16.0 + 2 * RTT)


async def test_without_a_timeout_an_attempt_waits_for_ever(world, autojump_clock):
    """`connect_timeout = "none"`."""
    begun = await world(outage(), service_time=ServiceTime(kind="constant", mean=500.0))
    life = begun.client(connect_timeout=None)
    await trio.sleep_until(1000)
    assert life.attempts[2:] == [(13.0 + 2 * RTT, 513.0 + 3 * RTT, Outcome.CONNECTED)]


async def test_a_rejected_client_waits_as_long_as_the_server_asks(world, autojump_clock):
    """Two clients, one worker, no backlog: one is served, the other comes back in five seconds."""
    begun = await world(outage(down_for=0.5), backlog=0, retry_after=5)
    lives = [begun.client(0), begun.client(1)]
    await trio.sleep_until(20)
    served, rejected = sorted(lives, key=lambda life: len(life.attempts))
    assert served.attempts == [(11.0, 11.5 + RTT, Outcome.CONNECTED)]
    assert rejected.attempts == [
        (11.0, 11.0 + RTT, Outcome.REJECTED),
        (16.0 + RTT, 16.5 + 2 * RTT, Outcome.CONNECTED),
    ]


async def test_an_overflow_may_be_a_reset(world, autojump_clock):
    """The client cannot tell it from a crash, and retries as its policy says."""
    begun = await world(outage(down_for=0.5), backlog=0, overflow="reset")
    lives = [begun.client(0), begun.client(1)]
    await trio.sleep_until(20)
    outcomes = sorted([outcome for _, _, outcome in life.attempts] for life in lives)
    assert outcomes == [[Outcome.CONNECTED], [Outcome.RESET, Outcome.CONNECTED]]


async def test_a_delay_may_count_from_the_start_of_the_failed_attempt(world, autojump_clock):
    """An attempt that timed out after two seconds is followed at once by the next."""
    begun = await world(outage(), service_time=ServiceTime(kind="constant", mean=5.0))
    life = begun.client(policy=FIXED.model_copy(update={"count_from": "start"}))
    await trio.sleep_until(16)
    starts = [event.started_at for event in life.of(AttemptEnded)[1:]]
    assert starts == pytest.approx([11.0, 12.0, 13.0])
    assert life.of(Reconnecting)[-1].due_at == pytest.approx(15.0)


async def test_jitter_comes_from_the_seed(world, autojump_clock):
    """Keyed by client, episode and attempt: the delays can be told in advance."""
    policy = BASIC["exponential-full-jitter"]
    life = (await world(outage(down_for=60.0))).client(7, policy=policy)
    await trio.sleep_until(60)
    waits = [event.delay for event in life.of(Reconnecting)]
    assert len(waits) > 5
    assert waits == pytest.approx(
        [
            delay(policy, step, uniform(SEED, Purpose.BACKOFF, 7, 1, step))
            for step in range(1, len(waits) + 1)
        ]
    )


async def test_losing_short_connections_again_and_again_grows_the_delay(world, autojump_clock):
    """With `reset_after` the counter lives on; without it every loss begins at the first delay."""
    outages = {"starts_at": 10.0, "down_for": 0.1, "every": 20.0, "count": 3}
    begun = await world(outages)
    doubling = Policy(cap=10.0)
    patient = begun.client(0, policy=doubling.model_copy(update={"reset_after": 60.0}))
    hasty = begun.client(1, policy=doubling)
    await trio.sleep_until(100)
    assert [event.delay for event in patient.of(Reconnecting)] == pytest.approx([1, 2, 4])
    assert [event.delay for event in hasty.of(Reconnecting)] == pytest.approx([1, 1, 1])
    assert [event.episode for event in patient.of(Disconnected)] == [1, 2, 3]
