"""A drain: as a graceful outage, but little by little (RULES 14)."""

import pytest
import trio

from server_stub.draws import Purpose, uniform
from server_stub.messages import hinted_delay

STARTS_AT, DRAIN_OVER, DOWN_FOR = 2.0, 4.0, 6.0
BACK_AT = STARTS_AT + DOWN_FOR
DRAIN = {
    "kind": "drain",
    "starts_at": STARTS_AT,
    "down_for": DOWN_FOR,
    "drain_over": DRAIN_OVER,
}


async def drained(node, n_clients, **config):
    """A node with so many connections, and its peers; the drain is over."""
    stub = await node(outages=[DRAIN], **config)
    peers = [await stub.connected(client) for client in range(n_clients)]
    await trio.sleep_until(BACK_AT + 0.1)
    return stub, peers


@pytest.mark.parametrize("n_clients", [1, 2, 8, 25])
async def test_close_frames_come_at_n_over_drain_over(autojump_clock, node, n_clients):
    """The first at once, then one every `drain_over` / n seconds."""
    _, peers = await drained(node, n_clients)
    assert {peer.loss[0] for peer in peers} == {1012}
    steps = [STARTS_AT + DRAIN_OVER * place / n_clients for place in range(n_clients)]
    assert sorted(peer.loss[1] for peer in peers) == pytest.approx(steps)


async def test_whose_turn_it_is_is_drawn(autojump_clock, node):
    """By client, episode and outage: not by number, and not by the age of the connection."""
    _, peers = await drained(node, 8, seed=5)
    order = sorted(range(8), key=lambda client: peers[client].loss[1])
    assert order == sorted(range(8), key=lambda client: uniform(5, Purpose.DRAIN, client, 0))
    assert order != sorted(order)


async def test_each_loss_is_recorded_when_it_happens(autojump_clock, node):
    """Not when the drain began."""
    stub, peers = await drained(node, 8)
    recorded = {client: at for client, _, outage, _, at in stub.rows("losses") if outage == 0}
    assert recorded == pytest.approx({c: peer.loss[1] for c, peer in enumerate(peers)})
    ((_, _, _, starts_at, ends_at),) = stub.rows("outages")
    assert (starts_at, ends_at) == (STARTS_AT, BACK_AT)


async def test_until_its_turn_a_connection_works(autojump_clock, node):
    """It is answered as ever."""
    stub = await node(outages=[DRAIN])
    peers = [await stub.connected(client) for client in range(4)]
    await trio.sleep_until(STARTS_AT + 0.9 * DRAIN_OVER / 4 * 3)
    (last,) = [peer for peer in peers if peer.loss is None]
    await last.pings()
    await trio.sleep_until(BACK_AT)
    assert [what for what, _ in last.heard] == ["pong frame"]


@pytest.mark.parametrize(("refuse", "answer"), [(None, ("refused", 3.0)), (False, (101, 9.0))])
async def test_nobody_is_let_in_from_its_start_on(autojump_clock, node, refuse, answer):
    """Refused; or held in the kernel's queue until the node is back."""
    stub = await node(outages=[{**DRAIN, "refuse": refuse}])
    await stub.connected(0)
    late = await stub.peer(1, at=3.0)
    await trio.sleep_until(20)
    assert late.answer == answer


async def test_requests_waiting_and_in_service_get_503_at_its_start(autojump_clock, node):
    """They are not connected, so they have no turn."""
    stub = await node(outages=[DRAIN])
    peers = [await stub.peer(client, at=1.5) for client in range(3)]
    await trio.sleep_until(20)
    assert [peer.answer for peer in peers] == [(503, STARTS_AT)] * 3
    assert stub.recorder.server.columns()["turned_away_outage"].sum() == 3
    assert stub.recorder.totals["rejected"] == 0


async def test_who_leaves_before_its_turn_is_left_alone(autojump_clock, node):
    """Its loss is its own, and the others keep their turns."""
    stub = await node(outages=[DRAIN])
    peers = [await stub.connected(client) for client in range(4)]
    await trio.sleep_until(2.5)
    leaver = next(client for client, peer in enumerate(peers) if peer.loss is None)
    peers[leaver].leaves()
    await trio.sleep_until(BACK_AT)
    assert leaver not in [client for client, *_ in stub.rows("losses")]
    assert len(stub.rows("losses")) == 3
    assert {peer.loss[1] for peer in peers if peer.loss} < {2.0, 3.0, 4.0, 5.0}


async def test_after_it_the_node_is_as_after_any_restart(autojump_clock, node):
    """Nobody is connected, and an arrival is served."""
    stub, _ = await drained(node, 3)
    assert stub.server.n_connected == 0
    peer = await stub.peer(9)
    await trio.sleep_until(20)
    assert peer.answer == (101, BACK_AT + 1.1)


@pytest.mark.parametrize("kind", ["graceful", "cold", "drain"])
async def test_a_reconnect_window_tells_each_an_instant_after_the_restart(
    autojump_clock, node, kind
):
    """In the reason of the close frame, whenever that comes."""
    cold = {"slow_factor": 2.0, "cold_for": 5.0} if kind == "cold" else {}
    drain = {"drain_over": DRAIN_OVER} if kind == "drain" else {}
    outage = {"kind": kind, "starts_at": STARTS_AT, "down_for": DOWN_FOR, **cold, **drain}
    stub = await node(outages=[outage], reconnect_window=10.0, seed=3)
    peers = [await stub.connected(client) for client in range(6)]
    await trio.sleep_until(BACK_AT)
    told = [peer.loss[1] + hinted_delay(peer.reason) for peer in peers]
    draws = [uniform(3, Purpose.RECONNECT, client, 0, 1) for client in range(6)]
    assert told == pytest.approx([BACK_AT + 10.0 * draw for draw in draws])


async def test_a_reconnect_window_is_told_to_those_that_wait_as_well(autojump_clock, node):
    """By the Retry-After of their 503, in whole seconds."""
    outage = {"kind": "graceful", "starts_at": STARTS_AT, "down_for": DOWN_FOR}
    stub = await node(outages=[outage], reconnect_window=10.0, seed=3, retry_after=99.0)
    peers = [await stub.peer(client, at=1.5) for client in range(4)]
    await trio.sleep_until(BACK_AT)
    for client, peer in enumerate(peers):
        exact = DOWN_FOR + 10.0 * uniform(3, Purpose.RECONNECT, client, 1, 1)
        assert 0 <= int(peer.headers[b"retry-after"]) - exact < 1


async def test_without_a_window_a_close_frame_gives_no_reason(autojump_clock, node):
    """A client backs off by its own policy."""
    _, peers = await drained(node, 2)
    assert [hinted_delay(peer.reason or "") for peer in peers] == [0.0, 0.0]
