"""What a connection is good for, and that no peer can disturb the server or another peer."""

import hypothesis.strategies as st
import pytest
import trio
from hypothesis import given, settings
from wsproto.events import BytesMessage, CloseConnection, TextMessage

from server_stub.config import ServerConfig, ServiceTime
from server_stub.history import HistoryConfig
from server_stub.messages import Ack, Event, Operation, Snapshot, Sync, encode
from server_stub.recorder import ServerRecorder
from server_stub.server import Server
from simulator.network import MemoryPort

REQUEST = (
    b"GET /herd?client=1&episode=0&attempt=1 HTTP/1.1\r\nHost: stub\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
MASK = b"\0\0\0\0"


async def test_a_ping_is_answered(autojump_clock, node):
    """With a pong, at once."""
    stub = await node()
    peer = await stub.connected()
    await trio.sleep_until(3)
    await peer.pings()
    await trio.sleep_until(4)
    assert peer.heard == [("pong frame", 3.0)]


async def test_an_application_ping_is_answered(autojump_clock, node):
    """For clients that cannot send ping frames."""
    stub = await node()
    peer = await stub.connected()
    await peer.says(TextMessage(data="ping"))
    await trio.sleep(1)
    assert peer.heard == [("pong", 0.0)]


@pytest.mark.parametrize(
    "messages",
    [
        [TextMessage(data="hello, herd")],
        [BytesMessage(data=b"\x00\xff")],
        [TextMessage(data="hel", message_finished=False), TextMessage(data="lo")],
        [TextMessage(data=text) for text in ("one", "two", "three")],
        [TextMessage(data="x" * 200_000)],
        [TextMessage(data="")],
    ],
)
async def test_messages_are_echoed(autojump_clock, node, messages):
    """Texts and bytes, whole or in parts, in order."""
    stub = await node()
    peer = await stub.connected()
    for message in messages:
        await peer.says(message)
    await trio.sleep(1)
    empty = b"" if isinstance(messages[0], BytesMessage) else ""
    assert empty.join(data for data, _ in peer.heard) == empty.join(m.data for m in messages)


@pytest.mark.parametrize(
    ("text", "answer"),
    [("ping", "pong"), ("hello", "hello"), (encode(Operation("key", "")), encode(Ack("key")))],
)
async def test_a_text_may_come_in_pieces(autojump_clock, node, text, answer):
    """TCP knows no messages: a text counts when its last byte is there, however it was cut."""
    stub = await node()
    peer = await stub.connected()
    for byte in b"\x81" + bytes([0x80 + len(text)]) + MASK + text.encode():
        await peer.says(bytes([byte]))
        await trio.testing.wait_all_tasks_blocked()
    assert peer.heard == [(answer, 0.0)]


async def test_a_text_without_an_end_is_cut_off(autojump_clock, node):
    """Nobody can fill the server's memory."""
    stub = await node()
    peer = await stub.connected()
    part = TextMessage(data="x" * 500_000, message_finished=False)
    for _ in range(3):
        await peer.says(part)
        await trio.testing.wait_all_tasks_blocked()
    assert peer.loss == (1009, 0.0)


async def test_a_close_frame_is_answered(autojump_clock, node):
    """With the same code; then the stream ends."""
    stub = await node()
    peer = await stub.connected()
    await peer.says(CloseConnection(code=4002, reason="enough"))
    await trio.sleep(1)
    assert peer.loss == (4002, 0.0)
    assert stub.server.n_connected == 0
    assert stub.rows("losses") == []


async def test_who_takes_too_long_to_ask_is_cut_off(autojump_clock, node):
    """Told so, if it has said anything; it was no arrival."""
    stub = await node(request_timeout=3.0)
    silent = await stub.peer(at=1, request=lambda _: b"")
    dribbling = await stub.peer(at=1, request=lambda request: request[:20])
    await trio.sleep_until(3)
    await dribbling.says(dribbling.request[20:-1])
    await trio.sleep_until(9)
    assert (silent.answer, dribbling.answer) == (("eof", 4.0), (408, 4.0))
    assert stub.recorder.totals["arrivals"] == 0


async def test_a_request_may_come_in_pieces(autojump_clock, node):
    """Complete is when the last byte is there."""
    stub = await node()
    peer = await stub.peer(request=lambda request: request[:1])
    for place in range(1, len(peer.request)):
        await peer.says(peer.request[place : place + 1])
        await trio.sleep(1 / 64)
    arrived_at = trio.current_time() - 1 / 64
    await trio.sleep(2)
    assert peer.answer == (101, pytest.approx(arrived_at + 1))


GARBAGE = {
    "not HTTP": b"\x00\xff" * 100,
    "TLS": bytes.fromhex("16030100c8010000c40303") + b"\0" * 200,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a plain GET": b"GET / HTTP/1.1\r\nHost: stub\r\n\r\n",
    "a POST with a body": REQUEST.replace(b"GET", b"POST").replace(
        b"Host", b"Content-Length: 3\r\nHost"
    )
    + b"abc",
    "an oversized header": REQUEST[:-2] + b"X-Large: " + b"x" * 100_000 + b"\r\n\r\n",
    "another version": REQUEST.replace(b"Version: 13", b"Version: 7"),
    "no key": REQUEST.replace(b"Sec-WebSocket-Key", b"X-Key"),
    "a header that is not ASCII": REQUEST.replace(b"Upgrade: websocket", b"Upgrade: \xff\xfe"),
    "half a request": REQUEST[:50],
    "invalid UTF-8 in a text": REQUEST + b"\x81\x82" + MASK + b"\xff\xff",
    "an unmasked frame": REQUEST + b"\x81\x02hi",
    "an unknown opcode": REQUEST + b"\x83\x80" + MASK,
    "a fragmented ping": REQUEST + b"\x09\x80" + MASK,
    "an overlong ping": REQUEST + b"\x89\xfe\x01\x00" + MASK + b"x" * 256,
    "a frame of 2**63 bytes": REQUEST + b"\x82\xff" + b"\xff" * 8 + MASK,
    "a continuation of nothing": REQUEST + b"\x80\x80" + MASK,
    "a close code that must not be sent": REQUEST + b"\x88\x82" + MASK + b"\x03\xee",
    "a close frame of one byte": REQUEST + b"\x88\x81" + MASK + b"x",
    "two close frames": REQUEST + (b"\x88\x82" + MASK + b"\x03\xe8") * 2,
    "a ping after the close frame": REQUEST + b"\x88\x80" + MASK + b"\x89\x80" + MASK,
    "numbers beyond 32 bits": REQUEST.replace(b"client=1", b"client=99999999999"),
    "a negative number": REQUEST.replace(b"client=1&episode=0", b"client=-1&episode=1"),
    "a number of 5,000 digits": REQUEST.replace(b"client=1", b"client=" + b"9" * 5000),
    "an invalid target": REQUEST.replace(b"/herd?", b"//[?"),
}


@pytest.mark.parametrize("ending", ["close", "reset", "stay"])
@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
async def test_whatever_a_peer_sends_ends_with_it(autojump_clock, node, garbage, ending):
    """The server lives on, others are not disturbed, and an outage finds nothing odd."""
    outages = [{"kind": "crash", "starts_at": 20.0, "down_for": 1.0}]
    stub = await node(workers=2, outages=outages)
    other = await stub.connected()
    stream = await stub.port.dial()
    await stream.send_all(garbage)
    if ending != "stay":
        await trio.testing.wait_all_tasks_blocked()
        getattr(stream, ending)()
    await trio.sleep_until(10)
    await other.pings()
    later = await stub.peer(2, at=10)
    await trio.sleep_until(25)
    assert other.heard == [("pong frame", 10.0)]
    assert later.answer == (101, 11.0)
    assert (other.loss, later.loss) == (("reset", 20.0), ("reset", 20.0))


async def test_a_peer_that_only_sends_holds_up_nobody(autojump_clock, node):
    """Its echoes fill its own stream, and then it waits alone."""
    stub = await node()
    greedy = await stub.connected(listens=False)
    for _ in range(2):
        await greedy.says(TextMessage(data="x" * 70_000))
    other = await stub.connected(1)
    await other.pings()
    await trio.sleep(1)
    assert other.heard == [("pong frame", 0.0)]


async def test_a_peer_that_speaks_before_its_101_has_left(autojump_clock, node):
    """RFC 6455 lets a client send nothing until it is answered."""
    stub = await node(abandoned="skip")
    hasty = await stub.peer()
    await hasty.says(b"\x89\x80" + MASK)
    await trio.sleep_until(5)
    assert hasty.answer == ("eof", 0.0)
    assert stub.recorder.totals["completed"] == 0


chunks = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from([REQUEST, *GARBAGE.values()]),
        st.builds(
            lambda data, place, byte: data[:place] + bytes([byte]) + data[place + 1 :],
            st.just(REQUEST),
            st.integers(0, len(REQUEST) - 1),
            st.integers(0, 255),
        ),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=40)
@given(conversations=st.lists(chunks, min_size=1, max_size=4))
def test_no_bytes_at_all_can_end_the_server(conversations):
    """Whatever is sent, in whatever pieces, the next proper client is served."""

    async def rant(port, pieces):
        stream = await port.dial()
        try:
            for piece in pieces:
                await stream.send_all(piece)
                await trio.sleep(0.5)
        except OSError:
            pass
        stream.close()

    async def main():
        port = MemoryPort(listen_backlog=8)
        recorder = ServerRecorder()
        config = ServerConfig(workers=8, service_time=ServiceTime(kind="constant", mean=0.75))
        server = Server(config, port=port, seed=1, recorder=recorder)
        async with trio.open_nursery() as nursery:
            await nursery.start(server.run)
            async with trio.open_nursery() as ranting:
                for pieces in conversations:
                    ranting.start_soon(rant, port, pieces)
            await trio.sleep(20)
            assert server.n_connected == 0
            stream = await port.dial()
            await stream.send_all(REQUEST)
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 101")
            nursery.cancel_scope.cancel()
        recorder.close(trio.current_time())

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


async def test_our_clients_hear_of_events_and_foreign_ones_when_they_ask(autojump_clock, node):
    """Ours from the start, even if they never ask what they missed."""
    stub = await node(
        history=HistoryConfig(rate=1.0), service_time=ServiceTime(kind="constant", mean=0.1)
    )
    ours = await stub.connected(at=1.5)
    foreign = await stub.peer(target="/", at=1.5)
    await trio.sleep_until(2.5)
    assert ours.heard == [(encode(Event(1, 3)), 2.0)]
    assert foreign.heard == []
    await foreign.says(TextMessage(data=encode(Sync(None, 0))))
    await trio.sleep_until(3.5)
    assert ours.heard[1:] == [(encode(Event(1, 4)), 3.0)]
    assert foreign.heard == [(encode(Snapshot(1, 3)), 2.5), (encode(Event(1, 4)), 3.0)]
