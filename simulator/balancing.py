"""The balancer between a fleet and several nodes: every dial asks it where to go.

It is one that passes TCP connections on, so that a client knows nothing of it, and the queues,
refusals and silences that a client meets are a node's own. A live run has one for each process of
the fleet, as large installations have several balancers: each knows which nodes take part, but only
its own connections.
"""

import errno
import math
import os
from collections.abc import Callable, Sequence

import trio

from server_stub.balancer import Balancer
from server_stub.streams import Stream
from server_stub.wire import Identity
from simulator.scenario import Scenario
from simulator.transport.seam import Dial


class Balancing:
    """Leads the dials of one process to nodes."""

    def __init__(self, scenario: Scenario) -> None:
        self._plan = scenario.plan
        self._balancer = Balancer(
            scenario.server.balance, scenario.plan.n_places, seed=scenario.seed
        )
        self._origin = math.inf

    def begin(self, origin: float) -> None:
        """The schedule's t = 0 is at this reading of Trio's clock."""
        self._origin = origin

    def joined(self, node: int, starts_at: float, ready_at: float) -> None:
        """A node is added; instants in seconds after t = 0."""
        self._plan = self._plan.joined(node, starts_at=starts_at, ready_at=ready_at)

    def over(
        self,
        dials: Sequence[Dial],
        *,
        whose: Callable[[], Identity],
        source: int,
        sent_to: Callable[[int], None] | None = None,
    ) -> Dial:
        """One client's way through the balancer.

        Args:
            dials: To each node, by number.
            whose: Says which attempt a dial belongs to.
            source: The number of the client's address, by which `hash` tells clients apart.
            sent_to: Told which node a dial goes to; None for dials beside those of attempts.
        """
        index = 1 if sent_to is None else 0

        async def dial_through() -> Stream:
            node = self._balancer.choose(
                self._plan.endpoints.at(trio.current_time() - self._origin),
                whose(),
                source=source,
                index=index,
            )
            if node is None:
                await trio.lowlevel.checkpoint()
                raise OSError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
            if sent_to is not None:
                sent_to(node)
            return await self._open(dials[node], node)

        return dial_through

    async def _open(self, dial: Dial, node: int) -> Stream:
        if not self._balancer.counts:
            return await dial()
        self._balancer.opened(node)
        try:
            return _CountedStream(await dial(), lambda: self._balancer.ended(node))
        except BaseException:
            self._balancer.ended(node)
            raise


class _CountedStream:
    """A stream whose end the balancer sees."""

    __slots__ = ("_ended", "_stream")

    def __init__(self, stream: Stream, ended: Callable[[], None]) -> None:
        self._stream = stream
        self._ended: Callable[[], None] | None = ended

    @property
    def peer_address(self) -> str:
        """Where it comes from, without the port."""
        return self._stream.peer_address

    async def send_all(self, data: bytes) -> None:
        """Send everything, waiting for the peer to make room."""
        await self._stream.send_all(data)

    def send_nowait(self, data: bytes) -> int:
        """Send what can be sent without waiting; how many bytes that was."""
        return self._stream.send_nowait(data)

    async def receive_some(self) -> bytes:
        """Whatever has arrived, waiting for at least one byte; empty when the peer has ended."""
        return await self._stream.receive_some()

    async def linger(self) -> None:
        """Send nothing more, and wait for the peer to end; what it still sends is dropped."""
        await self._stream.linger()

    def close(self) -> None:
        """End it without waiting; the peer sees the end of the stream."""
        self._end()
        self._stream.close()

    def reset(self) -> None:
        """Drop it without waiting; the peer sees a reset."""
        self._end()
        self._stream.reset()

    def _end(self) -> None:
        if self._ended is not None:
            ended, self._ended = self._ended, None
            ended()
