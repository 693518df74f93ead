"""A server that breaks the protocol: both transports say so alike, in time, with bounded memory."""

import struct
import tracemalloc

import pytest
import trio
from wsproto.utilities import generate_accept_token

from simulator.core.outcomes import NoticedBy, Outcome
from simulator.transport.seam import MAX_ANSWER_BYTES, MAX_MESSAGE_BYTES, ConnectionLostError

ACCEPTING = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"


async def key_of(peer):
    """The key of the peer's request, read by hand."""
    request = await peer.stream.receive_some()
    lines = request.decode("ascii").split("\r\n")
    return next(line.split(": ")[1] for line in lines if line.lower().startswith("sec-websocket-k"))


def answering(head, *, accept=True, more=b""):
    """A server that answers with this head; `accept` adds the right token for the key."""

    async def play(peer):
        key = await key_of(peer)
        token = generate_accept_token(key.encode()).decode()
        accepting = f"Sec-WebSocket-Accept: {token}\r\n" if accept else ""
        await peer.stream.send_all(f"{head}{accepting}\r\n".encode("latin-1") + more)

    return play


async def goes_on(peer, piece, n):
    """The server says something again and again, until nobody listens."""
    try:
        for _ in range(n):
            await peer.stream.send_all(piece)
    except OSError:
        pass


# The answer

GARBAGE = {
    "another token": answering(ACCEPTING + "Sec-WebSocket-Accept: AAAA\r\n", accept=False),
    "no token": answering(ACCEPTING, accept=False),
    "no upgrade": answering(ACCEPTING.replace("Upgrade: websocket\r\n", "")),
    "another upgrade": answering(ACCEPTING.replace("websocket", "h2c")),
    "no connection": answering(ACCEPTING.replace("Connection: Upgrade\r\n", "")),
    "another connection": answering(ACCEPTING.replace(": Upgrade", ": no-upgrade")),
    "an extension": answering(ACCEPTING + "Sec-WebSocket-Extensions: permessage-deflate\r\n"),
    "a subprotocol": answering(ACCEPTING + "Sec-WebSocket-Protocol: chat\r\n"),
    "headers that are none": answering(ACCEPTING + "\x00\xff\r\n", accept=False),
    "a status that is none": answering("HTTP/1.1 abc What\r\n"),
    "another protocol": answering("220 mail.example ESMTP\r\n"),
}


@pytest.mark.parametrize("play", GARBAGE.values(), ids=GARBAGE)
async def test_an_answer_that_accepts_nothing(harness, play, at_once, autojump_clock):
    """It makes no sense (RFC 6455, 4.1), and is given up at once."""
    with at_once():
        failure = await harness.failure(play)
    assert failure.outcome is Outcome.EOF


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (ACCEPTING, b"X-More: of the same\r\n"),
        (ACCEPTING, b"x" * 5000),
        ("HTTP/1.1 503 Service Unavailable\r\n", b"X-More: of the same\r\n"),
        ("HTTP/1.1 503 Service Unavailable\r\nX-Long: ", b"x" * 5000),
        ("HTTP/1.1 ", b"5" * 5000),
        ("", b"\x00" * 5000),
    ],
)
async def test_an_answer_without_an_end(harness, head, piece, at_once, autojump_clock):
    """It is given up at a limit."""

    async def play(peer):
        await key_of(peer)
        await peer.stream.send_all(head.encode())
        await goes_on(peer, piece, 20_000)

    with at_once():
        failure = await harness.failure(play)
    assert failure.outcome is Outcome.EOF


async def test_a_rejection_without_an_end(harness, at_once, autojump_clock):
    """What counts is the status, or that there is no end; the body is nobody's concern."""

    async def play(peer):
        await key_of(peer)
        await peer.stream.send_all(
            b"HTTP/1.1 503 Unavailable\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        await goes_on(peer, b"1000\r\n" + b"x" * 4096 + b"\r\n", 2 * MAX_ANSWER_BYTES // 4096)

    with at_once():
        failure = await harness.failure(play)
    assert failure.outcome in (Outcome.REJECTED, Outcome.EOF)


@pytest.mark.parametrize("status", ["100 Continue", "103 Early Hints"])
async def test_an_answer_before_the_answer(harness, status, at_once, autojump_clock):
    """Nobody asked for one: it is another status than 101."""
    with at_once():
        failure = await harness.failure(answering(f"HTTP/1.1 {status}\r\n", accept=False))
    assert failure.outcome is Outcome.REJECTED


@pytest.mark.parametrize("interval", [0.1, 0.9])
async def test_an_answer_that_drips(harness, interval, autojump_clock):
    """The client's patience is for the whole of it."""

    async def play(peer):
        await key_of(peer)
        try:
            for byte in (ACCEPTING * 5).encode():
                await peer.stream.send_all(bytes([byte]))
                await trio.sleep(interval)
        except OSError:
            pass

    async with trio.open_nursery() as nursery:
        nursery.start_soon(harness.play, play)
        with trio.move_on_after(2.0) as patience:
            async with harness.connect():
                pytest.fail("there was no answer")
        assert patience.cancelled_caught
        assert trio.current_time() == 2.0


# Frames


def frame(opcode, payload=b"", *, fin=True, rsv=0, size=None, mask=None):
    """A server's frame, good or bad."""
    size = len(payload) if size is None else size
    masked = 0x80 if mask is not None else 0
    head = bytes([fin << 7 | rsv << 4 | opcode])
    if size < 126:
        head += bytes([masked | size])
    elif size < 65536:
        head += bytes([masked | 126]) + struct.pack("!H", size)
    else:
        head += bytes([masked | 127]) + struct.pack("!Q", size)
    return head + (mask or b"") + payload


TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9
BAD = {
    "a masked frame": (frame(TEXT, b"hello", mask=b"\0\0\0\0"), 1002),
    "a reserved bit": (frame(TEXT, b"hello", rsv=4), 1002),
    "a reserved opcode": (frame(3), 1002),
    "a continuation of nothing": (frame(0), 1002),
    "a text within a text": (frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"), 1002),
    "a ping in fragments": (frame(PING, fin=False), 1002),
    "a ping that is too long": (frame(PING, b"x" * 126), 1002),
    "a length longer than need be": (b"\x81\x7e\x00\x05hello", 1002),
    "a length beyond all bounds": (frame(BINARY, size=2**63), 1002),
    "a close code that must not be sent": (frame(CLOSE, struct.pack("!H", 1006)), 1002),
    "half a close code": (frame(CLOSE, b"\x03"), 1002),
    "a text that is none": (frame(TEXT, b"\xff\xfe"), 1007),
    "a reason that is none": (frame(CLOSE, b"\x03\xe8\xff\xfe"), 1007),
}


async def loss_of(connection):
    """How the connection is lost."""
    with pytest.raises(ConnectionLostError) as caught:
        await connection.receive()
    return caught.value


@pytest.mark.parametrize("more", [b"", frame(TEXT, b"and on"), b"\xff" * 70_000], ids=len)
@pytest.mark.parametrize("case", BAD.values(), ids=BAD)
async def test_a_frame_that_breaks_the_protocol(connected, case, more, at_once, autojump_clock):
    """The connection is lost at once, by no close frame, with the code that it deserves."""
    sent, code = case
    connection, peer = connected
    await peer.stream.send_all(sent + more)
    with at_once():
        loss = await loss_of(connection)
    assert (loss.noticed_by, loss.close_code) == (NoticedBy.EOF, code)
    assert loss.reason.startswith("garbage: ")


async def test_what_came_before_it_counts(connected, at_once, autojump_clock):
    """A text, also of several frames."""
    connection, peer = connected
    await peer.stream.send_all(
        frame(TEXT, b"one ", fin=False) + frame(0, b"text") + frame(TEXT, b"x", rsv=1)
    )
    with at_once():
        assert await connection.receive() == "one text"
        assert (await loss_of(connection)).close_code == 1002


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (frame(TEXT, b"x", fin=False), frame(0, b"x" * 60_000, fin=False)),
        (frame(BINARY, b"x", fin=False), frame(0, b"x" * 60_000, fin=False)),
        (frame(TEXT, size=2**62), b"x" * 60_000),
        (frame(BINARY, size=2**40), b"x" * 60_000),
    ],
    ids=["text", "bytes", "one text", "one frame of bytes"],
)
async def test_a_message_without_an_end(connected, nursery, first, again, autojump_clock):
    """It is not waited for beyond a limit, nor kept."""
    connection, peer = connected
    tracemalloc.start()
    try:
        await peer.stream.send_all(first)
        nursery.start_soon(goes_on, peer, again, 2 * MAX_MESSAGE_BYTES // 60_000)
        loss = await loss_of(connection)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (loss.noticed_by, loss.close_code) == (NoticedBy.EOF, 1009)
    assert peak < 3 * MAX_MESSAGE_BYTES
    nursery.cancel_scope.cancel()


async def test_a_large_text_is_received(connected, nursery, autojump_clock):
    """A whole state may have megabytes."""
    connection, peer = connected
    text = b"state" * 1_000_000
    nursery.start_soon(peer.stream.send_all, frame(TEXT, text))
    assert await connection.receive() == text.decode()


@pytest.mark.parametrize("said", [frame(PING, b"x" * 100), frame(10), frame(BINARY, b"x")])
async def test_a_flood_that_means_nothing(connected, nursery, said, autojump_clock):
    """It hides no text."""
    connection, peer = connected

    async def take_the_pongs():
        while await peer.stream.receive_some():
            pass

    async def flood():
        await goes_on(peer, said * 100, 50)
        await peer.stream.send_all(frame(TEXT, b"after all"))

    nursery.start_soon(take_the_pongs)
    nursery.start_soon(flood)
    assert await connection.receive() == "after all"
    nursery.cancel_scope.cancel()


async def test_leaving_a_server_that_never_closes(connected, at_once, autojump_clock):
    """Nobody waits for it, whatever it has said."""
    connection, peer = connected
    await peer.stream.send_all(frame(CLOSE, struct.pack("!H", 1000)))
    with at_once():
        assert (await loss_of(connection)).noticed_by is NoticedBy.CLOSE_FRAME
