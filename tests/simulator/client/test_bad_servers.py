"""A server that misbehaves costs a client one attempt or one connection, in a stated time."""

import pytest
import trio

from simulator.core.lifecycle import Connected, Disconnected
from simulator.core.outcomes import NoticedBy, Outcome

TEXT_WITHOUT_END = b"\x01\x01x" + b"\x00\x7e\xea\x60" + b"x" * 60_000
PING = b"\x89\x64" + b"x" * 100


async def good(peer):
    """A server as it should be."""
    await peer.open()
    while await peer.hear() is not None:
        pass


def answers(*pieces, interval=0.0):
    """A server that answers with these bytes, whoever asks for what."""

    async def play(peer):
        await peer.stream.receive_some()
        try:
            for piece in pieces:
                await peer.stream.send_all(piece)
                await trio.sleep(interval)
        except OSError:
            pass
        await trio.sleep_forever()

    return play


def says(*pieces):
    """A server that opens a connection and then says these bytes, as long as anybody takes them."""

    async def play(peer):
        await peer.open()
        await trio.sleep_until(1.0)
        try:
            for piece in pieces:
                await peer.stream.send_all(piece)
        except OSError:
            pass
        await trio.sleep_forever()

    return play


@pytest.mark.parametrize(
    ("pieces", "interval", "ends_at", "outcome"),
    [
        ([b"220 ready\r\n\r\n"], 0.0, 0.02, Outcome.EOF),
        ([b"\x00\xff" * 100], 0.0, 0.02, Outcome.EOF),
        ([b"HTTP/1.1 101 Switching Protocols\r\n\r\n"], 0.0, 0.02, Outcome.EOF),
        ([b"HTTP/1.1 101 Yes\r\n", *[b"X: y\r\n" * 100] * 999], 0.0, 0.02, Outcome.EOF),
        ([b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"], 0.0, 0.02, Outcome.REJECTED),
        ([b"HTTP/1.1 101 Yes\r\n", *[b"X: y\r\n"] * 999], 0.1, 2.0, Outcome.TIMED_OUT),
        ([], 0.0, 2.0, Outcome.TIMED_OUT),
    ],
    ids=["other", "garbage", "no token", "endless", "rejection", "drip", "silence"],
)
async def test_a_bad_answer_costs_one_attempt(  # noqa: PLR0917 - one case
    played, pieces, interval, ends_at, outcome, autojump_clock
):
    """At once, or when patience ends; a second later the client tries again."""
    life = played(answers(*pieces, interval=interval), good).client()
    await trio.sleep_until(10)
    again_at = ends_at + 1.0
    assert life.attempts == [
        (0.0, ends_at, outcome),
        (pytest.approx(again_at), pytest.approx(again_at + 0.02), Outcome.CONNECTED),
    ]


@pytest.mark.parametrize(
    ("pieces", "code"),
    [
        ([b"\x83\x00"], 1002),
        ([b"\x81\x85\0\0\0\0hello"], 1002),
        ([b"\x81\x01\xff"], 1007),
        ([TEXT_WITHOUT_END[:3], *[TEXT_WITHOUT_END[3:]] * 400], 1009),
    ],
    ids=["reserved opcode", "masked", "no text", "without end"],
)
async def test_a_bad_frame_costs_one_connection(played, pieces, code, autojump_clock):
    """At once, and not cleanly: no close frame came; the client comes back by its policy."""
    life = played(says(*pieces), good).client()
    await trio.sleep_until(10)
    (lost,) = life.of(Disconnected)
    assert (lost.at, lost.noticed_by, lost.close_code) == (1.0, NoticedBy.EOF, code)
    assert not lost.was_clean
    assert [event.at for event in life.of(Connected)][1:] == [pytest.approx(2.02)]


async def test_a_flood_of_pings_whose_pongs_nobody_takes(played, autojump_clock):
    """The client cannot answer any more, hears nothing, and its heartbeat notices."""
    heartbeat = {"interval": 4.0, "timeout": 3.0}
    life = played(says(*[PING * 100] * 500), good).client(heartbeat=heartbeat)
    await trio.sleep_until(20)
    (lost,) = life.of(Disconnected)
    assert lost.noticed_by is NoticedBy.HEARTBEAT
    assert 1.0 + 3.0 <= lost.at <= 1.0 + 4.0 + 3.0


async def test_a_server_that_says_goodbye_and_stays(played, autojump_clock):
    """Nobody waits for the end of its stream."""
    life = played(says(b"\x88\x02\x03\xf4"), good).client()
    await trio.sleep_until(10)
    (lost,) = life.of(Disconnected)
    assert (lost.at, lost.noticed_by, lost.close_code) == (1.0, NoticedBy.CLOSE_FRAME, 1012)
