"""What a user does reaches the server once and in order, connected or not."""

import pytest
import trio

from server_stub.draws import Purpose
from server_stub.ledger import LedgerConfig
from server_stub.messages import Ack, Nack, Operation
from simulator.core.lifecycle import Connected, Disconnected

ANSWER_TIMEOUT = 10.0


def keys(n):
    """The keys of the first n operations of client 0."""
    return [f"test-0-{sequence}" for sequence in range(n)]


@pytest.fixture
def phase(draw):
    """When client 0 first does something, at one operation per second."""
    return draw(Purpose.OPERATION, 0)


async def test_operations_go_out_as_they_come(stub, phase, autojump_clock):
    """At the rate of the user, from a phase of its own, while the client is connected."""
    world = await stub()
    life = world.client(operation_rate=1.0)
    await trio.sleep_until(phase + 4.5)
    assert world.backend.applied == keys(5)
    assert life.client.conversation.outbox.n_pending == 0


async def test_operations_wait_for_a_connection(stub, outage, phase, autojump_clock):
    """Those of an outage are dated when they were due, and flushed in order after it."""
    world = await stub(outage())
    life = world.client(operation_rate=1.0)
    await trio.sleep_until(12)
    n_before = len(world.backend.applied)
    life.client.conversation.finish(trio.current_time())
    waiting = life.storage.pending(0)
    assert [operation.enqueued_at for operation in waiting] == pytest.approx(
        [phase + turn for turn in range(n_before, n_before + len(waiting))]
    )
    assert len(waiting) == 2
    await trio.sleep_until(phase + 20.5)
    assert world.backend.applied == keys(21)
    assert [answer.duplicate for answer in world.backend.answers] == [False] * 21


def takes(answers, heard, *, until=None):
    """A script: note each operation and give the next answer, if any, made from its key."""

    async def play(peer):
        await peer.open()
        for answer in answers:
            operation = await peer.hear_message()
            heard.append((trio.current_time(), operation.key))
            if answer is not None:
                await peer.say(answer(operation.key))
        if until is not None:
            await trio.sleep_until(until)
            peer.stream.reset()
        else:
            await trio.sleep_forever()

    return play


async def test_one_at_a_time(played, phase, autojump_clock):
    """The next one leaves when the answer to the last has come."""
    heard = []

    async def answers_late(peer):
        await peer.open()
        while True:
            message = await peer.hear_message()
            assert isinstance(message, Operation)
            heard.append((trio.current_time(), message.key))
            await trio.sleep(3.0)
            await peer.say(Ack(message.key))

    played(answers_late).client(operation_rate=1.0)
    await trio.sleep_until(phase + 10)
    assert heard == [(pytest.approx(phase + 3.0 * turn), key) for turn, key in enumerate(keys(4))]


async def test_an_answer_that_does_not_come_is_asked_for_again(played, phase, autojump_clock):
    """With the same key, after ten seconds, and nothing else goes out meanwhile."""
    heard = []
    script = takes([None, None, Ack, Ack], heard)
    played(script).client(operation_rate=0.1)
    first_at = phase / 0.1
    await trio.sleep_until(first_at + 21)
    one, two = keys(2)
    assert heard == [
        (pytest.approx(first_at), one),
        (pytest.approx(first_at + ANSWER_TIMEOUT), one),
        (pytest.approx(first_at + 2 * ANSWER_TIMEOUT), one),
        (pytest.approx(first_at + 2 * ANSWER_TIMEOUT), two),
    ]


async def test_a_late_answer_counts(played, phase, autojump_clock):
    """It is about the operation that is still outstanding, whichever copy it answers."""

    async def answers_the_first_copy_late(peer):
        await peer.open()
        first = await peer.hear_message()
        await peer.hear_message()
        await peer.say(Ack(first.key))
        await trio.sleep_forever()

    life = played(answers_the_first_copy_late).client(operation_rate=0.01)
    await trio.sleep_until(phase / 0.01 + 15)
    assert life.client.conversation.outbox.n_acknowledged == 1


async def test_a_rejected_operation_blocks_nobody(played, autojump_clock):
    """It is set aside with the reason; those behind it follow."""
    heard = []
    script = takes([Ack, lambda key: Nack(key, "no such room"), Ack], heard)
    life = played(script).client(operation_rate=1.0)
    await trio.sleep_until(5)
    assert [key for _, key in heard] == keys(3)
    (aside,) = life.storage.list_set_aside(0)
    assert (aside.operation.key, aside.reason) == (keys(2)[1], "no such room")


async def test_an_answer_that_was_lost_is_asked_for_again(played, autojump_clock):
    """After the reconnect, with the same key, before anything else."""
    heard = []
    world = played(takes([Ack, None], heard, until=5.0), takes([Ack] * 9, heard))
    life = world.client(operation_rate=1.0)
    await trio.sleep_until(8)
    assert [event.at for event in life.of(Disconnected)] == [5.0]
    assert [key for _, key in heard][:4] == [keys(1)[0], keys(2)[1], keys(2)[1], keys(3)[2]]
    assert heard[2][0] == life.of(Connected)[1].at


@pytest.mark.parametrize("kind", ["graceful", "crash", "freeze"])
async def test_every_operation_is_applied_once(stub, outage, kind, autojump_clock):
    """Whatever is lost on the way, in either direction; the ledger knows a copy."""
    world = await stub(outage(kind, every=7.0, count=5))
    life = world.client(operation_rate=20.0, heartbeat={"interval": 2.0, "timeout": 1.0})
    for cut_at in (5.0, 22.0, 29.0):
        await trio.sleep_until(cut_at)
        world.path.cut("down")  # What is asked arrives, what is answered does not.
        await trio.sleep(4.0)
        world.path.heal()
    await trio.sleep_until(60)
    assert len(life.of(Connected)) > 3
    applied = world.backend.applied
    assert applied == keys(len(applied))
    assert len(applied) >= 59 * 20
    assert any(answer.duplicate for answer in world.backend.answers)
    assert world.backend.n_reapplied[0] == 0


async def test_a_ledger_that_forgets_applies_a_copy(stub, autojump_clock):
    """The client can do nothing about it: that is what the server must remember keys for."""
    world = await stub(
        {"kind": "crash", "starts_at": 7.0, "down_for": 1.0},
        ledger=LedgerConfig(survives_restart=False),
    )
    world.client(operation_rate=10.0, heartbeat={"interval": 0.5, "timeout": 0.5})
    await trio.sleep_until(5)
    world.path.cut("down")
    await trio.sleep_until(8)
    world.path.heal()
    await trio.sleep_until(20)
    assert world.backend.n_reapplied[0] == 1
