"""Work beside the handshakes on the same workers (RULES 12): pongs, operations, load."""

import pytest
import trio

from server_stub.messages import Ack, Operation, decode, encode

ONE_SECOND = {"kind": "constant", "mean": 1.0}


def work(stage="handshake", **fields):
    """A second of work."""
    return {"stage": stage, "service_time": ONE_SECOND, **fields}


def heard(peer):
    """What a peer was answered, and when."""
    return [(decode(text) or text, round(at, 3)) for text, at in peer.heard]


async def test_without_work_a_ping_is_answered_at_once(autojump_clock, node):
    """However busy the workers are."""
    stub = await node()
    peer = await stub.connected()
    await stub.peer(1)
    await peer.pings()
    await trio.testing.wait_all_tasks_blocked()
    assert heard(peer) == [("pong frame", 0.0)]


@pytest.mark.parametrize("kind", ["protocol", "application"])
async def test_a_pong_waits_for_a_worker_behind_the_handshakes(autojump_clock, node, kind):
    """A storm in the queue makes a healthy client's heartbeat late by as much."""
    stub = await node(work={"heartbeats": work()})
    peer = await stub.connected()
    for client in range(1, 4):
        await stub.peer(client)
    await (peer.pings() if kind == "protocol" else peer.says_text("ping"))
    await trio.sleep_until(20)
    assert heard(peer) == [("pong frame" if kind == "protocol" else "pong", 4.0)]
    assert stub.level("backlog", 0) == 3


async def test_a_ping_for_which_there_is_no_place_is_never_answered(autojump_clock, node):
    """The connection stands; its client must draw its own conclusions."""
    stub = await node(backlog=0, work={"heartbeats": work()})
    peer = await stub.connected()
    await stub.peer(1)
    await peer.pings()
    await trio.sleep_until(20)
    assert heard(peer) == []
    assert peer.loss is None
    assert stub.stage(0)["rejected"] == 1
    assert stub.recorder.totals["rejected"] == 0


@pytest.mark.parametrize(("abandoned", "n_done"), [("serve", 2), ("skip", 1)])
async def test_a_pong_that_nobody_waits_for(autojump_clock, node, abandoned, n_done):
    """Is worked on all the same, or not."""
    stub = await node(abandoned=abandoned, work={"heartbeats": work()})
    peer = await stub.connected()
    await peer.pings()
    await peer.pings()
    await trio.sleep_until(1.5)
    peer.leaves()
    await trio.sleep_until(20)
    assert (stub.stage(0)["completed"], stub.stage(0)["wasted"]) == (n_done, n_done - 1)


async def test_an_operation_is_applied_when_its_service_ends(autojump_clock, node):
    """And acknowledged then; a copy of it waits like any other."""
    db = {"name": "db", "workers": 1, "service_time": ONE_SECOND, "when": "after"}
    stub = await node(stages=[db], work={"operations": work("db")})
    peer = await stub.connected()
    for _ in range(2):
        await peer.says_text(encode(Operation("key", "")))
    await trio.sleep_until(0.5)
    assert sum(stub.server._alone.backend.n_applied.values()) == 0
    await trio.sleep_until(20)
    assert heard(peer) == [(Ack("key"), 1.0), (Ack("key", duplicate=True), 2.0)]
    assert stub.stage(1)["completed"] == 2


@pytest.mark.parametrize(("shared", "n_applied"), [(False, 0), (True, 0)])
async def test_an_operation_of_a_dead_node_is_not_applied(autojump_clock, node, shared, n_applied):
    """The node applies it, when the stage is done with it; so a dead one does not."""
    db = {
        "name": "db", "workers": 1, "service_time": {"kind": "constant", "mean": 2.0},
        "when": "after", "shared": shared,
    }  # fmt: skip
    outage = {"kind": "crash", "starts_at": 1.0, "down_for": 0.5}
    stub = await node(stages=[db], work={"operations": work("db")}, outages=[outage])
    peer = await stub.connected()
    await peer.says_text(encode(Operation("key", "")))
    await trio.sleep_until(0.5)
    await trio.sleep_until(20)
    assert sum(stub.server._alone.backend.n_applied.values()) == n_applied


async def test_what_a_frozen_nodes_shared_stage_has_done_is_told_at_the_thaw(autojump_clock, node):
    """The pong was ready at 1 s; the node got round to it at 6 s."""
    db = {"name": "db", "workers": 1, "service_time": ONE_SECOND, "when": "after", "shared": True}
    outage = {"kind": "freeze", "starts_at": 0.5, "down_for": 5.5}
    stub = await node(stages=[db], work={"heartbeats": work("db")}, outages=[outage])
    peer = await stub.connected()
    await peer.pings()
    await trio.sleep_until(20)
    assert heard(peer) == [("pong frame", 6.0)]


async def test_background_work_comes_from_t_0_on_and_while_the_node_is_up(autojump_clock, node):
    """What a node has to do is nobody's business while it is down."""
    outage = {"kind": "crash", "starts_at": 20.0, "down_for": 20.0}
    quick = {"kind": "constant", "mean": 1e-6}
    stub = await node(load={"rate": 10.0, "service_time": quick}, outages=[outage])
    await trio.sleep_until(60)
    arrivals = stub.rows("stages")
    per_stretch = [
        sum(row[3] for row in arrivals if start <= row[0] < start + 20) for start in (0, 20, 40)
    ]
    assert per_stretch[1] == 0
    assert all(150 < n < 250 for n in (per_stretch[0], per_stretch[2]))
    assert stub.recorder.totals["arrivals"] == 0


async def test_open_connections_bring_background_work(autojump_clock, node):
    """As many times as there are of them."""
    quick = {"kind": "constant", "mean": 1e-6}
    stub = await node(load={"per_connection": 2.0, "service_time": quick})
    await trio.sleep_until(50)
    peers = [await stub.connected(client) for client in range(10)]
    await trio.sleep_until(60)
    for peer in peers:
        peer.leaves()
    await trio.sleep_until(100)
    stub.recorder.close(trio.current_time())
    arrivals = [(row[0], row[3]) for row in stub.rows("stages")]
    assert sum(n for at, n in arrivals if not 50 <= at < 60.01) == 0
    assert 150 < sum(n for _, n in arrivals) < 250


async def test_a_shared_stage_is_loaded_whatever_becomes_of_the_node(autojump_clock, node):
    """The rest of the world uses the database, too."""
    db = {
        "name": "db", "workers": 1, "service_time": {"kind": "constant", "mean": 0.001},
        "shared": True,
    }  # fmt: skip
    outage = {"kind": "crash", "starts_at": 1.0, "down_for": 40.0}
    stub = await node(stages=[db], load={"rate": 10.0, "stage": "db"}, outages=[outage])
    await trio.sleep_until(40)
    assert 320 < stub.stage(1)["arrivals"] < 480
