"""P4: the kernel's queue of connections that nobody has accepted, and ours in memory.

Linux lets min(somaxconn, the argument of listen()) + 1 of them connect. Beyond that it does not
answer the SYN, which is then sent again. A client's TCP connect is no sign of service (RULES 8).
"""

from pathlib import Path

import pytest
import trio

from server_stub.streams import SocketPort
from simulator.engines.live.sockets import dialler
from simulator.network import MemoryPort

SOMAXCONN = int(Path("/proc/sys/net/core/somaxconn").read_text())
ABORTS_ON_OVERFLOW = Path("/proc/sys/net/ipv4/tcp_abort_on_overflow").read_text().strip() != "0"


@pytest.fixture(params=["kernel", "memory"])
async def listener(request):
    """A port with a queue for `listen_backlog` that listens, and the way to dial it."""
    if request.param == "kernel" and ABORTS_ON_OVERFLOW:
        pytest.skip("this kernel resets what its queue cannot hold")
    ports = []

    def listen(listen_backlog):
        if request.param == "kernel":
            port = SocketPort("127.0.0.1", 0, listen_backlog=listen_backlog)
            dial = dialler(port.address, None)
        else:
            port = MemoryPort(listen_backlog=listen_backlog, syn_retry_at=(0.3, 0.6, 0.9))
            dial = port.dial
        port.listen()
        ports.append(port)
        return port, dial

    yield listen
    for port in ports:
        port.close()


async def dial_in_turn(dial, n):
    """Dial one after the other, until one is left without an answer."""
    streams = []
    for _ in range(n):
        with trio.move_on_after(0.2) as patience:
            streams.append(await dial())
        if patience.cancelled_caught:
            break
    return streams


@pytest.mark.parametrize("listen_backlog", [1, 2, 50])
async def test_the_queue_holds_one_more_than_its_backlog(listener, listen_backlog):
    """So many connects succeed though nobody accepts; the next gets no answer."""
    if listen_backlog > SOMAXCONN:
        pytest.skip("this kernel cuts the backlog to somaxconn")
    _, dial = listener(listen_backlog)
    streams = await dial_in_turn(dial, listen_backlog + 3)
    assert len(streams) == listen_backlog + 1
    for stream in streams:
        stream.close()


async def test_below_the_backlog_every_connect_succeeds(listener):
    """All at once, and none of them has been accepted."""
    n = min(200, SOMAXCONN)
    _, dial = listener(n)
    streams = []

    async def connect():
        streams.append(await dial())

    async with trio.open_nursery() as nursery:
        for _ in range(n):
            nursery.start_soon(connect)
    assert len(streams) == n
    for stream in streams:
        stream.close()


async def test_a_syn_that_was_not_answered_is_sent_again(listener):
    """And answered, once there is room."""
    port, dial = listener(2)
    streams = await dial_in_turn(dial, 9)
    assert len(streams) == 3
    async with trio.open_nursery() as nursery:

        async def make_room():
            await trio.testing.wait_all_tasks_blocked(0.05)
            streams.append(await port.accept())

        nursery.start_soon(make_room)
        streams.append(await dial())
    for stream in streams:
        stream.close()
