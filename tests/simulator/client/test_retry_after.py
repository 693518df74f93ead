"""A server that turns clients away can say for how long."""

from http import HTTPStatus

import pytest
import trio

from simulator.core.lifecycle import Connected, Reconnecting
from simulator.core.outcomes import Outcome

RTT = 0.02
NOON = "Wed, 25 Nov 2026 12:00:00 GMT"


def rejects(status=503, **headers):
    """A script: turn the client away."""

    async def play(peer):
        await peer.reject(HTTPStatus(status), **headers)
        peer.stream.close()

    return play


async def opens(peer):
    """A script: take the client in."""
    await peer.open()
    await trio.sleep_forever()


@pytest.mark.parametrize(
    ("headers", "delay"),
    [
        ({}, 1.0),
        ({"Retry_After": "7"}, 7.0),
        ({"Retry_After": "0"}, 1.0),
        ({"Date": NOON, "Retry_After": "Wed, 25 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"Date": NOON, "Retry_After": "Wednesday, 25-Nov-26 12:00:30 GMT"}, 30.0),
        ({"Date": NOON, "Retry_After": "Wed Nov 25 12:00:30 2026"}, 30.0),
        ({"Date": NOON, "Retry_After": "Wed, 25 Nov 2026 11:59:00 GMT"}, 1.0),
        ({"Date": NOON, "Retry_After": "soon"}, 1.0),
    ],
)
@pytest.mark.parametrize("status", [503, 429])
async def test_a_client_waits_as_long_as_it_is_asked_to(
    played, status, headers, delay, autojump_clock
):
    """In seconds or until a date; at least, for the policy may say longer."""
    life = played(rejects(status, **headers), opens).client()
    await trio.sleep_until(60)
    assert life.of(Reconnecting)[0].delay == pytest.approx(delay)
    assert life.attempts == [
        (0.0, RTT, Outcome.REJECTED),
        (RTT + delay, 2 * RTT + delay, Outcome.CONNECTED),
    ]


async def test_it_holds_for_one_attempt(played, autojump_clock):
    """The next rejection may say something else, or nothing."""
    world = played(rejects(Retry_After="7"), rejects(), rejects(Retry_After="3"), opens)
    life = world.client()
    await trio.sleep_until(60)
    assert [event.delay for event in life.of(Reconnecting)] == pytest.approx([7.0, 1.0, 3.0])


async def test_it_outlasts_a_network_that_comes_and_goes(played, draw, autojump_clock):
    """Being online again is no reason to come back before the server wants to be asked."""
    life = played(rejects(Retry_After="30"), opens).client(network_monitor={"interval": "none"})
    await trio.sleep_until(5)
    life.client.signal_network(online=False)
    await trio.sleep_until(10)
    life.client.signal_network(online=True)
    await trio.sleep_until(60)
    assert [event.at for event in life.of(Connected)] == [pytest.approx(30.0 + 2 * RTT)]


async def test_it_outlasts_a_look_at_the_page(played, autojump_clock):
    """Nor is being looked at."""
    life = played(rejects(Retry_After="30"), opens).client()
    await trio.sleep_until(5)
    life.client.set_visible(visible=False)
    await trio.sleep_until(10)
    life.client.set_visible(visible=True)
    await trio.sleep_until(60)
    assert [event.at for event in life.of(Connected)] == [pytest.approx(30.0 + 2 * RTT)]


async def test_a_page_does_not_see_it(played, autojump_clock):
    """Browsers keep the headers of a rejected handshake to themselves."""
    life = played(rejects(Retry_After="7"), opens).client(retry_after="ignore")
    await trio.sleep_until(60)
    assert [event.delay for event in life.of(Reconnecting)] == pytest.approx([1.0])
