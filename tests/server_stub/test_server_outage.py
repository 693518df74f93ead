"""What an outage does to everybody, and how the node comes back (RULES 13 to 15)."""

import math

import pytest
import trio
from wsproto.events import TextMessage

from server_stub.tables import OUTAGES

GRACEFUL = {"kind": "graceful", "starts_at": 2.0, "down_for": 6.0}
CRASH = {**GRACEFUL, "kind": "crash"}
FREEZE = {**GRACEFUL, "kind": "freeze"}
KINDS = pytest.mark.parametrize("kind", ["graceful", "crash", "freeze"])
RESTARTS = pytest.mark.parametrize("kind", ["graceful", "crash"])


def half(request):
    """The first part of a request."""
    return request[:20]


@pytest.mark.parametrize("code", [None, 1001, 4001])
async def test_graceful_says_goodbye_to_the_connected(autojump_clock, node, code):
    """With the configured close code, or 1012; then the stream ends."""
    stub = await node(outages=[{**GRACEFUL, "close_code": code}])
    peers = [await stub.connected(client) for client in range(3)]
    await trio.sleep_until(2.1)
    assert [peer.loss for peer in peers] == [(code or 1012, 2.0)] * 3
    with pytest.raises(BrokenPipeError):
        await peers[0].stream.send_all(b"anyone?")


async def test_crash_resets_the_connected(autojump_clock, node):
    """They notice at once."""
    stub = await node(outages=[CRASH])
    peers = [await stub.connected(client) for client in range(3)]
    await trio.sleep_until(3)
    assert [peer.loss for peer in peers] == [("reset", 2.0)] * 3


@pytest.mark.parametrize(("kind", "answer"), [("graceful", (503, 2.0)), ("crash", ("reset", 2.0))])
async def test_requests_waiting_and_in_service_fail_at_the_start(
    autojump_clock, node, kind, answer
):
    """With 503 when graceful, with a reset in a crash; none is finished later."""
    stub = await node(outages=[{**GRACEFUL, "kind": kind}], retry_after=4.0)
    peers = [await stub.peer(client, at=1.5 + 0.1 * client) for client in range(3)]
    await trio.sleep_until(20)
    assert [peer.answer for peer in peers] == [answer] * 3
    assert [peer.headers.get(b"retry-after") for peer in peers] == [
        b"4" if kind == "graceful" else None
    ] * 3
    assert stub.recorder.totals["completed"] == 0


@RESTARTS
async def test_a_departure_at_the_very_instant_fails(autojump_clock, node, kind):
    """The outage comes first."""
    stub = await node(workers=2, outages=[{**GRACEFUL, "kind": kind}])
    peers = [await stub.peer(client, at=at) for client, at in enumerate((0.75, 1.0))]
    await trio.sleep_until(9)
    failed = (503, 2.0) if kind == "graceful" else ("reset", 2.0)
    assert [peer.answer for peer in peers] == [(101, 1.75), failed]
    assert stub.recorder.totals["completed"] == 1


@RESTARTS
async def test_who_is_in_the_kernels_queue_is_reset(autojump_clock, node, kind):
    """No node, no answer: graceful or not."""
    stub = await node(
        backlog=0,
        overflow="drop",
        outages=[{**GRACEFUL, "kind": kind}],
        service_time={"mean": 99.0},
    )
    peers = [await stub.peer(client, at=1.5) for client in range(3)]
    await trio.sleep_until(3)
    assert [peer.answer for peer in peers[1:]] == [("reset", 2.0)] * 2


@RESTARTS
async def test_who_has_not_asked_yet_is_reset(autojump_clock, node, kind):
    """A peer that was accepted and is silent is no better off than one in the queue."""
    stub = await node(outages=[{**GRACEFUL, "kind": kind}])
    peer = await stub.peer(at=1, request=half)
    await trio.sleep_until(3)
    assert peer.answer == ("reset", 2.0)


@RESTARTS
async def test_while_down_arrivals_are_refused(autojump_clock, node, kind):
    """Until the end, from which on they are served as if nothing had happened."""
    stub = await node(outages=[{**GRACEFUL, "kind": kind}])
    peers = [await stub.peer(client, at=at) for client, at in enumerate((2.1, 7.9, 8.1))]
    await trio.sleep_until(20)
    assert [peer.answer for peer in peers] == [("refused", 2.1), ("refused", 7.9), (101, 9.1)]


@RESTARTS
async def test_a_node_that_is_down_without_refusing_serves_the_queue_afterwards(
    autojump_clock, node, kind
):
    """In order; who found the kernel's queue full tries again by SYN."""
    stub = await node(
        outages=[{**GRACEFUL, "kind": kind, "refuse": False}],
        listen_backlog=1,
        syn_retry_at=(1.0, 4.0),
    )
    ramped = await stub.connected(9)
    peers = [await stub.peer(client, at=5 + 0.1 * client) for client in range(3)]
    await trio.sleep_until(20)
    assert ramped.loss[1] == 2.0
    # The third finds the queue full at 5.2 and at 6.2 s, and is let in at 9.2 s.
    assert [peer.answer for peer in peers] == [(101, 9.0), (101, 10.0), (101, 11.0)]


async def test_a_freeze_answers_nothing_until_the_thaw(autojump_clock, node):
    """Neither pings nor requests; nobody is disconnected."""
    stub = await node(outages=[FREEZE])
    ramped = await stub.connected()
    late = await stub.peer(1, at=3)
    await ramped.pings()
    await trio.sleep_until(7.9)
    assert (ramped.loss, ramped.heard, late.answer) == (None, [], None)
    await trio.sleep_until(20)
    assert (ramped.loss, ramped.heard, late.answer) == (None, [("pong frame", 8.0)], (101, 9.0))


async def test_a_freeze_pauses_services(autojump_clock, node):
    """They go on with what was left, and so do those who waited."""
    stub = await node(workers=2, outages=[FREEZE])
    peers = [await stub.peer(client, at=at) for client, at in enumerate((1.25, 1.5, 1.75))]
    await trio.sleep_until(20)
    assert [peer.answer for peer in peers] == [(101, 8.25), (101, 8.5), (101, 9.25)]
    assert [lag for _, lag in stub.rows("services")] == [pytest.approx(0)] * 3


async def test_a_departure_at_the_very_instant_of_a_freeze_waits_for_the_thaw(autojump_clock, node):
    """With nothing left to do."""
    stub = await node(outages=[FREEZE])
    peer = await stub.peer(at=1)
    await trio.sleep_until(20)
    assert peer.answer == (101, 8.0)


@pytest.mark.parametrize(("abandoned", "answer"), [("serve", (101, 9.5)), ("skip", (101, 9.0))])
async def test_a_frozen_node_notices_at_the_thaw_who_left(autojump_clock, node, abandoned, answer):
    """Under `skip` the worker is free from then on, under `serve` it finishes."""
    stub = await node(abandoned=abandoned, outages=[FREEZE])
    peers = [await stub.peer(client, at=at) for client, at in enumerate((1.5, 1.75))]
    await trio.sleep_until(4)
    peers[0].leaves()
    await trio.sleep_until(20)
    assert peers[1].answer == answer
    assert stub.recorder.totals["wasted"] == (abandoned == "serve")


async def test_a_frozen_node_keeps_the_connections_of_those_who_left(autojump_clock, node):
    """Until it can notice."""
    stub = await node(outages=[FREEZE])
    peers = [await stub.connected(client) for client in range(2)]
    await trio.sleep_until(4)
    peers[0].leaves()
    peers[1].breaks()
    await trio.sleep_until(7.9)
    assert stub.server.n_connected == 2
    await trio.sleep_until(8.1)
    assert stub.server.n_connected == 0


async def test_during_a_freeze_the_kernels_queue_fills(autojump_clock, node):
    """Connects succeed and wait; beyond the queue the SYN is sent again."""
    stub = await node(outages=[FREEZE], listen_backlog=1, syn_retry_at=(1.0, 4.0))
    peers = [await stub.peer(client, at=5 + 0.1 * client) for client in range(3)]
    assert [peer.stream is not None for peer in peers] == [True, True, False]
    await trio.sleep_until(20)
    assert [peer.answer for peer in peers] == [(101, 9.0), (101, 10.0), (101, 11.0)]


async def test_a_frozen_node_cuts_nobody_off(autojump_clock, node):
    """It notices at the thaw that a request is late or garbled, and serves what became complete."""
    stub = await node(outages=[FREEZE], request_timeout=1.0)
    late, garbled, complete = [await stub.peer(client, at=1.9, request=half) for client in range(3)]
    await trio.sleep_until(2.5)
    await garbled.says(b"\x00\r\n\r\n")
    await complete.says(complete.request[20:])
    await trio.sleep_until(20)
    assert (late.answer, garbled.answer) == ((408, 8.0), (400, 8.0))
    assert complete.answer == (101, 9.0)


async def test_lost_at_thaw_is_a_restart_in_the_end(autojump_clock, node):
    """The thaw resets all that is still open: connections, requests, the kernel's queue."""
    stub = await node(outages=[{**FREEZE, "lost_at_thaw": True}])
    peers = [
        await stub.connected(0),
        await stub.peer(1, at=1.5),
        await stub.peer(2, at=1.6),
        await stub.peer(3, at=1.7, request=half),
        await stub.peer(4, at=5),
    ]
    later = await stub.peer(5, at=8.1)
    await trio.sleep_until(20)
    assert peers[0].loss == ("reset", 8.0)
    assert [peer.answer for peer in peers[1:]] == [("reset", 8.0)] * 4
    assert later.answer == (101, 9.1)


@KINDS
async def test_broken_connections_are_on_record(autojump_clock, node, kind):
    """Whose, since which episode, in which outage, and when; those at the desk had none."""
    stub = await node(
        outages=[{"kind": kind, "starts_at": 1.5, "down_for": 1.0, "every": 4.0, "count": 2}]
    )
    await stub.connected(7)
    gone = await stub.connected(8)
    gone.leaves()
    await stub.peer(9, at=1.0)
    if kind != "freeze":
        await stub.peer(7, at=3.0)
    await trio.sleep_until(20)
    first, second = (7, 0, 0, 0, 1.5), (7, 1, 1, 0, 5.5)
    if kind == "freeze":  # All of them are still open, and break again for all anyone knows.
        assert stub.rows("losses") == [first, (7, 0, 1, 0, 5.5), (9, 1, 1, 0, 5.5)]
    else:
        assert stub.rows("losses") == [first, second]


async def test_who_was_told_goodbye_is_not_connected_any_more(autojump_clock, node):
    """Even if it never answers: it is not counted, and not lost once more in the next outage."""
    stub = await node(
        max_connections=1,
        outages=[{**GRACEFUL, "down_for": 0.25}, {**GRACEFUL, "starts_at": 2.5}],
    )
    deaf = await stub.connected(answers_close=False)
    await trio.sleep_until(2.1)
    assert deaf.loss == (1012, 2.0)
    assert stub.server.n_connected == 0
    await trio.sleep_until(20)
    assert stub.rows("losses") == [(0, 0, 0, 0, 2.0)]


async def test_who_does_not_read_cannot_hold_up_a_goodbye(autojump_clock, node):
    """A peer gets a second to take its close frame and answer; then its stream is closed."""
    stub = await node(outages=[GRACEFUL])
    deaf = await stub.connected(listens=False)
    for _ in range(2):  # The second echo does not fit into the stream any more.
        await deaf.says(TextMessage(data="x" * 70_000))
    await trio.sleep_until(2.9)
    await deaf.says(TextMessage(data="more"))
    await trio.sleep_until(3.1)
    with pytest.raises(ConnectionResetError):
        await deaf.says(TextMessage(data="more"))


@KINDS
async def test_outages_are_on_record_as_they_happened(autojump_clock, node, kind):
    """Index, kind, node, start and end."""
    stub = await node(outages=[{**GRACEFUL, "kind": kind, "every": 10.0, "count": 2}])
    await trio.sleep_until(30)
    code = OUTAGES.columns[1].labels.index(kind)
    assert stub.rows("outages") == [
        (0, code, 0, pytest.approx(2), pytest.approx(8)),
        (1, code, 0, pytest.approx(12), pytest.approx(18)),
    ]


async def test_an_outage_that_outlives_the_run_has_no_end(autojump_clock, node):
    """Neither has it happened before it began."""
    stub = await node(outages=[GRACEFUL, {**GRACEFUL, "starts_at": 12.0}])
    await trio.sleep_until(5)
    stub.life.cancel()
    await trio.testing.wait_all_tasks_blocked()
    assert stub.rows("outages") == [(0, 0, 0, 2.0, math.inf)]


async def test_outages_of_different_kinds_follow_each_other(autojump_clock, node):
    """Even back to back; each does its own to those who are there."""
    stub = await node(
        outages=[
            {**FREEZE, "down_for": 2.0},
            {**CRASH, "starts_at": 4.0, "down_for": 2.0},
            {**GRACEFUL, "starts_at": 9.0},
        ]
    )
    peers = [
        await stub.connected(0),
        await stub.peer(1, at=3.0),
        await stub.peer(2, at=5.0),
        await stub.peer(3, at=7.0),
    ]
    await trio.sleep_until(20)
    assert peers[0].loss == ("reset", 4.0)
    assert peers[1].answer == ("reset", 4.0)
    assert peers[2].answer == ("refused", 5.0)
    assert (peers[3].answer, peers[3].loss) == ((101, 8.0), (1012, 9.0))
    assert [row[0] for row in stub.rows("losses")] == [0, 0, 3]


@RESTARTS
async def test_levels_fall_to_zero_with_the_outage(autojump_clock, node, kind):
    """Nobody is connected, waits or is served while a node is down."""
    stub = await node(outages=[{**GRACEFUL, "kind": kind}])
    for client in range(3):
        await stub.connected(client)
        await stub.peer(client, at=1.5)
    await trio.sleep_until(9)
    stub.recorder.close(9)
    levels = [
        tuple(stub.level(name, at) for name in ("connected", "backlog", "busy_workers"))
        for at in (1.9, 2.1)
    ]
    assert levels == [(3, 2, 1), (0, 0, 0)]


@pytest.mark.parametrize(
    ("kind", "served", "failed"),
    [("graceful", (101, 3.0), (503, 3.0)), ("crash", ("reset", 3.0), ("reset", 3.0))],
)
async def test_a_late_server_goes_by_what_was_due(mock_clock, node, kind, served, failed):
    """What was due before the outage is done and then broken, what was due after it fails."""
    stub = await node(workers=3, outages=[{**GRACEFUL, "kind": kind}])
    peers = []
    for client, at in enumerate((0.5, 0.75, 1.25)):
        mock_clock.jump(at - trio.current_time())
        peers.append(await stub.peer(client))
    mock_clock.jump(3 - trio.current_time())  # Services at 1.5, 1.75 and 2.25 s, outage at 2 s.
    await trio.testing.wait_all_tasks_blocked()
    assert [peer.answer for peer in peers] == [served, served, failed]
    assert stub.rows("services") == [(1.5, 1.5), (1.75, 1.25)]
    assert [row[0] for row in stub.rows("losses")] == [0, 1]
    assert stub.server.n_connected == 0
    if kind == "graceful":
        assert [peer.loss for peer in peers] == [(1012, 3.0), (1012, 3.0), None]
