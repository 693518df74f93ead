"""What is said without a connection waits for one."""

import pytest
import trio

from simulator.core.lifecycle import Connected, Disconnected
from simulator.core.outcomes import NoticedBy
from simulator.core.outgoing import Offer

LARGE = 70_000
"""Characters: one such text fills a stream."""


async def test_a_text_goes_at_once_while_connected(stub, autojump_clock):
    """The stub sends it back."""
    life = (await stub()).client()
    await trio.sleep_until(5)
    assert life.client.send("hello").offer is Offer.KEPT
    await trio.sleep(0.001)
    assert life.texts == ["hello"]


async def test_what_is_said_before_the_first_connection_waits(stub, autojump_clock):
    """In order."""
    life = (await stub()).client(first_due_at=1.0)
    for text in "abc":
        life.client.send(text)
    await trio.sleep_until(0.9)
    assert life.texts == []
    await trio.sleep_until(2)
    assert life.texts == ["a", "b", "c"]


async def test_what_is_said_during_an_outage_is_said_after_it(stub, outage, autojump_clock):
    """In order, each once."""
    life = (await stub(outage())).client()
    for second in range(5, 20):
        await trio.sleep_until(second + 0.5)
        life.client.send(str(second))
    await trio.sleep_until(30)
    assert len(life.of(Connected)) == 2
    assert life.texts == [str(second) for second in range(5, 20)]


@pytest.mark.parametrize(
    ("overflow", "kept", "lost"), [("refuse", "012", "34"), ("drop_oldest", "234", "01")]
)
async def test_the_buffer_is_bounded(stub, overflow, kept, lost, autojump_clock):
    """The sender learns at once which text is lost."""
    life = (await stub()).client(outgoing={"limit": 3, "overflow": overflow}, first_due_at=10.0)
    offered = [life.client.send(text) for text in "01234"]
    answer = Offer.REFUSED if overflow == "refuse" else Offer.KEPT_DROPPING_OLDEST
    assert [offer for offer, _ in offered] == [Offer.KEPT] * 3 + [answer] * 2
    assert [text for _, text in offered[3:]] == list(lost)
    await trio.sleep_until(30)
    assert life.texts == list(kept)


@pytest.mark.parametrize("n_heard", [0, 1, 2])
async def test_nothing_is_sent_twice(played, n_heard, autojump_clock):
    """A connection that dies in the middle of a flush loses one text at most; the rest follow."""
    heard = []

    async def dies(peer):
        await peer.open()
        heard.extend([(await peer.hear())[:1] for _ in range(n_heard)])
        await trio.sleep(1.0)
        peer.stream.reset()

    async def lives(peer):
        await peer.open()
        while (text := await peer.hear()) is not None:
            heard.append(text[:1])

    life = played(dies, lives).client(first_due_at=1.0)
    for letter in "abcdef":
        life.client.send(letter * LARGE)
    await trio.sleep_until(20)
    assert life.of(Disconnected)[0].noticed_by is NoticedBy.RESET
    assert heard == sorted(set(heard))
    assert (
        "".join(heard)
        in {
            0: {"abcdef", "bcdef", "cdef"},
            1: {"acdef", "adef"},
            2: {"abdef", "abef"},
        }[n_heard]
    )


async def test_what_is_said_during_a_flush_comes_after_it(played, autojump_clock):
    """However long that takes."""
    heard = []

    async def reads_slowly(peer):
        await peer.open()
        while True:
            await trio.sleep(1.0)
            heard.append((await peer.hear())[:1])

    life = played(reads_slowly).client(first_due_at=1.0)
    for letter in "abc":
        life.client.send(letter * LARGE)
    await trio.sleep_until(2.5)
    assert heard == ["a"]
    life.client.send("d")
    await trio.sleep_until(20)
    assert heard == ["a", "b", "c", "d"]
    assert life.of(Disconnected) == []


async def test_a_listener_may_answer(stub, autojump_clock):
    """From within the very call that tells it what was heard."""
    world = await stub()

    def answer(event):
        if getattr(event, "text", "") == "one":
            life.client.send("two")

    life = world.client(listeners=[answer])
    await trio.sleep_until(1)
    life.client.send("one")
    await trio.sleep_until(2)
    assert life.texts == ["one", "two"]


async def test_a_client_that_has_ended_takes_nothing(stub, autojump_clock):
    """It would never be sent."""
    life = (await stub()).client()
    await trio.sleep_until(1)
    await life.client.aclose()
    assert life.client.send("too late") == (Offer.REFUSED, "too late")
