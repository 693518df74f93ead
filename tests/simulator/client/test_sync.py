"""What a client hears of a stream of events: each once and in order, whatever happens between."""

import math

import pytest
import trio

from server_stub.history import HistoryConfig
from server_stub.messages import Batch, Event, Snapshot, Sync
from simulator.core.lifecycle import Connected

FULL = Sync(None, 0)
HISTORY = {"rate": 2.0}
"""An event every half second, the first at t = 0."""


@pytest.fixture
def following(stub, outage):
    """Starts the stub with a history, and an outage: the client has seen the events up to 21."""

    async def start(kind="crash", *, down_for=3.0, **history):
        return await stub(
            outage(kind, starts_at=10.1, down_for=down_for),
            history=HistoryConfig(**HISTORY | history),
        )

    return start


async def test_the_first_connection_takes_over_the_whole_state(following, autojump_clock):
    """A client that has seen nothing asks for everything, then applies what happens."""
    world = await following()
    life = world.client(sync="delta")
    await trio.sleep_until(1.25)
    assert life.updates == [(Snapshot(1, 1), []), (None, [2]), (None, [3])]
    assert life.client.conversation.synced_at == 0.02


async def test_missed_events_are_replayed(following, autojump_clock):
    """Once, in order, in one batch; and live ones go on behind them."""
    world = await following()
    life = world.client(sync="delta")
    await trio.sleep_until(20.25)
    back_at = life.of(Connected)[1].at
    assert world.backend.syncs == [(FULL, Snapshot(1, 1)), (Sync(1, 21), Batch(1, 22, 28))]
    assert (None, list(range(22, 29))) in life.updates
    assert life.ids == list(range(2, 42))
    conversation = life.client.conversation
    assert (conversation.n_delta_sync, conversation.n_full_refresh) == (1, 0)
    assert conversation.synced_at == back_at


async def test_a_history_too_short_needs_a_refresh(following, autojump_clock):
    """The first event missed is forgotten: only the whole state helps."""
    world = await following(max_events=5)
    life = world.client(sync="delta")
    await trio.sleep_until(20.25)
    assert world.backend.syncs[1] == (Sync(1, 21), Snapshot(1, 28))
    assert (Snapshot(1, 28), []) in life.updates
    assert life.ids == [*range(2, 22), *range(29, 42)]
    conversation = life.client.conversation
    assert (conversation.n_delta_sync, conversation.n_full_refresh) == (0, 1)


async def test_a_history_that_is_lost_begins_anew(following, autojump_clock):
    """Ids that the client has seen before mean other events now."""
    world = await following(survives_restart=False)
    life = world.client(sync="delta")
    await trio.sleep_until(20.25)
    assert world.backend.syncs[1] == (Sync(1, 21), Snapshot(2, 1))
    assert life.ids == [*range(2, 22), *range(2, 15)]
    assert life.client.conversation.cursor.epoch == 2


async def test_a_client_may_always_ask_for_everything(following, autojump_clock):
    """As clients without delta sync do."""
    world = await following()
    life = world.client(sync="full")
    await trio.sleep_until(20.25)
    assert world.backend.syncs == [(FULL, Snapshot(1, 1)), (FULL, Snapshot(1, 28))]
    assert life.ids == [*range(2, 22), *range(29, 42)]
    assert life.client.conversation.n_full_refresh == 1


async def test_a_client_without_sync_misses_events(following, autojump_clock):
    """It counts the steps in their ids, and asks for nothing."""
    world = await following()
    life = world.client()
    await trio.sleep_until(20.25)
    assert world.backend.syncs == []
    assert life.updates == []
    conversation = life.client.conversation
    assert (conversation.n_events_missed, conversation.gaps.n_heard) == (7, 41 - 1 - 7)
    assert math.isnan(conversation.synced_at)


async def test_a_thaw_brings_what_waited(following, autojump_clock):
    """A freeze that nobody noticed needs no sync."""
    world = await following("freeze")
    life = world.client(sync="delta")
    await trio.sleep_until(20.25)
    assert len(world.backend.syncs) == 1
    assert life.ids == list(range(2, 2 + len(life.ids)))


async def test_a_cut_path_brings_what_waited(following, autojump_clock):
    """So does a silence of the network."""
    world = await following(down_for=0.1)
    life = world.client(sync="delta", first_due_at=12.0)
    await trio.sleep_until(14.25)
    world.path.cut("down")
    await trio.sleep_until(17.25)
    assert life.ids[-1] == 29
    world.path.heal()
    await trio.sleep_until(17.3)
    assert life.ids == list(range(26, 36))
    assert len(world.backend.syncs) == 1


# What a server may do that ours does not


async def test_a_gap_is_noticed(played, autojump_clock):
    """A live event that is not the next one: the client asks for those in between."""
    asked = []

    async def skips(peer):
        await peer.open()
        asked.append(await peer.hear_message())
        await peer.say(Snapshot(1, 5))
        await peer.say(Event(1, 6))
        await peer.say(Event(1, 9))
        asked.append(await peer.hear_message())
        await peer.say(Batch(1, 7, 9))
        await trio.sleep_forever()

    life = played(skips).client(sync="delta")
    await trio.sleep_until(1)
    assert asked == [FULL, Sync(1, 6)]
    assert life.ids == [6, 7, 8, 9]


async def test_what_comes_twice_is_applied_once(played, autojump_clock):
    """A batch that overlaps live events, and then comes again."""

    async def repeats(peer):
        await peer.open()
        await peer.hear()
        await peer.say(Snapshot(1, 5))
        await trio.sleep(1.0)
        peer.stream.reset()

    async def repeats_more(peer):
        await peer.open()
        assert await peer.hear_message() == Sync(1, 5)
        for message in (Event(1, 6), Batch(1, 6, 8), Batch(1, 6, 8), Event(1, 8), Event(1, 9)):
            await peer.say(message)
        await trio.sleep_forever()

    life = played(repeats, repeats_more).client(sync="delta")
    await trio.sleep_until(5)
    assert life.ids == [6, 7, 8, 9]


async def test_a_sync_that_was_cut_short_is_made_up_for(played, autojump_clock):
    """The next connection asks again, from where the client really is."""
    asked = []

    async def dies(peer):
        await peer.open()
        asked.append(await peer.hear_message())
        peer.stream.reset()

    async def lives(peer):
        await peer.open()
        asked.append(await peer.hear_message())
        await peer.say(Snapshot(1, 5))
        await trio.sleep_forever()

    life = played(dies, lives).client(sync="delta")
    await trio.sleep_until(5)
    assert asked == [FULL, FULL]
    assert life.updates == [(Snapshot(1, 5), [])]
    assert life.client.conversation.synced_at == life.of(Connected)[1].at
