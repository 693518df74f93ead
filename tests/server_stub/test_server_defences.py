"""How a node defends itself: whom it turns away, by which rule, and what they are told."""

import pytest
import trio

from server_stub.doorkeeper import Reason
from server_stub.tables import turned_away_by
from server_stub.wire import address_of

from .test_server_queue import answers

HERE, THERE = "203.0.113.7", "203.0.113.8"
NOBODY_SERVED = {"workers": 1, "service_time": {"kind": "constant", "mean": 1000.0}}


def turned_away(stub):
    """How many, by the rule that did it."""
    stub.recorder.close(trio.current_time())
    columns = stub.recorder.server.columns()
    counts = {reason.value: columns[turned_away_by(reason)].sum() for reason in Reason}
    return {reason: count for reason, count in counts.items() if count}


async def test_lifo_serves_who_came_last(autojump_clock, node):
    """The first to wait is the last to be served."""
    stub = await node(order="lifo")
    peers = [await stub.peer(client, at=0.1 * client) for client in range(5)]
    assert await answers(peers, 9) == [(101, at) for at in (1.0, 5.0, 4.0, 3.0, 2.0)]


async def test_lifo_serves_the_patient_first_where_fifo_serves_the_gone(autojump_clock, node):
    """Each client waits 2.5 s; services take 1 s, and one comes every 0.5 s.

    In order of arrival the k-th waits k/2 s, so that all but the first four have left when their
    turn comes. The other way round, the worker always has somebody at hand who has just come.
    """
    n_served = {}
    for order in ("fifo", "lifo"):
        stub = await node(order=order)
        start = trio.current_time()
        peers = []
        for turn in range(45):
            await trio.sleep_until(start + 0.5 * turn + 0.1)
            if turn < 40:
                peers.append(await stub.peer(turn))
            if turn >= 5 and peers[turn - 5].answer is None:
                peers[turn - 5].leaves()
        n_served[order] = sum(peer.answer is not None for peer in peers)
        stub.life.cancel()
    assert n_served == {"fifo": 4, "lifo": 21}


async def test_admission_by_queue_turns_away_from_its_limit_on(autojump_clock, node):
    """Though the backlog has places left."""
    stub = await node(admission={"kind": "queue", "limit": 2}, backlog=400)
    peers = [await stub.peer(client, at=0.1 * client) for client in range(5)]
    found = await answers(peers, 9)
    assert found == [(101, 1.0), (101, 2.0), (101, 3.0), (503, 0.3), (503, 0.4)]
    assert turned_away(stub) == {"admission": 2}


async def test_admission_by_quota_admits_burst_plus_rate_times_t(autojump_clock, node):
    """Of twenty connects a second for five seconds: 4 + 2 * 5."""
    stub = await node(
        workers=100,
        service_time={"kind": "constant", "mean": 0.01},
        admission={"kind": "token_bucket", "rate": 2.0, "burst": 4},
    )
    peers = [await stub.peer(client, at=0.05 * client) for client in range(101)]
    admitted = [peer for peer in peers if (await answers([peer], 9))[0][0] == 101]
    assert len(admitted) == 4 + 2 * 5
    assert turned_away(stub) == {"admission": 101 - 14}


async def test_a_quota_with_drop_leaves_the_others_in_the_kernels_queue(autojump_clock, node):
    """As a proxy does that limits the rate at which it accepts: they wait for their tokens."""
    stub = await node(
        workers=100,
        service_time={"kind": "constant", "mean": 0.125},
        admission={"kind": "token_bucket", "rate": 2.0, "burst": 2},
        overflow="drop",
    )
    peers = [await stub.peer(client) for client in range(6)]
    at = [0.125, 0.125, 0.625, 1.125, 1.625, 2.125]
    assert await answers(peers, 9) == [(101, pytest.approx(each)) for each in at]
    assert turned_away(stub) == {}


async def test_a_refused_arrival_meets_the_overflow(autojump_clock, node):
    """A reset, if so configured."""
    stub = await node(admission={"kind": "token_bucket", "rate": 1.0, "burst": 1}, overflow="reset")
    peers = [await stub.peer(client) for client in range(2)]
    assert await answers(peers, 9) == [(101, 1.0), ("reset", 0.0)]


async def test_the_ramp_passes_the_rules_by(autojump_clock, node):
    """The fleet assembles; its connections count from then on."""
    stub = await node(
        admission={"kind": "token_bucket", "rate": 1.0, "burst": 1},
        max_per_address={"connections": 2},
    )
    ramped = [await stub.connected(client, address=HERE) for client in range(3)]
    late = [await stub.peer(client, address=HERE) for client in (7, 8)]
    assert await answers(late, 0.5) == [(429, 0.0)] * 2
    for peer in ramped:
        peer.leaves()
    peer = await stub.peer(9, at=1.0, address=HERE)
    assert await answers([peer], 9) == [(101, 2.0)]


async def test_an_address_has_its_own_limit_of_connections(autojump_clock, node):
    """Open or being served; the others are answered 429."""
    stub = await node(workers=9, max_per_address={"connections": 2}, retry_after=7.0)
    peers = [await stub.peer(client, address=HERE) for client in range(4)]
    other = await stub.peer(9, address=THERE)
    found = await answers([*peers, other], 5)
    assert found == [(101, 1.0), (101, 1.0), (429, 0.0), (429, 0.0), (101, 1.0)]
    assert peers[3].headers[b"retry-after"] == b"7"
    assert turned_away(stub) == {"max_per_address": 2}


async def test_an_address_has_its_own_rate_of_connects(autojump_clock, node):
    """A 429 says when its next token comes, in whole seconds."""
    stub = await node(workers=9, max_per_address={"rate": 0.25, "burst": 1})
    peers = [await stub.peer(client, at=client, address=HERE) for client in range(3)]
    late = await stub.peer(7, at=4.0, address=HERE)
    other = await stub.peer(9, at=4.0, address=THERE)
    found = await answers([*peers, late, other], 9)
    assert found == [(101, 1.0), (429, 1.0), (429, 2.0), (101, 5.0), (101, 5.0)]
    assert [peer.headers.get(b"retry-after") for peer in peers] == [None, b"3", b"2"]


async def test_who_is_turned_away_by_an_address_limit_may_not_know_when_to_return(
    autojump_clock, node
):
    """The node cannot tell when a connection will end, and has no advice of its own."""
    stub = await node(workers=9, max_per_address={"connections": 1})
    peers = [await stub.peer(client, address=HERE) for client in range(2)]
    await trio.sleep_until(2)
    assert peers[1].answer == (429, 0.0)
    assert b"retry-after" not in peers[1].headers


async def test_peers_without_a_proxy_are_told_apart_by_their_own_address(autojump_clock, node):
    """In memory all come from one machine."""
    stub = await node(workers=9, max_per_address={"connections": 1})
    peers = [await stub.peer(client) for client in range(2)]
    assert await answers(peers, 5) == [(101, 1.0), (429, 0.0)]


@pytest.mark.parametrize(
    ("header", "address"),
    [
        (None, "192.0.2.1"),
        ("", "192.0.2.1"),
        (HERE, HERE),
        (f"{THERE}, {HERE}", HERE),
        (f"anything at all,{HERE} ", HERE),
    ],
)
def test_an_address_is_what_the_nearest_proxy_says(header, address):
    """What a client says of itself comes before that, and counts for nothing."""
    headers = {} if header is None else {"x-forwarded-for": header}
    assert address_of(headers, "192.0.2.1") == address


async def test_each_rule_has_its_own_count(autojump_clock, node):
    """Whoever is turned away is counted once, by the first rule that objects."""
    stub = await node(
        **NOBODY_SERVED,
        backlog=1,
        max_connections=3,
        admission={"kind": "token_bucket", "rate": 0.001, "burst": 5},
        max_per_address={"rate": 0.001, "burst": 6},
    )
    for client in range(8):
        await stub.peer(client)
    assert turned_away(stub) == {"backlog": 3, "admission": 1, "max_per_address": 2}
    assert stub.recorder.totals["rejected"] == 6


async def test_a_window_that_grows_with_the_queue_is_told(autojump_clock, node):
    """Ten seconds for each that waits."""
    stub = await node(**NOBODY_SERVED, backlog=3, retry_after={"per_waiting": 10.0})
    peers = [await stub.peer(client) for client in range(200)]
    seconds = [int(peer.headers[b"retry-after"]) for peer in peers[4:]]
    assert min(seconds) <= 2
    assert 28 <= max(seconds) <= 30
