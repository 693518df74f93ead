"""A probe asks whether there is a network: whatever comes back says yes."""

import errno
import os

import pytest
import trio
import trio.testing

from server_stub.config import ServerConfig
from server_stub.outage import Outage, unfold
from server_stub.recorder import ServerRecorder
from server_stub.server import Server
from simulator.network import MemoryPort
from simulator.probe import health_probe


@pytest.fixture
def port():
    """A port that listens."""
    port = MemoryPort(listen_backlog=4)
    port.listen()
    return port


@pytest.fixture
def answered(port, nursery):
    """The verdict of a probe that the given function, called with the server's end, answers."""

    async def ask(answer):
        async def accept():
            answer(await port.accept())

        nursery.start_soon(accept)
        return await health_probe(port.dial, "herd.test")()

    return ask


async def test_it_asks_for_the_health_of_the_server(port):
    """Without a body and without a cache."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(health_probe(port.dial, "herd.test"))
        theirs = await port.accept()
        request = await theirs.receive_some()
        theirs.close()
    method, *headers = request.decode().removesuffix("\r\n\r\n").split("\r\n")
    assert method == "HEAD /api/health HTTP/1.1"
    assert headers == ["Host: herd.test", "Cache-Control: no-store", "Connection: close"]


@pytest.mark.parametrize(
    "answer",
    [
        lambda stream: stream.send_nowait(b"HTTP/1.1 200 OK\r\n\r\n"),
        lambda stream: stream.send_nowait(b"HTTP/1.1 503 Service Unavailable\r\n\r\n"),
        lambda stream: stream.send_nowait(b"garbage"),
        lambda stream: stream.close(),
        lambda stream: stream.reset(),
    ],
    ids=["200", "503", "garbage", "eof", "reset"],
)
async def test_any_answer_is_a_sign_of_life(answered, answer):
    """How the server is, is another question."""
    assert await answered(answer) is True


async def test_a_refusal_is_a_sign_of_life(port):
    """Somebody must have refused."""
    port.refuse()
    assert await health_probe(port.dial, "herd.test")() is True


@pytest.mark.parametrize(
    ("number", "verdict"),
    [
        (errno.ETIMEDOUT, False),
        (errno.ENETUNREACH, False),
        (errno.EHOSTUNREACH, False),
        (errno.ENETDOWN, False),
        (errno.EMFILE, True),
        (errno.EADDRNOTAVAIL, True),
    ],
)
async def test_an_error_of_this_machine_is_told_from_one_of_the_network(number, verdict):
    """A machine that has run out of sockets must not take its clients offline."""

    async def dial():
        await trio.lowlevel.checkpoint()
        raise OSError(number, os.strerror(number))

    assert await health_probe(dial, "herd.test")() is verdict


async def test_silence_is_left_to_the_asker(port, autojump_clock):
    """Who gives up after a while; nothing is left open."""
    with trio.move_on_after(5.0) as patience:
        await health_probe(port.dial, "herd.test")()
    assert patience.cancelled_caught
    theirs = await port.accept()
    await theirs.receive_some()
    assert await theirs.receive_some() == b""


@pytest.mark.parametrize(
    ("kind", "answered"), [("graceful", True), ("crash", True), ("freeze", False), (None, True)]
)
async def test_the_stub_answers_unless_it_is_frozen(nursery, kind, answered, autojump_clock):
    """It counts as no arrival, and takes nobody's place."""
    config = ServerConfig()
    port, recorder = MemoryPort(listen_backlog=4), ServerRecorder()
    server = Server(config, port=port, seed=1, recorder=recorder)
    await nursery.start(server.run)

    async def follow():
        windows = unfold([Outage(kind=kind, starts_at=1.0, down_for=50.0)] if kind else [])
        await server.follow(windows, origin=0.0)

    nursery.start_soon(follow)
    await trio.sleep_until(10)
    verdict = False
    with trio.move_on_after(5.0):
        verdict = await health_probe(port.dial, "herd.test")()
    assert verdict is answered
    assert recorder.totals["arrivals"] == 0
