"""A policy may end attempts, and may want an answer of the application before it starts over."""

import pytest
import trio

from simulator.core.lifecycle import Connected, Failed, Reconnecting
from simulator.core.outcomes import Outcome

RTT = 0.02
GROWING = {"base": 1.0, "factor": 2.0, "reset_after": "none"}


async def hangs(peer):
    """A script: take the request, and answer nothing."""
    await trio.sleep_forever()


async def stays(peer):
    """A script: open, and stay."""
    await peer.open()
    await trio.sleep_forever()


def drops(*, answers):
    """A script: open, answer a request to sync or not, and close."""

    async def play(peer):
        await peer.open()
        await peer.hear_message()
        if answers:
            await peer.say('{"type":"batch","events":[],"next_id":0}')
        await peer.close(1001)

    return play


async def test_an_attempt_ends_with_its_slot(played, autojump_clock):
    """Attempts that hang start as far apart as those that are refused."""
    policy = {"waits": [1.0, 15.0, 30.0], "count_from": "slot"}
    life = played(hangs, hangs, stays).client(policy=policy, connect_timeout="none")
    await trio.sleep_until(100)
    assert life.attempts == [
        (0.0, 1.0, Outcome.TIMED_OUT),
        (1.0, 16.0, Outcome.TIMED_OUT),
        (16.0, 16.0 + RTT, Outcome.CONNECTED),
    ]


async def test_the_shorter_patience_rules(played, autojump_clock):
    """A connect timeout ends an attempt before its slot does, and the next waits for the slot."""
    policy = {"waits": [15.0], "count_from": "slot"}
    life = played(hangs, stays).client(policy=policy, connect_timeout=2.0)
    await trio.sleep_until(100)
    assert life.attempts[0] == (0.0, 2.0, Outcome.TIMED_OUT)
    assert life.attempts[1] == (15.0, 15.0 + RTT, Outcome.CONNECTED)


async def test_a_suspension_ends_an_attempt(played, autojump_clock):
    """Whatever its patience."""
    policy = {"growth": "constant", "suspended_after": 20.0, "suspended_delay": 30.0}
    life = played(hangs, stays).client(policy=policy, connect_timeout="none")
    await trio.sleep_until(100)
    assert life.attempts == [
        (0.0, 20.0, Outcome.TIMED_OUT),
        (50.0, 50.0 + RTT, Outcome.CONNECTED),
    ]


@pytest.mark.parametrize("reset_on", ["open", "answer"])
async def test_an_open_socket_is_all_the_answer_of_a_client_that_asks_for_nothing(
    played, reset_on, autojump_clock
):
    """Without sync the application says no more than its 101."""

    async def opens(peer):
        await peer.open()
        await peer.close(1001)

    life = played(opens, opens, opens).client(policy={**GROWING, "reset_on": reset_on})
    await trio.sleep_until(10)
    assert [event.delay for event in life.of(Reconnecting)][:3] == pytest.approx([1.0] * 3)


async def test_a_client_that_syncs_is_answered_when_it_is_in_step(stub, outage, autojump_clock):
    """The stub answers, and so each restart is met by the first delay."""
    world = await stub(outage(every=20.0, count=3, down_for=0.5), history={})
    life = world.client(policy={**GROWING, "reset_on": "answer"}, sync="delta")
    await trio.sleep_until(80)
    assert [event.delay for event in life.of(Reconnecting)] == pytest.approx([1.0] * 3)
    assert len(life.of(Connected)) == 4


async def test_one_that_is_dropped_before_that_is_not(played, autojump_clock):
    """Its delays grow, though every socket opens."""
    script = drops(answers=False)
    life = played(*[script] * 3).client(policy={**GROWING, "reset_on": "answer"}, sync="delta")
    await trio.sleep_until(30)
    assert [event.delay for event in life.of(Reconnecting)][:3] == pytest.approx([1.0, 2.0, 4.0])


async def test_a_client_whose_attempt_fails_may_be_gone(played, autojump_clock):
    """As with a library that takes a refused connect for the end."""
    policy = {"growth": "constant", "ends_on_failure": True}
    life = played(hangs).client(policy=policy, connect_timeout=2.0)
    await trio.sleep_until(30)
    assert [event.reason for event in life.of(Failed)] == ["an attempt has failed, which ends it"]
