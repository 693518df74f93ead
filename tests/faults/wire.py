"""The network between fleet and server, which counts what is open and can take its time.

Over it, bytes travel for a while and arrive in pieces; so there is a time between a message and its
arrival in which an outage can strike. They keep their order within a connection, as TCP does.
"""

import heapq
import itertools
import math
import random

import trio

from simulator.network import MemoryPort, MemoryStream

_LOOK_AGAIN = 0.01
"""Seconds after which a full stream is tried again."""


class CountingPort(MemoryPort):
    """A port that remembers both ends of every connection ever made to it."""

    def __init__(self, *, listen_backlog):
        super().__init__(listen_backlog=listen_backlog)
        self.ends = []

    async def dial(self):
        """Connect to the port."""
        ours = await super().dial()
        self.ends.append((ours, self._queue[-1]))
        return ours

    def n_open(self):
        """Connections that are open at the client's end, and at the server's."""
        self.ends = [ends for ends in self.ends if not all(is_closed(end) for end in ends)]
        return tuple(sum(not is_closed(ends[side]) for ends in self.ends) for side in (0, 1))


def is_closed(stream: MemoryStream) -> bool:
    """Has this end been closed?"""
    return stream._is_closed


class Wire:
    """The way to ports."""

    def __init__(self, *, latency=0.0, piece=None, seed=0):
        self._latency = latency
        self._piece = piece
        self._random = random.Random(seed)
        self._on_the_way = []
        self._sequence = itertools.count()
        self._bell = trio.CancelScope()

    def to(self, port):
        """A dial function that connects to this port."""

        async def dial():
            stream = await port.dial()
            if not self._latency and not self._piece:
                return stream
            return _WireStream(stream, self)

        return dial

    async def carry(self):
        """Deliver what is on the way, in a task of its own."""
        while True:
            due_at = self._on_the_way[0][0] if self._on_the_way else math.inf
            with trio.CancelScope(deadline=due_at) as self._bell:
                await trio.sleep_forever()
            self.deliver(trio.current_time())

    def deliver(self, now=math.inf):
        """Do what is due by now; by default everything."""
        while self._on_the_way and self._on_the_way[0][0] <= now:
            heapq.heappop(self._on_the_way)[2]()

    def later(self, at, action):
        """Do something then; what is due at one instant is done in the order of the calls."""
        heapq.heappush(self._on_the_way, (at, next(self._sequence), action))
        self._bell.deadline = self._on_the_way[0][0]

    def delay(self):
        """Seconds that the next bytes travel."""
        return self._latency * self._random.uniform(0.2, 1.0)

    def cut(self, size):
        """How many of so many bytes arrive together: few are cut into few pieces."""
        if not self._piece:
            return size
        return min(size, self._random.randint(1, max(self._piece, size // 8)))


class _WireStream:
    """The client's end of a connection over a wire."""

    def __init__(self, stream, wire):
        self._stream = stream
        self._wire = wire
        self._is_closed = False
        self._last_at = -math.inf
        self._unsent = b""
        self._arrived = None
        self._arrives_at = -math.inf

    async def send_all(self, data):
        await trio.lowlevel.checkpoint()
        self.send_nowait(data)

    def send_nowait(self, data):
        if self._is_closed:
            raise trio.ClosedResourceError("this stream was closed on this side")
        if self._peer_is_gone():
            self._stream.send_nowait(data)  # Raises what there is to raise.
        rest = data
        while rest:
            size = self._wire.cut(len(rest))
            self._later(lambda part=rest[:size]: self._deliver(part))
            rest = rest[size:]
        return len(data)

    def _peer_is_gone(self):
        pipe = self._stream._outgoing
        return pipe._failure is not None or pipe._is_ended

    def _later(self, action):
        self._last_at = max(self._last_at, trio.current_time() + self._wire.delay())
        self._wire.later(self._last_at, action)

    def _deliver(self, data):
        self._unsent += data
        try:
            self._unsent = self._unsent[self._stream.send_nowait(self._unsent) :]
        except (OSError, trio.ClosedResourceError):
            self._unsent = b""
        if self._unsent:
            self._wire.later(trio.current_time() + _LOOK_AGAIN, lambda: self._deliver(b""))

    async def receive_some(self):
        if self._arrived is None:
            self._arrived = await self._stream.receive_some()
            self._arrives_at = trio.current_time() + self._wire.delay()
        await trio.sleep_until(self._arrives_at)
        size = self._wire.cut(len(self._arrived))
        data, rest = self._arrived[:size], self._arrived[size:]
        self._arrived = rest or None
        return data

    def close(self):
        self._end(self._stream.close)

    def reset(self):
        self._end(self._stream.reset)

    def _end(self, end):
        if not self._is_closed:
            self._is_closed = True
            self._later(end)
