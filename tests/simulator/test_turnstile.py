"""The ceiling on connects per second holds, whoever comes when, and counts what it holds back."""

from itertools import pairwise

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from simulator.turnstile import Turnstile

RATE = 10.0


async def passages(turnstile, arrivals):
    """When each of them passes that comes at these instants."""
    passed = {}

    async def come(place, at):
        await trio.sleep_until(at)
        await turnstile()
        passed[place] = trio.current_time()

    async with trio.open_nursery() as nursery:
        for place, at in enumerate(arrivals):
            nursery.start_soon(come, place, at)
    return [passed[place] for place in range(len(arrivals))]


async def test_who_comes_alone_passes_at_once(autojump_clock):
    """Below the ceiling nobody waits, and nobody is counted."""
    turnstile = Turnstile(RATE)
    assert await passages(turnstile, [0.0, 0.1, 0.2, 5.0]) == pytest.approx([0.0, 0.1, 0.2, 5.0])
    assert (turnstile.n_held, turnstile.longest, turnstile.n_waiting) == (0, 0.0, 0)


async def test_a_herd_passes_at_the_rate(autojump_clock):
    """One every tenth of a second; all but the first were held back, the last for longest."""
    turnstile = Turnstile(RATE)
    passed = await passages(turnstile, [0.0] * 21)
    assert sorted(passed) == pytest.approx([place / RATE for place in range(21)])
    assert turnstile.n_held == 20
    assert turnstile.longest == pytest.approx(2.0)


async def test_silence_saves_nothing_up(autojump_clock):
    """There is no burst after it: the server is as easily hurt as before."""
    passed = await passages(Turnstile(RATE), [0.0, 100.0, 100.0, 100.0])
    assert sorted(passed) == pytest.approx([0.0, 100.0, 100.1, 100.2])


async def test_first_come_first_served(autojump_clock):
    """In the order of arrival."""
    arrivals = [0.01 * place for place in range(20)]
    passed = await passages(Turnstile(RATE), arrivals)
    assert passed == sorted(passed)


async def test_a_busy_process_makes_up_for_nothing(mock_clock):
    """If nobody looks at the clock for a second, the ten due then do not leave at once."""
    turnstile = Turnstile(RATE)
    passed = []

    async def come():
        await turnstile()
        passed.append(trio.current_time())

    async with trio.open_nursery() as nursery:
        for _ in range(12):
            nursery.start_soon(come)
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(13):
            mock_clock.jump(1.0)
            await trio.testing.wait_all_tasks_blocked()
    assert min(later - earlier for earlier, later in pairwise(passed)) >= 0.1


async def test_who_leaves_the_queue_holds_nobody_up(autojump_clock):
    """A client that is closed while it waits."""
    turnstile = Turnstile(RATE)
    await turnstile()
    with trio.move_on_after(0.05):
        await turnstile()
    assert turnstile.n_waiting == 0
    assert await passages(turnstile, [0.06]) == pytest.approx([0.1])


async def test_the_assembly_is_not_counted(autojump_clock):
    """What the ceiling does to the ramp is in no metric."""
    turnstile = Turnstile(RATE)
    await passages(turnstile, [0.0] * 5)
    turnstile.begin()
    assert (turnstile.n_held, turnstile.longest) == (0, 0.0)


@given(arrivals=st.lists(st.floats(0, 5), max_size=30), rate=st.floats(1, 50))
def test_no_two_are_closer_than_the_rate_allows(arrivals, rate):
    """For whatever arrivals; and nobody passes before it came."""
    clock = trio.testing.MockClock(autojump_threshold=0)
    passed = trio.run(passages, Turnstile(rate), arrivals, clock=clock)
    in_order = sorted(passed)
    for earlier, later in pairwise(in_order):
        assert later - earlier >= 1 / rate - 1e-6
    assert all(at >= came - 1e-9 for at, came in zip(passed, arrivals, strict=True))
