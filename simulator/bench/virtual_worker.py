"""One measurement of the virtual engine, in a process of its own: an idle herd and its heartbeats.

Run as a program: `python -m simulator.bench.virtual_worker SUBJECT N`, SUBJECT being `virtual` or
`bare`; prints the reading as JSON. To see where the time goes, put a profiler in front of it.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

import trio
import trio.testing

from server_stub.draws import Purpose, uniform
from simulator.collecting import collected_seldom
from simulator.core.heartbeat import HeartbeatConfig
from simulator.engines.virtual import engine
from simulator.scenario import ClientConfig, Scenario

VIRTUAL = "virtual"
BARE = "bare"
"""The reference: what Trio itself offers for the same heartbeats, and nothing more."""
SECONDS = 120.0
"""Virtual seconds that the herd stays connected."""
_HEARTBEAT = HeartbeatConfig()
_PING, _PONG = b"ping", b"pong"


@dataclass(frozen=True, kw_only=True, slots=True)
class VirtualReading:
    """What keeping `n_clients` connected for some virtual time took."""

    n_clients: int
    virtual_seconds: float
    cpu_seconds: float


def whole_herd(n_clients: int) -> float:
    """An undisturbed run of the virtual engine, from the ramp to the saved tables.

    Returns:
        Virtual seconds, the ramp included.
    """
    scenario = Scenario(
        n_clients=n_clients, horizon=SECONDS, grace=0.0, client=ClientConfig(heartbeat=_HEARTBEAT)
    )
    with tempfile.TemporaryDirectory(prefix="herd-bench-") as folder:
        engine.run(scenario, out=Path(folder))
    return SECONDS + n_clients / scenario.ramp_rate


def bare_heartbeats(n_clients: int) -> float:
    """The same pings and answers over Trio's in-memory streams, on its own jumping clock.

    No handshake, no frames, no client, no server and no record.

    Returns:
        Virtual seconds.
    """

    async def ping(stream: trio.abc.Stream, phase: float) -> None:
        await trio.sleep(phase * _HEARTBEAT.interval)
        while True:
            await stream.send_all(_PING)
            with trio.move_on_after(_HEARTBEAT.timeout):
                await stream.receive_some()
            await trio.sleep(_HEARTBEAT.interval)

    async def answer(stream: trio.abc.Stream) -> None:
        while True:
            await stream.receive_some()
            await stream.send_all(_PONG)

    async def main() -> None:
        with trio.move_on_after(SECONDS):
            async with trio.open_nursery() as nursery:
                for number in range(n_clients):
                    ours, theirs = trio.testing.memory_stream_pair()
                    nursery.start_soon(ping, ours, uniform(1, Purpose.HEARTBEAT, number))
                    nursery.start_soon(answer, theirs)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    return SECONDS


SUBJECTS: Mapping[str, Callable[[int], float]] = MappingProxyType(
    {BARE: bare_heartbeats, VIRTUAL: whole_herd}
)
"""By name, what can be measured."""


def main(arguments: Sequence[str]) -> None:
    """Measure as the command line says, and print the reading."""
    subject, number = arguments
    n_clients = int(number)
    SUBJECTS[subject](10)  # Imports and caches are filled.
    with collected_seldom():
        before = time.process_time()
        virtual_seconds = SUBJECTS[subject](n_clients)
        cpu_seconds = time.process_time() - before
    reading = VirtualReading(
        n_clients=n_clients, virtual_seconds=virtual_seconds, cpu_seconds=cpu_seconds
    )
    sys.stdout.write(json.dumps(asdict(reading)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
