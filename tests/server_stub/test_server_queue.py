"""Who is served when, who is turned away, and what it costs (RULES 6 to 10 and 17)."""

import pytest
import trio

from server_stub.config import ServiceTime
from server_stub.draws import Purpose, uniform
from server_stub.service import service_time


async def answers(peers, until):
    """What each peer has met by then."""
    await trio.sleep_until(until)
    return [peer.answer for peer in peers]


async def test_a_free_worker_starts_at_once(autojump_clock, node):
    """A service takes its time and nothing else."""
    stub = await node(workers=2)
    peers = [await stub.peer(client, at=0.5 * client) for client in range(2)]
    assert await answers(peers, 9) == [(101, 1.0), (101, 1.5)]


async def test_those_who_wait_are_served_in_the_order_of_their_arrival(autojump_clock, node):
    """The backlog is first in, first out."""
    stub = await node()
    peers = [await stub.peer(client, at=0.1 * client) for client in range(4)]
    assert await answers(peers, 9) == [(101, 1.0), (101, 2.0), (101, 3.0), (101, 4.0)]


async def test_the_kth_of_a_simultaneous_crowd_connects_at_k_over_capacity(autojump_clock, node):
    """Whichever order the crowd is heard in."""
    stub = await node(workers=2)
    peers = [await stub.peer(client) for client in range(6)]
    assert sorted(await answers(peers, 9)) == [(101, at) for at in (1, 1, 2, 2, 3, 3)]


async def test_a_worker_that_was_idle_starts_with_the_arrival(autojump_clock, node):
    """Idle time is not saved up."""
    stub = await node()
    peers = [await stub.peer(client, at=5.0 * client) for client in range(2)]
    assert await answers(peers, 9) == [(101, 1.0), (101, 6.0)]


async def test_those_in_service_do_not_count_as_waiting(autojump_clock, node):
    """With a backlog of 1, one is served, one waits, and the third is one too many."""
    stub = await node(backlog=1)
    peers = [await stub.peer(client, at=0.1 * client) for client in range(3)]
    assert await answers(peers, 9) == [(101, 1.0), (101, 2.0), (503, 0.2)]


async def test_without_a_backlog_only_free_workers_take_anyone(autojump_clock, node):
    """A backlog of 0 is a pure loss system."""
    stub = await node(backlog=0)
    peers = [await stub.peer(client, at=0.6 * client) for client in range(3)]
    assert await answers(peers, 9) == [(101, 1.0), (503, 0.6), (101, 2.2)]


async def test_a_departure_makes_room_before_an_arrival_at_the_same_instant(autojump_clock, node):
    """The worker that frees at 1 s takes the arrival of 1 s."""
    stub = await node(backlog=0)
    peers = [await stub.peer(client, at=1.0 * client) for client in range(3)]
    assert await answers(peers, 9) == [(101, 1.0), (101, 2.0), (101, 3.0)]


@pytest.mark.parametrize(("seconds", "header"), [(None, None), (3.0, b"3"), (2.2, b"3")])
async def test_overflow_reject_says_when_to_come_back(autojump_clock, node, seconds, header):
    """Retry-After counts whole seconds, so it is rounded up; unset, there is none."""
    stub = await node(backlog=0, retry_after=seconds)
    peers = [await stub.peer(client, at=0.1 * client) for client in range(2)]
    assert await answers(peers, 9) == [(101, 1.0), (503, 0.1)]
    assert peers[1].headers.get(b"retry-after") == header


async def test_overflow_reset_resets(autojump_clock, node):
    """Without an answer."""
    stub = await node(backlog=0, overflow="reset")
    peers = [await stub.peer(client, at=0.1 * client) for client in range(2)]
    assert await answers(peers, 9) == [(101, 1.0), ("reset", 0.1)]
    assert stub.recorder.totals["rejected"] == 1


async def test_overflow_drop_leaves_arrivals_in_the_kernels_queue(autojump_clock, node):
    """They are not accepted until there is room, and then in order."""
    stub = await node(backlog=1, overflow="drop", listen_backlog=9)
    peers = [await stub.peer(client, at=0.1 * client) for client in range(5)]
    assert stub.recorder.totals["arrivals"] == 2
    assert await answers(peers, 9) == [(101, at) for at in (1, 2, 3, 4, 5)]
    assert stub.recorder.totals == {
        "arrivals": 5, "admitted": 5, "completed": 5, "wasted": 0, "rejected": 0, "malformed": 0,
    }  # fmt: skip


async def test_beyond_the_kernels_queue_a_dial_gets_no_answer(autojump_clock, node):
    """The SYN is sent again later, and each is a new try to enter the queue."""
    stub = await node(backlog=0, overflow="drop", listen_backlog=1, syn_retry_at=(1.0, 1.5, 3.5))
    # One is served from 0 s, two are in the kernel's queue, two find it full.
    peers = [await stub.peer(client, at=0.1 * client) for client in range(5)]
    # At 1.3 s the fourth SYN finds the place that was left at 1 s; at 1.4, 1.9 and 3.9 s the
    # fifth finds none, none, and one of two.
    assert await answers(peers, 9) == [(101, at) for at in (1, 2, 3, 4, 5)]


async def test_a_dial_whose_syns_are_never_answered_fails(autojump_clock, node):
    """With the last of them."""
    stub = await node(backlog=0, overflow="drop", listen_backlog=1, syn_retry_at=(0.1, 0.2))
    peers = [await stub.peer(client, at=0.1 * client) for client in range(4)]
    assert await answers(peers, 0.9) == [None, None, None, ("unreachable", 0.5)]


@pytest.mark.parametrize("departs", ["leaves", "breaks"])
@pytest.mark.parametrize(
    ("abandoned", "last_at", "spent"), [("serve", 3.0, (3, 1)), ("skip", 2.0, (2, 0))]
)
async def test_service_is_spent_on_those_who_left_the_queue_only_under_serve(
    autojump_clock, node, *, departs, abandoned, last_at, spent
):
    """However they left."""
    stub = await node(abandoned=abandoned)
    peers = [await stub.peer(client, at=0.1 * client) for client in range(3)]
    await trio.sleep_until(0.5)
    getattr(peers[1], departs)()
    assert await answers(peers, 9) == [(101, 1.0), None, (101, last_at)]
    assert (stub.recorder.totals["completed"], stub.recorder.totals["wasted"]) == spent


@pytest.mark.parametrize("departs", ["leaves", "breaks"])
@pytest.mark.parametrize(
    ("abandoned", "last_at", "spent"), [("serve", 2.0, (2, 1)), ("skip", 1.5, (1, 0))]
)
async def test_a_service_under_way_is_cut_short_only_under_skip(
    autojump_clock, node, *, departs, abandoned, last_at, spent
):
    """The worker turns to the next at once."""
    stub = await node(abandoned=abandoned)
    peers = [await stub.peer(client, at=0.1 * client) for client in range(2)]
    await trio.sleep_until(0.5)
    getattr(peers[0], departs)()
    assert await answers(peers, 9) == [None, (101, last_at)]
    assert (stub.recorder.totals["completed"], stub.recorder.totals["wasted"]) == spent


@pytest.mark.parametrize(("abandoned", "answer"), [("serve", (503, 0.6)), ("skip", (101, 2.0))])
async def test_who_left_keeps_a_place_in_the_backlog_only_under_serve(
    autojump_clock, node, abandoned, answer
):
    """So that under serve the dead turn the living away."""
    stub = await node(abandoned=abandoned, backlog=1)
    peers = [await stub.peer(client, at=0.1 * client) for client in range(2)]
    await trio.sleep_until(0.5)
    peers[1].leaves()
    late = await stub.peer(2, at=0.6)
    assert await answers([late], 9) == [answer]


async def test_who_left_after_the_101_wasted_nothing(autojump_clock, node):
    """Goodput is what a client still wanted when it was done."""
    stub = await node()
    peer = await stub.peer()
    await trio.sleep_until(1.5)
    peer.leaves()
    await trio.sleep_until(2)
    assert stub.recorder.totals["completed"] == 1
    assert stub.recorder.totals["wasted"] == 0


async def test_beyond_max_connections_arrivals_are_turned_away(autojump_clock, node):
    """Open connections and those at the desk count; who leaves makes room."""
    stub = await node(workers=9, max_connections=2)
    first = await stub.peer(0, at=0)
    peers = [await stub.peer(client, at=1.5 + 0.1 * client) for client in range(2)]
    assert await answers(peers, 4) == [(101, 2.5), (503, 1.6)]
    first.leaves()
    peers = [await stub.peer(client, at=4.1 + 0.1 * client) for client in range(2)]
    assert await answers(peers, 9) == [(101, 5.1), (503, 4.2)]


async def test_max_connections_under_drop_leaves_arrivals_in_the_kernels_queue(
    autojump_clock, node
):
    """An overflow is met in the same way, whatever the limit."""
    stub = await node(workers=9, max_connections=1, overflow="drop")
    first = await stub.peer(0, at=0)
    second = await stub.peer(1, at=2)
    assert await answers([first, second], 5) == [(101, 1.0), None]
    first.leaves()
    assert await answers([second], 9) == [(101, 6.0)]


async def test_the_ramp_passes_the_desk_by(autojump_clock, node):
    """The fleet assembles at once, whatever the queue."""
    stub = await node(backlog=0)
    await stub.peer(0)
    ramped = [await stub.peer(client, at=0.5, episode=0) for client in (1, 2)]
    assert [peer.answer for peer in ramped] == [(101, 0.5), (101, 0.5)]
    await trio.sleep_until(5)
    assert stub.recorder.totals["admitted"] == 3
    assert stub.recorder.totals["completed"] == 1


async def test_service_times_are_keyed_by_who_asks(autojump_clock, node):
    """Client, episode and attempt decide, not the order of arrival."""
    spec = ServiceTime(kind="exponential", mean=1.0)
    stub = await node(workers=9, service_time=spec, seed=7)
    asked = [(3, 1, 1), (0, 2, 1), (0, 2, 5)]
    peers = [await stub.peer(c, episode=e, attempt=a) for c, e, a in asked]
    due = [service_time(spec, uniform(7, Purpose.SERVICE, *key)) for key in asked]
    assert await answers(peers, 90) == [(101, pytest.approx(at)) for at in due]


@pytest.mark.parametrize(
    "target", ["/", "/?client=x&episode=1&attempt=1", "/?client=1", "//[", "*"]
)
async def test_foreign_clients_are_numbered_by_arrival(autojump_clock, node, target):
    """Who does not say who it is is served all the same."""
    spec = ServiceTime(kind="exponential", mean=1.0)
    stub = await node(workers=9, service_time=spec)
    peers = [await stub.peer(target=target) for _ in range(2)]
    due = [service_time(spec, uniform(1, Purpose.SERVICE, n, 1, 1)) for n in range(2)]
    assert await answers(peers, 90) == [(101, pytest.approx(at)) for at in due]


async def test_on_a_virtual_clock_no_service_lags(autojump_clock, node):
    """What is due is done."""
    stub = await node()
    for client in range(3):
        await stub.peer(client)
    await trio.sleep_until(9)
    assert stub.rows("services") == [(pytest.approx(at), pytest.approx(0)) for at in (1, 2, 3)]


async def test_levels_are_written_down_as_they_change(autojump_clock, node):
    """How many wait, are served and are connected."""
    stub = await node(workers=2)
    for client in range(5):
        await stub.peer(client)
    await trio.sleep_until(9)
    stub.recorder.close(9)
    levels = [
        tuple(stub.level(name, at) for name in ("connected", "backlog", "busy_workers"))
        for at in (0.5, 1.5, 2.5, 3.5)
    ]
    assert levels == [(0, 3, 2), (2, 1, 2), (4, 0, 1), (5, 0, 0)]
