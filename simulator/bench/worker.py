"""One measurement of the bench, in a process of its own: connect N clients and count the cost.

Run as a program: `python -m simulator.bench.worker CLIENT PORT N`, CLIENT being a transport or
`bare`; prints the readings as JSON. To see where the time goes, put a profiler in front of it.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import trio

from simulator.bench.processes import PATIENCE
from simulator.bench.responder import HOST
from simulator.collecting import collected_seldom
from simulator.core.events import ClientEvent
from simulator.core.lifecycle import Connected
from simulator.engines.live.clock import SharedClock
from simulator.engines.live.sockets import dialler
from simulator.fleet import Fleet
from simulator.recording import FleetRecorder
from simulator.scenario import ClientConfig, Scenario
from simulator.transport import TRANSPORTS

BARE = "bare"
"""The reference: a Trio socket, a fixed request, and whatever comes back."""
WARM_UP = 50
"""Clients that connect before the measurement and stay: imports, caches and pools are filled."""
AT_ONCE = 1e9
"""Clients per second: the whole fleet is due in one instant, as in a storm."""
_REQUEST = (
    b"GET / HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What connecting `n_clients` at once took."""

    n_clients: int
    cpu_seconds: float
    """Of this process, user and system."""
    wall_seconds: float
    resident_bytes: int
    """By how much the resident memory grew."""


class Herd(Protocol):
    """Clients to measure."""

    async def run(self, numbers: Sequence[int]) -> None:
        """Connect the clients with these numbers and stay connected until cancelled."""

    def flush(self) -> None:
        """Write out what was recorded."""


class Turnstile:
    """Counts connections, and lets its owner wait for the n-th."""

    def __init__(self) -> None:
        self._n = 0
        self._wanted = 0
        self._reached = trio.Event()

    def passed(self) -> None:
        """One more is connected."""
        self._n += 1
        if self._n == self._wanted:
            self._reached.set()

    async def wait_for(self, n: int) -> None:
        """Wait until `n` more are connected than before."""
        self._wanted = self._n + n
        self._reached = trio.Event()
        await self._reached.wait()


class WholeClients:
    """herd's own clients, with heartbeat and records, as a live run's worker drives them."""

    def __init__(
        self, transport: str, address: tuple[str, int], n_clients: int, passed: Callable[[], None]
    ) -> None:
        self._scenario = Scenario(
            n_clients=n_clients,
            horizon=PATIENCE,
            ramp_rate=AT_ONCE,
            client=ClientConfig(connect_timeout=PATIENCE),
        )
        self._host = f"{address[0]}:{address[1]}"
        self._dial = dialler(address, None)
        self._transport = TRANSPORTS[transport]
        self._folder = tempfile.TemporaryDirectory(prefix="herd-bench-")
        self._recorder = FleetRecorder(Path(self._folder.name))
        self._passed = passed

    async def run(self, numbers: Sequence[int]) -> None:
        """Connect the clients with these numbers and stay connected until cancelled."""
        fleet = Fleet(
            self._scenario,
            numbers,
            np.zeros(self._scenario.n_clients, dtype=np.uint16),
            dials=[[self._dial]],
            transport=self._transport,
            host=self._host,
            recorder=self._recorder,
            listeners=[self._count],
        )
        await fleet.run(ramp_starts_at=trio.current_time())

    def flush(self) -> None:
        """Write out what was recorded."""
        self._recorder.flush()

    def _count(self, event: ClientEvent) -> None:
        if isinstance(event, Connected):
            self._passed()


class BareSockets:
    """The least that can connect: no client, no protocol library, no record."""

    def __init__(self, address: tuple[str, int], passed: Callable[[], None]) -> None:
        self._address = address
        self._request = _REQUEST % f"{address[0]}:{address[1]}".encode()
        self._passed = passed

    async def run(self, numbers: Sequence[int]) -> None:
        """Connect as many sockets and stay connected until cancelled."""
        async with trio.open_nursery() as nursery:
            for _ in numbers:
                nursery.start_soon(self._connect)

    def flush(self) -> None:
        """Nothing is recorded."""

    async def _connect(self) -> None:
        with trio.socket.socket() as stream:
            await stream.connect(self._address)
            await stream.send(self._request)
            answer = b""
            while not answer.endswith(b"\r\n\r\n"):
                answer += await stream.recv(4096)
            self._passed()
            await stream.recv(4096)


async def measure(client: str, address: tuple[str, int], n_clients: int) -> Reading:
    """Connect `n_clients` at once, beside a few that are connected already.

    Args:
        client: A transport, or `bare`.
        address: Of a responder.
        n_clients: How many to measure with.

    Raises:
        trio.TooSlowError: They were not all connected after PATIENCE seconds.
    """
    turnstile = Turnstile()
    herd: Herd = (
        BareSockets(address, turnstile.passed)
        if client == BARE
        else WholeClients(client, address, n_clients + WARM_UP, turnstile.passed)
    )
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(herd.run, range(n_clients, n_clients + WARM_UP))
            await turnstile.wait_for(WARM_UP)
            herd.flush()
            reading = await _measured(
                herd,
                lambda: nursery.start_soon(herd.run, range(n_clients)),
                partial(turnstile.wait_for, n_clients),
                n_clients,
            )
            nursery.cancel_scope.cancel()
    return reading


async def _measured(
    herd: Herd,
    start: Callable[[], None],
    wait: Callable[[], Awaitable[None]],
    n_clients: int,
) -> Reading:
    resident, cpu, wall = _resident_bytes(), time.process_time(), time.perf_counter()
    start()
    await wait()
    herd.flush()
    return Reading(
        n_clients=n_clients,
        cpu_seconds=time.process_time() - cpu,
        wall_seconds=time.perf_counter() - wall,
        resident_bytes=_resident_bytes() - resident,
    )


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main(arguments: Sequence[str]) -> None:
    """Measure as the command line says, and print the reading."""
    client, port, n_clients = arguments
    with collected_seldom():
        reading = trio.run(
            partial(measure, client, (HOST, int(port)), int(n_clients)), clock=SharedClock()
        )
    sys.stdout.write(json.dumps(asdict(reading)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
