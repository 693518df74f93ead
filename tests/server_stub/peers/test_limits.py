"""What a bad peer can take is bounded by a stated limit, and nobody else waits for it."""

import tracemalloc

import pytest
import trio

from server_stub.history import HistoryConfig
from server_stub.limits import Limits
from server_stub.messages import Sync, encode
from server_stub.talk import FRAMES_PER_TURN

from .frames import BINARY, CONTINUATION, PING, PONG, TEXT, close, frame, read_frames, request


@pytest.fixture
def memory():
    """A call that tells the bytes allocated since the last call, and the most in between."""
    tracemalloc.start()
    last = [0]

    def grown():
        now, peak = tracemalloc.get_traced_memory()
        before, last[0] = last[0], now
        tracemalloc.reset_peak()
        return peak - before

    yield grown
    tracemalloc.stop()


# Before the request is complete: request_timeout, max_request_bytes, max_unread


async def drip(peer, pieces, interval):
    """Say something bit by bit, until nobody takes it any more."""
    try:
        for piece in pieces:
            await peer.stream.send_all(piece)
            await trio.sleep(interval)
    except (OSError, trio.ClosedResourceError):
        pass


@pytest.mark.parametrize(
    "pieces",
    [
        [bytes([byte]) for byte in request()],
        [request()[:-2], *[b"X-%d: y\r\n" % number for number in range(100)]],
    ],
    ids=["byte by byte", "header by header"],
)
async def test_a_slow_request_ends_in_time(autojump_clock, node, raw, nursery, pieces):
    """However lively its peer is: the time is that of the whole request."""
    stub = await node(request_timeout=5.0)
    slow = [await raw(stub) for _ in range(20)]
    for peer in slow:
        nursery.start_soon(drip, peer, pieces, 0.3)
    good = await stub.peer(at=1.0)
    await trio.sleep_until(5.01)
    assert [(peer.status, peer.end) for peer in slow] == [(408, ("eof", 5.0))] * 20
    assert good.answer == (101, 2.0)
    assert stub.recorder.totals["malformed"] == 20
    assert stub.recorder.totals["arrivals"] == 1


@pytest.mark.parametrize("excess", [0, 1])
@pytest.mark.parametrize("n_pieces", [1, 500])
async def test_a_request_may_be_that_large(autojump_clock, node, raw, excess, n_pieces):
    """To the byte; by default 16 KiB, configurable."""
    size = 4096
    stub = await node(limits=Limits(max_request_bytes=size))
    sent = request(X="x" * (size + excess - len(request(X=""))))
    assert len(sent) == size + excess
    head, rest = sent[: n_pieces - 1], sent[n_pieces - 1 :]
    peer = await raw(stub, *(bytes([byte]) for byte in head), rest)
    await trio.sleep(2)
    assert peer.status == (431 if excess else 101)


async def test_an_endless_request_is_not_kept(autojump_clock, node, raw, memory):
    """Megabytes of headers cost the server no more than its limit."""
    stub = await node()
    peer = await raw(stub, request()[:-2])
    memory()
    for number in range(200):
        await peer.says(b"X-%d: %b\r\n" % (number, b"y" * 20_000))
    assert peer.status == 431
    assert memory() < 500_000


@pytest.mark.parametrize("overflow", ["reject", "reset"])
async def test_silent_peers_make_room_for_others(autojump_clock, node, raw, overflow):
    """Of a thousand that never speak, `max_unread` stay, the latest; nobody waits for them."""
    stub = await node(
        overflow=overflow, backlog=1, listen_backlog=2000, limits=Limits(max_unread=50)
    )
    silent = [await raw(stub) for _ in range(300)]
    assert [peer.end for peer in silent] == [("reset", 0.0)] * 250 + [None] * 50
    good = await stub.peer(at=1.0)
    await trio.sleep_until(9.9)
    assert good.answer == (101, 2.0)
    assert [peer.end for peer in silent[251:]] == [None] * 49
    await trio.sleep_until(10.1)
    assert [peer.end for peer in silent[251:]] == [("eof", 10.0)] * 49
    assert stub.recorder.totals["malformed"] == 300
    assert stub.recorder.totals["arrivals"] == 1


async def test_a_server_that_drops_waits_for_silent_peers_no_longer_than_that(
    autojump_clock, node, raw
):
    """It accepts no more than it has room for, and whoever is accepted may be an arrival."""
    stub = await node(overflow="drop", backlog=3, request_timeout=2.0)
    for _ in range(4):
        await raw(stub)
    good = await stub.peer(at=1.0)
    await trio.sleep_until(5)
    assert good.answer == (101, 3.0)


async def test_a_silent_peer_costs_little(autojump_clock, node, raw, memory):
    """So that `max_unread` of them are bounded memory: 16,384 take less than 300 MB."""
    stub = await node(listen_backlog=1000)
    await raw(stub, listens=False)
    memory()
    for _ in range(500):
        await raw(stub, listens=False)
    assert memory() / 500 < 300e6 / Limits().max_unread


async def test_the_peers_shown_out_make_room_first(autojump_clock, node, raw):
    """Those who have had their answer before those who may still ask."""
    stub = await node(limits=Limits(max_unread=2))
    slow = await raw(stub, request()[:-2])
    rude = await raw(stub, b"garbage\r\n\r\n", listens=False)
    late = await raw(stub)
    assert (slow.end, late.end) == (None, None)
    with pytest.raises(ConnectionResetError):
        await rude.stream.send_all(b"x")
    await slow.says(b"\r\n")
    await trio.sleep(2)
    assert slow.status == 101
    assert stub.recorder.totals["malformed"] == 1


# Messages: max_message_bytes, message_timeout


async def test_a_message_without_an_end_is_not_kept(autojump_clock, node, opened, memory):
    """Not more of it than a message may have, be it in bytes or in one-character fragments."""
    stub = await node(limits=Limits(max_message_bytes=20_000))
    more = [frame(CONTINUATION, b"x" * 999, fin=False), frame(CONTINUATION, "羊", fin=False) * 900]
    endless = [
        [frame(BINARY, b"", fin=False), *more[:1] * 50],
        [frame(TEXT, "", fin=False), *more[1:] * 9],
        [frame(BINARY, b"x" * 9999, size=2**40), *[b"x" * 9999] * 5],
    ]
    for client, pieces in enumerate(endless):
        peer = await opened(stub, client)
        memory()
        await peer.says(*pieces)
        assert memory() < 200_000
        assert peer.close_code == 1009


async def test_fragments_of_nothing_take_no_memory(autojump_clock, node, opened, memory):
    """However many."""
    stub = await node()
    peer = await opened(stub)
    await peer.says(frame(TEXT, "", fin=False))
    memory()
    for _ in range(100):
        await peer.says(frame(CONTINUATION, b"", fin=False) * 100)
    assert memory() < 300_000
    await peer.says(frame(CONTINUATION, b""))
    assert peer.frames == [(TEXT, b"")]


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
async def test_a_message_must_be_finished_in_time(autojump_clock, node, opened, nursery, opcode):
    """However lively its peer is: from its first byte, whatever comes between."""
    stub = await node(limits=Limits(message_timeout=10.0))
    peer = await opened(stub)
    await trio.sleep_until(4.0)
    await peer.says(frame(opcode, b"x", fin=False))
    nursery.start_soon(drip, peer, [frame(CONTINUATION, b"x", fin=False), frame(PING)] * 99, 0.7)
    await trio.sleep_until(13.9)
    assert peer.close_code is None
    await trio.sleep_until(14.1)
    assert peer.close_code == 1008
    assert peer.end == ("eof", 14.0)
    assert stub.recorder.totals["malformed"] == 1


async def test_each_message_has_its_own_time(autojump_clock, node, opened):
    """And between messages a peer may keep silent as long as it likes."""
    stub = await node(limits=Limits(message_timeout=10.0))
    peer = await opened(stub)
    for _ in range(5):
        await peer.says(frame(TEXT, "a", fin=False))
        await trio.sleep(9)
        # The end of one message and the beginning of the next, in one piece.
        await peer.says(frame(CONTINUATION, b"b") + frame(TEXT, "c", fin=False))
        await trio.sleep(9)
        await peer.says(frame(CONTINUATION, b"d"))
        await trio.sleep(100)
    assert peer.frames == [(TEXT, b"ab"), (TEXT, b"cd")] * 5


async def test_a_frozen_server_does_not_watch_the_time(autojump_clock, node, opened):
    """It finds at the thaw that a message is late, and says so then."""
    freeze = {"kind": "freeze", "starts_at": 2.0, "down_for": 20.0}
    stub = await node(outages=[freeze], limits=Limits(message_timeout=5.0))
    peer = await opened(stub)
    await peer.says(frame(TEXT, "a", fin=False))
    await trio.sleep_until(21.9)
    assert peer.frames == []
    await trio.sleep_until(22.1)
    assert (peer.close_code, peer.end) == (1008, ("eof", 22.0))


async def test_an_event_amid_fragments_harms_nobody(autojump_clock, node, raw):
    """What the server says by itself does not mix with what it echoes."""
    stub = await node(history=HistoryConfig(rate=1.0))
    peer = await raw(stub, request("/"))
    await trio.sleep_until(1.5)
    await peer.says(frame(TEXT, encode(Sync(None, 0))), frame(BINARY, b"half ", fin=False))
    await trio.sleep_until(4.5)
    await peer.says(frame(CONTINUATION, b"whole"))
    assert [opcode for opcode, _ in peer.frames] == [TEXT] * 4 + [BINARY]
    assert peer.frames[-1] == (BINARY, b"half whole")


# Peers that do not read: max_unsent_bytes


@pytest.mark.parametrize("said", [frame(PING, b"x" * 125), frame(BINARY, b"x" * 20_000)], ids=len)
async def test_who_does_not_read_is_not_listened_to(autojump_clock, node, opened, memory, said):
    """A flood fills the peer's own streams and no more; it is served as fast as it reads."""
    stub = await node()
    deaf = await opened(stub, listens=False)
    memory()
    with trio.move_on_after(5) as blocked:
        for _ in range(100):
            await deaf.stream.send_all(said * (50_000 // len(said)))
    assert blocked.cancelled_caught
    assert memory() < 1_000_000
    other = await opened(stub, 1)
    await other.says(frame(PING))
    assert other.frames == [(PONG, b"")]


async def test_a_slow_reader_gets_everything_in_order(autojump_clock, node, opened, nursery):
    """Nobody is cut off for asking faster than it reads."""
    stub = await node(limits=Limits(max_unsent_bytes=1000))
    peer = await opened(stub, listens=False)
    texts = [b"%06d" % number * 3000 for number in range(100)]

    async def ask():
        for text in texts:
            await peer.stream.send_all(frame(BINARY, text))
        await peer.stream.send_all(close(1000))

    nursery.start_soon(ask)
    while data := await peer.stream.receive_some():
        peer.received += data
        await trio.sleep(0.1)
    assert peer.frames[:-1] == [(BINARY, text) for text in texts]
    assert peer.close_code == 1000


async def test_who_never_reads_what_others_say_is_cut_off(autojump_clock, node, raw, memory):
    """Once `max_unsent_bytes` wait; the others hear on."""
    stub = await node(limits=Limits(max_unsent_bytes=20_000), workers=3)
    deaf = await raw(stub, request("/subscribe/news"), listens=False)
    good = await raw(stub, request("/subscribe/news"))
    crier = await raw(stub, request("/publish/news"))
    await trio.sleep(2)
    memory()
    news = [b"%04d" % number * 2000 for number in range(40)]
    for each in news:
        await crier.says(frame(BINARY, each))
    assert memory() < 1_500_000
    assert good.frames == [(BINARY, each) for each in news]
    assert stub.server.n_connected == 2
    assert stub.recorder.totals["malformed"] == 1
    with pytest.raises(ConnectionResetError):
        await deaf.stream.send_all(b"x")


async def test_a_large_answer_is_no_reason_to_be_cut_off(autojump_clock, node, opened):
    """One message may be larger than the limit on what waits: only then does it fill up."""
    stub = await node(
        history=HistoryConfig(snapshot_size=500_000), limits=Limits(max_unsent_bytes=1000)
    )
    peer = await opened(stub)
    await peer.says(frame(TEXT, encode(Sync(None, 0))))
    await trio.sleep(1)
    ((opcode, payload),) = peer.frames
    assert opcode == TEXT
    assert len(payload) > 500_000


# Floods: FRAMES_PER_TURN


@pytest.mark.parametrize(
    "said",
    [frame(PING), frame(PONG), frame(TEXT, "x"), frame(CONTINUATION, b"", fin=False)],
    ids=["pings", "pongs", "texts", "fragments"],
)
async def test_a_flood_waits_its_turn(autojump_clock, node, opened, said):
    """Of ten thousand frames that arrive as one, no more than a few turns pass before others."""
    stub = await node()
    flooder = await opened(stub)
    other = await opened(stub, 1)
    await flooder.says(frame(TEXT, "", fin=False) if said[0] == 0 else frame(PONG))
    await flooder.stream.send_all(said * 10_000)
    await other.stream.send_all(frame(PING))
    n_turns = 0
    while not other.frames:
        await trio.lowlevel.checkpoint()
        n_turns += 1
    assert n_turns < 10
    # To send took two turns, which were not counted, and the last one is not over.
    assert len(read_frames(flooder.head[1])) <= (n_turns + 3) * FRAMES_PER_TURN
    await trio.testing.wait_all_tasks_blocked()
    assert flooder.end is None


# Requests that keep workers busy: max_pending


async def test_a_flood_of_requests_leaves_the_others_their_places(autojump_clock, node, opened):
    """One peer has `max_pending` pings in the queue and no more; all are answered in the end."""
    second = {"kind": "constant", "mean": 1.0}
    stub = await node(
        backlog=20,
        work={"heartbeats": {"stage": "handshake", "service_time": second}},
        limits=Limits(max_pending=5),
    )
    flooder = await opened(stub)
    await flooder.says(frame(PING, b"!") * 50)
    good = await opened(stub, 1)
    await good.says(frame(PING, b"?"))
    assert stub.recorder.levels[1] == 5  # One of six is being served.
    await trio.sleep_until(6.1)
    assert good.frames == [(PONG, b"?")]
    await trio.sleep_until(100)
    assert flooder.frames == [(PONG, b"!")] * 50


async def test_a_flood_before_the_stages_are_passed_is_not_kept(autojump_clock, node, raw):
    """Behind the 101 a peer may ask at once, but not without end."""
    minute = {"kind": "constant", "mean": 60.0}
    stage = {"name": "presence", "when": "after", "workers": 1, "service_time": minute}
    stub = await node(stages=[stage], limits=Limits(max_pending=5))
    peer = await raw(stub, request("/herd?client=0&episode=1&attempt=1"))
    await trio.sleep_until(2)
    with trio.move_on_at(50) as blocked:
        while True:
            await peer.stream.send_all(frame(TEXT, encode(Sync(None, 0))) * 100)
    assert blocked.cancelled_caught
    assert peer.frames == []


async def test_a_peer_cut_off_does_not_come_of_age(autojump_clock, node, opened):
    """It takes no last words; its connection has ended all the same, and is nobody's loss."""
    stub = await node(max_connection_age={"mean": 50.0})
    deaf = await opened(stub, listens=False)
    with trio.move_on_after(1):
        for _ in range(3):
            await deaf.stream.send_all(frame(BINARY, b"x" * 60_000))
    await trio.sleep_until(2)
    while data := await deaf.stream.receive_some():
        deaf.received += data
        if len(deaf.received) > 150_000:
            break
    await deaf.stream.send_all(frame(3))
    await trio.sleep_until(10)
    assert stub.server.n_connected == 0
    assert stub.rows("losses") == []


# Half-closed


async def test_who_has_said_everything_still_hears_the_answer(autojump_clock, node, opened):
    """A peer that ends its side gets what was owed to it, within `close_timeout`."""
    stub = await node()
    peer = await opened(stub, listens=False)
    with trio.move_on_after(0.1):
        await peer.stream.send_all(frame(BINARY, b"x" * 200_000))
        await peer.stream.send_all(frame(BINARY, b"y" * 200_000))
    peer.stream._outgoing.end()
    while data := await peer.stream.receive_some():
        peer.received += data
    assert peer.frames == [(BINARY, b"x" * 200_000), (BINARY, b"y" * 200_000)]


@pytest.mark.parametrize("says", [b"", request()[:40]], ids=["silent", "half a request"])
async def test_who_ends_before_it_has_asked_is_forgotten(autojump_clock, node, raw, says):
    """It is neither an arrival nor malformed: it has just left."""
    stub = await node()
    peer = await raw(stub, says)
    peer.stream._outgoing.end()
    await trio.testing.wait_all_tasks_blocked()
    assert peer.end == ("eof", 0.0)
    assert (stub.recorder.totals["arrivals"], stub.recorder.totals["malformed"]) == (0, 0)


# Outages among bad peers


@pytest.mark.parametrize("kind", ["graceful", "crash"])
async def test_an_outage_leaves_no_bad_peer(autojump_clock, node, raw, opened, kind):
    """Whatever each of them was about."""
    stub = await node(outages=[{"kind": kind, "starts_at": 1.0, "down_for": 1.0}])
    silent = await raw(stub)
    slow = await raw(stub, request()[:40])
    shown_out = await raw(stub, b"garbage\r\n\r\n", listens=False)
    amid_a_message = await opened(stub)
    await amid_a_message.says(frame(TEXT, "a", fin=False))
    await trio.sleep_until(0.9)
    rude = await opened(stub, 1, listens=False)
    await rude.says(frame(3))
    await trio.sleep_until(1.05)
    assert (silent.end, slow.end) == (("reset", 1.0), ("reset", 1.0))
    for peer in (shown_out, rude):
        with pytest.raises(OSError, match=r"Broken pipe|reset"):
            await peer.stream.send_all(b"x")
    await trio.sleep_until(2.1)
    assert amid_a_message.end is not None
    later = await stub.peer()
    await trio.sleep(2)
    assert later.answer == (101, 3.1)


async def test_the_server_table_counts_them(autojump_clock, node, raw):
    """In the interval in which they were cut off."""
    stub = await node()
    await trio.sleep_until(0.5)
    await raw(stub, b"garbage\r\n\r\n")
    stub.recorder.close(1.0)
    columns = stub.recorder.server.columns()
    assert columns["malformed"].sum() == 1
    assert columns["at"][columns["malformed"] == 1] == pytest.approx(0.5)
