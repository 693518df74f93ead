"""What a client does after an answer that is not 101: try again, or stay away."""

from http import HTTPStatus

import pytest
import trio

from simulator.core.lifecycle import Failed, Reconnecting
from simulator.core.outcomes import Outcome

RTT = 0.02


def rejects(status):
    """A script: turn the client away."""

    async def play(peer):
        await peer.reject(HTTPStatus(status))
        peer.stream.close()

    return play


async def stays(peer):
    """A script: open, and stay."""
    await peer.open()
    await trio.sleep_forever()


async def test_a_status_that_ends_it_ends_it(played, autojump_clock):
    """At its first attempt or at a later one, whatever its policy says; and it tells why."""
    rules = {"end": [404, "428-431"]}
    life = played(rejects(503), rejects(429), stays).client(statuses=rules)
    await trio.sleep_until(60)
    assert [event.delay for event in life.of(Reconnecting)] == [1.0]
    assert [outcome for *_, outcome in life.attempts] == [Outcome.REJECTED] * 2
    (failed,) = life.of(Failed)
    assert failed.reason == "turned away for good (HTTP 429)"
    assert failed.at == life.ended_at == pytest.approx(1.0 + 2 * RTT)


async def test_every_other_answer_is_followed_by_another_attempt(played, autojump_clock):
    """By default, all."""
    world = played(rejects(404), rejects(429), rejects(500), stays)
    life = world.client(policy={"growth": "constant"})
    await trio.sleep_until(60)
    assert [event.delay for event in life.of(Reconnecting)] == [1.0] * 3
    assert not life.of(Failed)


@pytest.mark.parametrize(
    ("status", "comes_back"), [(500, True), (503, True), (501, False), (429, False), (403, False)]
)
async def test_python_websockets_comes_back_after_four_statuses_alone(
    played, status, comes_back, autojump_clock
):
    """429, the answer of a limit that wants to be asked later, ends it all."""
    life = played(rejects(status), stays).client(policy="python-websockets")
    await trio.sleep_until(60)
    assert bool(life.of(Failed)) is not comes_back
    assert life.attempts[-1][-1] is (Outcome.CONNECTED if comes_back else Outcome.REJECTED)
