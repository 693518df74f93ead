"""What a connect meets at the stages beside the node's own workers (RULES 11)."""

import numpy as np
import pytest
import trio

from server_stub.draws import Purpose, uniform
from server_stub.messages import Batch, Event, Snapshot, Sync, decode, encode
from server_stub.service import service_time
from server_stub.service_time import ServiceTime

EXPONENTIAL = {"kind": "exponential", "mean": 1.0}


def stage(name="db", seconds=1.0, **fields):
    """One worker, one second per job, without end of patience or places unless told otherwise."""
    spec = {"kind": "constant", "mean": seconds}
    return {"name": name, "workers": 1, "service_time": spec, "backlog": 10**6, **fields}


def quick(**fields):
    """A node whose own workers are no obstacle."""
    return {"workers": 100, "service_time": {"kind": "constant", "mean": 1e-9}, **fields}


async def crowd(stub, n, **options):
    """So many peers at once."""
    return [await stub.peer(client, **options) for client in range(n)]


async def guests(stub, n):
    """So many peers that are connected, as those are who passed all that stands before the 101."""
    peers = await crowd(stub, n)
    await trio.sleep(1e-6)
    assert {peer.answer[0] for peer in peers} == {101}
    return peers


def met(peer):
    """What a peer has met, and when, to a millisecond."""
    return peer.answer and (peer.answer[0], round(peer.answer[1], 3))


def heard(peer):
    """The answers that a peer got on the open connection, and when, to a millisecond."""
    messages = [(decode(text), round(at, 3)) for text, at in peer.heard]
    return [(message, at) for message, at in messages if not isinstance(message, Event)]


async def answers(peers, until):
    """What each peer has met by then."""
    await trio.sleep_until(until)
    return [met(peer) for peer in peers]


# Before the 101


async def test_a_connect_passes_stage_after_stage(autojump_clock, node):
    """The 101 comes when the last of them is done."""
    stub = await node(stages=[stage("tls", 0.5), stage("db", 2.0)])
    assert await answers([await stub.peer()], 9) == [(101, 3.5)]


async def test_a_job_leaves_a_stage_before_it_joins_the_next(autojump_clock, node):
    """So a narrow second stage does not keep the first from working on."""
    stub = await node(**quick(stages=[stage("tls", 1.0), stage("db", 3.0)]))
    peers = await crowd(stub, 3)
    assert await answers(peers, 20) == [(101, 4.0), (101, 7.0), (101, 10.0)]
    assert (stub.stage(1)["backlog"], stub.stage(2)["backlog"]) == (2, 2)


@pytest.mark.parametrize("workers", [(1, 1, 1), (3, 1, 2)])
async def test_departures_in_tandem_are_exact(autojump_clock, node, workers):
    """D(i, k) = max(D(i - 1, k), the worker's last departure) + S(i, k), with the keyed draws."""
    n, first, second = 40, *workers[1:]
    stub = await node(
        workers=workers[0],
        service_time=ServiceTime(**EXPONENTIAL),
        backlog=n,
        seed=7,
        stages=[
            stage("a", workers=first, service_time=EXPONENTIAL),
            stage("b", workers=second, service_time=EXPONENTIAL),
        ],
    )
    peers = await crowd(stub, n)
    spec = ServiceTime(**EXPONENTIAL)
    keys = [(Purpose.SERVICE, 0), (Purpose.STAGE_SERVICE, 1), (Purpose.STAGE_SERVICE, 2)]
    at = np.zeros(n)
    order = [int(peer._target.split("client=")[1].split("&")[0]) for peer in peers]
    for (purpose, index), n_workers in zip(keys, workers, strict=True):
        free = np.zeros(n_workers)
        departures = np.empty(n)
        for who in sorted(order, key=lambda who: (at[who], who)):
            worker = int(free.argmin())
            seconds = service_time(spec, uniform(7, purpose, who, 1, 1, index=index))
            departures[who] = free[worker] = max(at[who], free[worker]) + seconds
        at = departures
    await trio.sleep_until(500)
    assert [peer.answer for peer in peers] == [(101, pytest.approx(when)) for when in at]


async def test_the_kth_of_a_crowd_passes_the_narrowest_stage_at_k_over_its_capacity(
    autojump_clock, node
):
    """After what it takes to get there, and with what comes behind it (P6)."""
    narrow = stage("db", 0.5, workers=2)
    stub = await node(**quick(stages=[stage("tls", 0.25, workers=100), narrow, stage("x", 0.125)]))
    peers = await crowd(stub, 8)
    expected = [(101, 0.25 + 0.5 * (1 + k // 2) + 0.125 * (1 + k % 2)) for k in range(8)]
    assert sorted(await answers(peers, 20)) == expected


async def test_a_share_of_the_connects_needs_the_stage(autojump_clock, node):
    """Which ones is a draw with the client's key and the stage's number."""
    stub = await node(**quick(stages=[stage(share=0.3, workers=1000)], seed=5))
    peers = await crowd(stub, 200)
    found = await answers(peers, 9)
    draws = [uniform(5, Purpose.STAGE_NEED, who, 1, 1, index=1) for who in range(200)]
    assert found == [(101, 1.0 if draw < 0.3 else 0.0) for draw in draws]


async def test_jobs_of_one_connect_join_together(autojump_clock, node):
    """It goes on when the last of them is done; they have draws of their own."""
    stub = await node(**quick(stages=[stage(per_connect=3, workers=2), stage("next", 5.0)]))
    assert await answers([await stub.peer()], 20) == [(101, 7.0)]
    assert stub.stage(1)["completed"] == 3


@pytest.mark.parametrize(
    ("overflow", "answer"), [("reject", 503), ("reset", "reset"), ("drop", 503)]
)
async def test_a_full_stage_is_an_overflow(autojump_clock, node, overflow, answer):
    """With `drop` it is a 503, too: the request has been read, and cannot be left unaccepted."""
    stub = await node(**quick(stages=[stage(backlog=1)], overflow=overflow, retry_after=4.0))
    peers = await crowd(stub, 3)
    assert await answers(peers, 9) == [(101, 1.0), (101, 2.0), (answer, 0.0)]
    assert peers[2].headers.get(b"retry-after") == (b"4" if answer == 503 else None)
    assert stub.stage(1)["rejected"] == 1


async def test_jobs_for_which_there_is_no_room_together_join_not_at_all(autojump_clock, node):
    """Half of the channels would be no use."""
    stub = await node(**quick(stages=[stage(per_connect=2, backlog=2)]))
    peers = await crowd(stub, 2)
    assert await answers(peers, 9) == [(101, 2.0), (503, 0.0)]


@pytest.mark.parametrize(("abandoned", "third", "wasted"), [("serve", 9.0, 1), ("skip", 8.0, 0)])
async def test_a_stage_that_takes_too_long_fails_the_connect(
    autojump_clock, node, abandoned, third, wasted
):
    """With 504; whether the stage goes on with what nobody waits for is up to the stage."""
    stub = await node(**quick(stages=[stage(seconds=3.0, timeout=4.0, abandoned=abandoned)]))
    peers = [*await crowd(stub, 2), await stub.peer(2, at=5.0)]
    assert await answers(peers, 20) == [(101, 3.0), (504, 4.0), (101, third)]
    assert stub.stage(1)["wasted"] == wasted


async def test_patience_with_a_stage_ends_after_a_departure_at_that_instant(autojump_clock, node):
    """RULES 3."""
    stub = await node(**quick(stages=[stage(seconds=2.0, timeout=2.0)]))
    assert (await answers([await stub.peer()], 9))[0][0] == 101


@pytest.mark.parametrize(("abandoned", "wasted", "second"), [("serve", 1, 6.0), ("skip", 0, 4.0)])
async def test_who_gives_up_at_a_stage_leaves_its_job_behind(
    autojump_clock, node, abandoned, wasted, second
):
    """Served in vain, or cut short; as the server does unless the stage has a rule of its own."""
    stub = await node(**quick(stages=[stage(seconds=3.0)], abandoned=abandoned))
    first, other = await crowd(stub, 2)
    await trio.sleep_until(1)
    first.leaves()
    assert await answers([other], 9) == [(101, second)]
    assert stub.stage(1)["wasted"] == wasted


async def test_a_wait_at_a_stage_is_a_connection_for_the_limit(autojump_clock, node):
    """RULES 10."""
    stub = await node(**quick(stages=[stage(seconds=5.0)], max_connections=2))
    peers = await crowd(stub, 3)
    assert await answers(peers, 20) == [(101, 5.0), (101, 10.0), (503, 0.0)]


async def test_the_ramp_passes_no_stage(autojump_clock, node):
    """RULES 17."""
    stub = await node(stages=[stage(), stage("sub", when="after"), stage("sync", when="sync")])
    peer = await stub.connected()
    assert peer.answer == (101, 0.0)
    await peer.says_text(encode(Sync(None, 0)))
    await trio.testing.wait_all_tasks_blocked()
    assert peer.heard == [(encode(Snapshot(1, 0)), 0.0)]
    assert [stub.stage(number)["arrivals"] for number in (1, 2, 3)] == [0, 0, 0]


# Strangers


@pytest.mark.parametrize("kind", ["crash", "graceful"])
async def test_after_a_restart_everybody_is_a_stranger_once(autojump_clock, node, kind):
    """What the process knew of its clients is gone; who has been back is known again."""
    tls = stage("tls", 0.25, cold={"service_time": {"kind": "constant", "mean": 2.0}})
    outage = {"kind": kind, "starts_at": 1.0, "down_for": 1.0}
    stub = await node(**quick(stages=[tls], outages=[outage]))
    await stub.connected(0)
    known = await stub.peer(0, at=0.5)
    back = await stub.peer(0, at=3.0, episode=2)
    again = await stub.peer(0, at=6.0, episode=3)
    stranger = await stub.peer(1, at=7.0)
    assert await answers([known, back, again, stranger], 20) == [
        (101, 0.75), (101, 5.0), (101, 6.25), (101, 9.0),
    ]  # fmt: skip


async def test_a_freeze_makes_nobody_a_stranger(autojump_clock, node):
    """The process is the same afterwards."""
    tls = stage("tls", 0.25, cold={"share": 1.0}, share=0.0)
    outage = {"kind": "freeze", "starts_at": 1.0, "down_for": 1.0}
    stub = await node(**quick(stages=[tls], outages=[outage]))
    await stub.connected(0)
    assert await answers([await stub.peer(0, at=3.0)], 9) == [(101, 3.0)]


# Outages


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize(("kind", "answer"), [("graceful", (503, 2.0)), ("crash", ("reset", 2.0))])
async def test_an_outage_finds_those_that_stand_at_a_stage(
    autojump_clock, node, kind, answer, shared
):
    """They are told as those at the desk are; a service that ends at that instant fails."""
    outage = {"kind": kind, "starts_at": 2.0, "down_for": 1.0}
    half = {"kind": "constant", "mean": 0.5}
    stub = await node(
        workers=4, service_time=half, stages=[stage(seconds=0.5, shared=shared)], outages=[outage]
    )
    peers = await crowd(stub, 4)
    assert await answers(peers, 9) == [(101, 1.0), (101, 1.5), answer, answer]


@pytest.mark.parametrize(
    ("shared", "abandoned", "first_back"),
    [(False, "serve", 5.0), (True, "serve", 12.0), (True, "skip", 5.0)],
)
async def test_a_shared_stage_survives_the_nodes_restart(
    autojump_clock, node, shared, abandoned, first_back
):
    """What dead connects left there is worked off first, in vain, unless the stage notices."""
    outage = {"kind": "crash", "starts_at": 1.5, "down_for": 1.0}
    stub = await node(
        **quick(stages=[stage(seconds=2.0, shared=shared, abandoned=abandoned)], outages=[outage])
    )
    await crowd(stub, 5)
    later = await stub.peer(9, at=3.0)
    assert await answers([later], 20) == [(101, first_back)]
    assert stub.stage(1)["wasted"] == (5 if shared and abandoned == "serve" else 0)


async def test_a_freeze_of_the_node_freezes_its_own_stages(autojump_clock, node):
    """They go on where they were, and patience that ended meanwhile ends at the thaw."""
    outage = {"kind": "freeze", "starts_at": 1.0, "down_for": 5.0}
    stub = await node(**quick(stages=[stage(seconds=2.0, timeout=6.5)], outages=[outage]))
    peers = await crowd(stub, 2)
    assert await answers(peers, 20) == [(504, 6.5), (504, 6.5)]


async def test_a_freeze_of_the_node_does_not_freeze_a_shared_stage(autojump_clock, node):
    """It finishes its jobs; the node takes notice at the thaw."""
    outage = {"kind": "freeze", "starts_at": 1.0, "down_for": 5.0}
    stub = await node(
        **quick(stages=[stage(seconds=2.0, shared=True), stage("next", 1.0)], outages=[outage])
    )
    peers = await crowd(stub, 2)
    assert await answers(peers, 20) == [(101, 7.0), (101, 8.0)]


# Behind the 101


async def test_what_stands_behind_the_101_keeps_nobody_from_being_connected(autojump_clock, node):
    """But from being told what was missed."""
    stub = await node(**quick(stages=[stage("subscribe", 2.0, when="after", per_connect=2)]))
    (peer,) = await guests(stub, 1)
    await peer.says_text(encode(Sync(None, 0)))
    await trio.sleep_until(9)
    assert heard(peer) == [(Snapshot(1, 0), 4.0)]


async def test_a_request_to_sync_takes_by_what_was_missed(autojump_clock, node):
    """Events, for a batch of them; items, for the whole state."""
    both = stage("sync", 1.0, when="sync", per_event=0.5, per_item=0.25, workers=9)
    stub = await node(
        **quick(stages=[both], history={"rate": 1.0, "snapshot_items": 8, "snapshot_size": 3})
    )
    await trio.sleep_until(3.5)
    delta, full = await guests(stub, 2)
    await delta.says_text(encode(Sync(1, 2)))
    await full.says_text(encode(Sync(None, 0)))
    await trio.sleep_until(9)
    assert heard(delta) == [(Batch(1, 3, 6), 5.5)]
    assert heard(full) == [(Snapshot(1, 7, 3), 6.5)]


@pytest.mark.parametrize("why", ["full", "late"])
async def test_a_connection_that_is_no_use_is_closed(autojump_clock, node, why):
    """With 1013, "try again later": its client comes back. The server notes the loss."""
    fields = {"backlog": 0} if why == "full" else {"timeout": 1.5}
    stub = await node(**quick(stages=[stage("sync", 1.0, when="sync", **fields)]))
    peers = await guests(stub, 2)
    for peer in peers:
        await peer.says_text(encode(Sync(None, 0)))
    await trio.sleep_until(9)
    assert [heard(peer) for peer in peers] == [[(Snapshot(1, 0), 1.0)], []]
    assert peers[1].loss == (1013, pytest.approx(0.0 if why == "full" else 1.5, abs=1e-3))
    assert [(row[0], row[2]) for row in stub.rows("losses")] == [(1, -2)]
    assert stub.server.n_connected == 1


@pytest.mark.parametrize(("abandoned", "wasted"), [("serve", 1), ("skip", 0)])
async def test_who_leaves_while_it_waits_to_be_told(autojump_clock, node, abandoned, wasted):
    """Its request is worked on in vain, or not."""
    stub = await node(**quick(stages=[stage("sync", 2.0, when="sync")], abandoned=abandoned))
    (peer,) = await guests(stub, 1)
    await peer.says_text(encode(Sync(None, 0)))
    await trio.sleep_until(1)
    peer.leaves()
    await trio.sleep_until(9)
    assert stub.stage(1)["wasted"] == wasted
    assert stub.server.is_idle


async def test_waits_are_on_record(autojump_clock, node):
    """Added up over the services that finished."""
    stub = await node(**quick(stages=[stage()]))
    await crowd(stub, 4)
    await trio.sleep_until(9)
    assert stub.stage(1)["waited"] == pytest.approx(0 + 1 + 2 + 3)
