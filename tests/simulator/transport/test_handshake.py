"""Until the 101: both transports connect alike, and every failure is an AttemptFailedError."""

import errno
import os
import re

import pytest
import trio
from wsproto.events import CloseConnection, TextMessage
from wsproto.utilities import generate_accept_token

from server_stub.wire import OVERLOADED
from simulator.core.outcomes import NoticedBy, Outcome
from simulator.transport import TRANSPORTS
from simulator.transport.seam import AttemptFailedError, ConnectionLostError

ACCEPTING = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"


async def test_the_request_carries_the_path(harness, autojump_clock):
    """The server learns from it who knocks."""
    targets = []

    async def play(peer):
        targets.append((await peer.open()).handshake.target)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(harness.play, play)
        async with harness.connect("/herd?client=1&episode=2&attempt=3"):
            pass
    assert targets == ["/herd?client=1&episode=2&attempt=3"]


@pytest.mark.parametrize("transport", sorted(TRANSPORTS))
async def test_further_headers_and_subprotocols_are_sent(transport, harness_over, autojump_clock):
    """As a server that is not ours may want them: a token, and what the client speaks."""
    harness = harness_over(
        transport,
        headers=[("Authorization", "Bearer x"), ("Cookie", "a=b")],
        subprotocols=["chat.v2", "chat.v1"],
    )
    heads = []

    async def play(peer):
        stream = _Overheard(peer.stream)
        peer.stream = stream
        await peer.read_request()
        heads.append(stream.heard)
        await stream.send_all(accepting(stream.heard, b"Sec-WebSocket-Protocol: chat.v1\r\n"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(harness.play, play)
        async with harness.connect():
            pass
    (head,) = heads
    lines = head.split(b"\r\n")
    assert b"Authorization: Bearer x" in lines
    assert b"Cookie: a=b" in lines
    assert b"Sec-WebSocket-Protocol: chat.v2, chat.v1" in lines
    assert b"Host: herd.test" in lines


@pytest.mark.parametrize(
    "line", [b"Sec-WebSocket-Protocol: chat.v3\r\n", b"Sec-WebSocket-Extensions: x-zip\r\n"]
)
async def test_what_was_not_asked_for_is_no_answer(harness, line, autojump_clock):
    """A subprotocol or an extension that the client did not offer (RFC 6455, 4.1)."""

    async def play(peer):
        stream = _Overheard(peer.stream)
        peer.stream = stream
        await peer.read_request()
        await stream.send_all(accepting(stream.heard, line))

    assert (await harness.failure(play)).outcome is Outcome.EOF


class _Overheard:
    """A stream that remembers what it received."""

    def __init__(self, stream):
        self._stream = stream
        self.heard = b""

    async def receive_some(self):
        data = await self._stream.receive_some()
        self.heard += data
        return data

    def __getattr__(self, name):
        return getattr(self._stream, name)


def accepting(head, line):
    """A 101 to this request, with one more line."""
    (key,) = re.findall(rb"(?im)^sec-websocket-key: *(\S+)", head)
    return ACCEPTING + b"Sec-WebSocket-Accept: %s\r\n%s\r\n" % (generate_accept_token(key), line)


async def test_connecting_takes_no_time_of_its_own(harness, at_once, autojump_clock):
    """The round trip is the client's affair."""
    with at_once():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(harness.play, lambda peer: peer.open())
            async with harness.connect():
                pass


async def test_nobody_listens(harness, at_once, autojump_clock):
    """The attempt is refused."""
    harness.port.refuse()
    with at_once():
        failure = await harness.failure()
    assert failure.outcome is Outcome.REFUSED


@pytest.mark.parametrize("transport", sorted(TRANSPORTS))
@pytest.mark.parametrize(
    ("number", "outcome"),
    [
        (errno.ECONNREFUSED, Outcome.REFUSED),
        (errno.ECONNRESET, Outcome.RESET),
        (errno.ETIMEDOUT, Outcome.TIMED_OUT),
        (errno.EADDRNOTAVAIL, Outcome.FAILED),
        (errno.EMFILE, Outcome.FAILED),
    ],
)
async def test_what_the_kernel_says_to_a_dial(transport, number, outcome, autojump_clock):
    """Each of the operating system's errors is one outcome."""

    async def dial():
        await trio.lowlevel.checkpoint()
        raise OSError(number, os.strerror(number))

    with pytest.raises(AttemptFailedError) as caught:
        async with TRANSPORTS[transport](dial, "herd.test").connect("/"):
            pass
    assert caught.value.outcome is outcome


# The peer goes away before its answer


async def test_a_peer_that_closes_at_once(harness, at_once, autojump_clock):
    """The attempt ends with it, rather than waiting for an answer."""

    async def play(peer):
        await trio.lowlevel.checkpoint()
        peer.stream.close()

    with at_once():
        failure = await harness.failure(play)
    assert failure.outcome in (Outcome.EOF, Outcome.RESET)  # sending may come before or after it


async def test_a_peer_that_closes_instead_of_answering(harness, at_once, autojump_clock):
    """The end of the stream is noticed at once."""

    async def play(peer):
        (await peer.read_request()).stream.close()

    with at_once():
        failure = await harness.failure(play)
    assert failure.outcome is Outcome.EOF


async def test_a_peer_that_closes_in_the_middle_of_its_answer(harness, at_once, autojump_clock):
    """Half a 101 is none."""

    async def play(peer):
        (await peer.reply(ACCEPTING)).stream.close()

    with at_once():
        failure = await harness.failure(play)
    assert failure.outcome is Outcome.EOF


async def test_a_peer_that_resets_instead_of_answering(harness, at_once, autojump_clock):
    """The reset is noticed at once."""

    async def play(peer):
        (await peer.read_request()).stream.reset()

    with at_once():
        failure = await harness.failure(play)
    assert failure.outcome is Outcome.RESET


async def test_a_connection_that_breaks_while_the_request_is_sent(harness, at_once, autojump_clock):
    """Sending fails as receiving does."""

    async def dial():
        stream = await harness.port.dial()
        (await harness.port.accept()).reset()
        return stream

    harness.dial = dial
    with at_once():
        failure = await harness.failure()
    assert failure.outcome is Outcome.RESET


# The peer says no


async def test_a_503_is_a_rejection(harness, at_once, autojump_clock):
    """It arrives by itself, not inside an exception group."""

    async def play(peer):
        await (await peer.read_request()).handshake.reject(OVERLOADED)

    with at_once():
        failure = await harness.failure(play)
    assert failure.outcome is Outcome.REJECTED
    assert str(failure) == "rejected: HTTP 503 Service Unavailable"
    assert failure.retry_after == 0.0


async def test_a_503_from_a_peer_that_leaves_at_once(harness, at_once, autojump_clock):
    """The answer counts, not that the stream ended after it."""

    async def play(peer):
        await (await peer.read_request()).handshake.reject(OVERLOADED)
        peer.stream.close()

    with at_once():
        failure = await harness.failure(play)
    assert failure.outcome is Outcome.REJECTED


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(b"7", 7.0), (b"0", 0.0), (b"soon", 0.0)],
)
async def test_retry_after_is_passed_on(harness, value, seconds, autojump_clock):
    """What does not make sense asks for nothing."""

    async def play(peer):
        await peer.read_request()
        await peer.handshake.reject(OVERLOADED, [(b"Retry-After", value)])

    failure = await harness.failure(play)
    assert failure.retry_after == seconds


@pytest.mark.parametrize("status", [b"200 OK", b"302 Found", b"404 Not Found", b"599 Whatever"])
async def test_any_status_but_101_is_a_rejection(harness, status, at_once, autojump_clock):
    """It is the server's answer, whatever it means."""
    with at_once():
        failure = await harness.failure(
            lambda peer: peer.reply(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
        )
    assert failure.outcome is Outcome.REJECTED
    assert status[:3].decode() in str(failure)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00\xff\x00\xff\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        ACCEPTING + b"Sec-WebSocket-Accept: forged\r\n\r\n",
        ACCEPTING + b"\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    ],
)
async def test_a_garbled_reply_fails_the_attempt(harness, garbage, at_once, autojump_clock):
    """It counts as an end without an answer."""
    with at_once():
        failure = await harness.failure(lambda peer: peer.reply(garbage))
    assert failure.outcome is Outcome.EOF


async def test_garbage_and_then_a_reset(harness, at_once, autojump_clock):
    """Neither of the two escapes as anything else."""

    async def play(peer):
        (await peer.reply(b"\x00\xff\x00\xff\r\n\r\n")).stream.reset()

    with at_once():
        failure = await harness.failure(play)
    assert failure.outcome in (Outcome.EOF, Outcome.RESET)


# The answer, and what comes with it


async def test_a_text_in_one_piece_with_the_101_is_received(harness, autojump_clock):
    """What follows the answer is not lost with it."""

    async def play(peer):
        await peer.read_request()
        await _answer_with(peer, TextMessage(data="welcome"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(harness.play, play)
        async with harness.connect() as connection:
            assert await connection.receive() == "welcome"


@pytest.mark.parametrize(
    ("leave", "noticed_by"),
    [("close", NoticedBy.EOF), ("reset", NoticedBy.RESET)],
)
async def test_a_101_counts_even_when_the_end_is_on_its_heels(
    harness, leave, noticed_by, at_once, autojump_clock
):
    """The client was connected, and has lost the connection."""

    async def play(peer):
        getattr((await peer.open()).stream, leave)()

    with at_once():
        for _ in range(10):  # whichever task is first
            async with trio.open_nursery() as nursery:
                nursery.start_soon(harness.play, play)
                with pytest.raises(ConnectionLostError) as caught:
                    async with harness.connect() as connection:
                        await connection.receive()
            assert caught.value.noticed_by is noticed_by


async def test_a_close_frame_in_one_piece_with_the_101(harness, at_once, autojump_clock):
    """The client was connected, and was told to go."""

    async def play(peer):
        await peer.read_request()
        await _answer_with(peer, CloseConnection(code=1012))
        peer.stream.close()

    with at_once():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(harness.play, play)
            with pytest.raises(ConnectionLostError) as caught:
                async with harness.connect() as connection:
                    await connection.receive()
    assert (caught.value.noticed_by, caught.value.close_code) == (NoticedBy.CLOSE_FRAME, 1012)


async def _answer_with(peer, event):
    """Send the 101 and a frame in one piece."""
    held = []

    class Holding:
        async def send_all(self, data):
            held.append(data)

    peer.handshake._stream = Holding()
    peer.protocol = await peer.handshake.accept()
    await peer.stream.send_all(b"".join(held) + peer.protocol.send(event))


# Cancellation


@pytest.mark.parametrize("answer", [None, b"HTTP/1.1 101 Swi"])
async def test_cancelling_a_handshake_passes_through_cleanly(harness, answer, autojump_clock):
    """What the client's task sees is Trio's Cancelled itself, not a group of them."""
    peers, seen = [], []

    async def play(peer):
        peers.append(await (peer.read_request() if answer is None else peer.reply(answer)))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(harness.play, play)
        with trio.move_on_after(3) as scope:
            try:
                async with harness.connect():
                    pytest.fail("there was no answer")
            except BaseException as error:
                seen.append(type(error))
                raise
    assert scope.cancelled_caught
    assert seen == [trio.Cancelled]
    assert trio.current_time() == 3
    assert await peers[0].stream.receive_some() == b""


async def test_cancelling_a_dial_passes_through_cleanly(harness, autojump_clock):
    """Nobody answers the SYN; the client's patience is its own."""

    async def dial():
        await trio.sleep_forever()

    harness.dial = dial
    with trio.move_on_after(3) as scope:
        async with harness.connect():
            pytest.fail("nobody answered")
    assert scope.cancelled_caught


async def test_a_failed_attempt_drops_its_stream(harness, autojump_clock):
    """No descriptor stays behind."""
    ends = []

    async def play(peer):
        await peer.reply(b"garbage\r\n\r\n")
        ends.append(await peer.stream.receive_some())

    await harness.failure(play)
    assert ends == [b""]
