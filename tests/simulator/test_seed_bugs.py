"""The bugs of the code in the description that herd was built from: ours must not have them.

Each test is run twice: on our client, and on our client with that one thing done the seed's way,
where it has to fail.
"""

import math

import pytest
import trio

from server_stub.handshake import Handshake
from simulator.client import Client
from simulator.conversation import Conversation
from simulator.core.backoff import Policy
from simulator.core.heartbeat import Verdict
from simulator.core.lifecycle import Connected, Disconnected, Lifecycle, Reconnecting
from simulator.core.outcomes import NoticedBy
from simulator.network import MemoryPort
from simulator.scenario import ClientConfig, HeartbeatConfig
from simulator.transport import TRANSPORTS

RTT = 0.02
DOUBLING = Policy(base=1.0, cap=60.0)
INTERVAL, TIMEOUT = 4.0, 1.0


class World:
    """A server that accepts everybody and then does what it is told, and one client."""

    def __init__(self, nursery, transport):
        self.events = []
        self._nursery = nursery
        self._port = MemoryPort(listen_backlog=16)
        self._port.listen()
        self._transport = TRANSPORTS[transport](self._port.dial, "herd.test")

    def serve(self, lasts):
        """Accept every client, keep it for so many seconds without a word, and drop it."""

        async def keep(stream):
            connection = await (await Handshake.read(stream)).accept()
            assert connection is not None
            await trio.sleep(lasts)
            stream.close()

        async def accept():
            while True:
                self._nursery.start_soon(keep, await self._port.accept())

        self._nursery.start_soon(accept)

    def connect(self, **settings):
        """Bring the client to life."""
        config = ClientConfig(**{"policy": DOUBLING, "rtt": RTT, "heartbeat": None} | settings)
        client = Client(
            0, config, self._transport, seed=5, first_due_at=0.0, listeners=[self.events.append]
        )
        self._nursery.start_soon(client.run)

    def of(self, kind):
        """The events of a kind."""
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture(params=sorted(TRANSPORTS))
def world(request, nursery):
    """A world with this transport, at t = 0; needs `autojump_clock`."""
    return World(nursery, request.param)


# `wasReconnect` is always false: the seed resets `retryCount` in its `open` handler, and in the
# next line but two computes `wasReconnect: this.retryCount > 0`


async def tell_connects(world):
    """Two connections: the first is the first, the second is not."""
    world.serve(lasts=10.0)
    world.connect()
    await trio.sleep_until(15)
    assert [event.was_reconnect for event in world.of(Connected)] == [False, True]
    (lost,), (_, back) = world.of(Disconnected), world.of(Connected)
    assert back.attempt == 1
    assert back.downtime == pytest.approx(back.at - lost.at)
    assert back.downtime == pytest.approx(1.0 + RTT)


async def test_was_reconnect_is_true_of_a_reconnect(world, autojump_clock):
    """And it is false of the first connection; the seed says false every time."""
    await tell_connects(world)


async def test_the_seeds_way_to_tell_a_reconnect_would_show(world, monkeypatch, autojump_clock):
    """The counter is reset first and looked at then."""
    opened = Lifecycle.opened

    def reset_and_look(self, started_at, now):
        ended, connected = opened(self, started_at, now)
        self._retries._start_over()
        return ended, connected._replace(was_reconnect=self._retries._step > 0)

    monkeypatch.setattr(Lifecycle, "opened", reset_and_look)
    with pytest.raises(AssertionError):
        await tell_connects(world)


# The heartbeat waits for a dead peer: the seed calls `ws.close(4000)` when a pong is missing, which
# begins a closing handshake, and reconnects in the `close` handler, which runs when the dead peer
# has answered, or when the browser loses patience; and it looks for the pong only when the next
# ping is due, however short `heartbeatTimeout` is


async def notice_silence(world):
    """The timeout after the ping it is over, and the next attempt is on its way."""
    world.serve(lasts=math.inf)
    world.connect(heartbeat=HeartbeatConfig(interval=INTERVAL, timeout=TIMEOUT))
    await trio.sleep_until(INTERVAL + TIMEOUT + RTT)
    assert [event.noticed_by for event in world.of(Disconnected)] == [NoticedBy.HEARTBEAT]
    (connected,), (lost,) = world.of(Connected), world.of(Disconnected)
    assert TIMEOUT < lost.at - connected.at < INTERVAL + TIMEOUT
    await trio.sleep_until(lost.at + 1.0 + 2 * RTT)
    assert world.of(Connected)[-1].at == pytest.approx(lost.at + 1.0 + RTT)


async def test_a_dead_peer_is_not_waited_for(world, autojump_clock):
    """Nobody answers the ping, so nobody would answer a close; the seed waits for that."""
    await notice_silence(world)


async def test_the_seeds_way_to_leave_a_dead_peer_would_show(world, monkeypatch, autojump_clock):
    """It says goodbye, and reconnects once the peer has said so too."""

    async def close_politely(self, connection):
        now = trio.current_time()
        if self._heartbeat.verdict(now, connection.heard_at) is not Verdict.DEAD:
            return connection.ping()
        await connection.close(4000)
        return await connection.receive()

    monkeypatch.setattr(Conversation, "_keep_time", close_politely)
    with pytest.raises(AssertionError):
        await notice_silence(world)


# The attempt counter is reset on a bare open: `this.retryCount = 0` in the `open` handler, so that
# a server that accepts and then drops at once meets every client at its shortest delay, for ever


async def meet_a_server_that_drops(world, policy):
    """Accepted and dropped again and again, a client waits longer and longer."""
    world.serve(lasts=0.1)
    world.connect(policy=policy)
    await trio.sleep_until(40)
    delays = [event.delay for event in world.of(Reconnecting)]
    assert delays == pytest.approx([1.0, 2.0, 4.0, 8.0, 16.0, 32.0][: len(delays)])
    assert len(delays) == 6


async def test_the_delays_grow_if_connections_do_not_last(world, autojump_clock):
    """A bare open proves nothing: the counter is reset when the connection has lasted."""
    await meet_a_server_that_drops(world, DOUBLING)


async def test_the_seeds_way_to_reset_the_counter_would_show(world, autojump_clock):
    """`reset_after = "none"`: any connect resets it, and every delay is the first."""
    seeds_way = DOUBLING.model_copy(update={"reset_after": None})
    with pytest.raises(AssertionError):
        await meet_a_server_that_drops(world, seeds_way)
    delays = [event.delay for event in world.of(Reconnecting)]
    assert delays == pytest.approx([1.0] * len(delays))
    assert len(delays) > 30
