"""The bench from outside: fresh processes for every measurement, medians, ratios.

Each worker process connects its clients to a responder in a process of its own. The responder is
the same for all, and cheaper than any client, so that only the client side is compared.
"""

import statistics
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType

from simulator import machine
from simulator.bench.processes import output_of, program
from simulator.bench.worker import BARE, Reading
from simulator.errors import InputError
from simulator.scenario import Scenario
from simulator.transport import TRANSPORTS

DEFAULT_CLIENTS = 2000
REPETITIONS = 3
"""Measurements of each client; the middle one counts."""
_KB = 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepted:
    """What a transport has to reach, on one core of a 2-core machine."""

    connects_per_cpu_second: float
    """At least."""
    kb_per_client: float
    """At most."""


ACCEPTED: Mapping[str, Accepted] = MappingProxyType(
    {
        "wsproto": Accepted(connects_per_cpu_second=3000, kb_per_client=12),
        "trio-websocket": Accepted(connects_per_cpu_second=1200, kb_per_client=26),
    }
)
"""By transport; so says the issue that asked for them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """What one kind of client costs: the median of several fresh processes."""

    client: str
    """A transport, or `bare` for the reference."""
    n_clients: int
    connects_per_cpu_second: float
    """Of the worker process."""
    kb_per_client: float
    """Resident memory per connected client; 1 KB = 1,024 bytes."""
    rate_to_bare: float
    """Connects per CPU-second, as a share of the bare socket's."""
    memory_to_bare: float
    """Memory per client, as a multiple of the bare socket's."""


def bench(
    n_clients: int = DEFAULT_CLIENTS,
    *,
    told: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Measurement, ...]:
    """Measure the bare socket and every transport.

    Args:
        n_clients: How many to connect at once in each process.
        told: How many of how many measurements are done.

    Raises:
        InputError: That number of clients makes no sense or does not fit this machine.
        RunFailedError: A process died.
    """
    if n_clients <= 0:
        raise InputError(f"--clients = {n_clients}: allowed: more than 0")
    machine.prepare(Scenario(n_clients=n_clients), machine.inspect(), n_workers=1)
    clients = [BARE, *TRANSPORTS]
    readings: dict[str, list[Reading]] = {client: [] for client in clients}
    turns = [client for _ in range(REPETITIONS) for client in clients]
    for done, client in enumerate(turns):
        told(done, len(turns))
        readings[client].append(_read(client, n_clients))
    told(len(turns), len(turns))
    rates = {client: statistics.median(map(_rate, found)) for client, found in readings.items()}
    sizes = {client: statistics.median(map(_size, found)) for client, found in readings.items()}
    return tuple(
        Measurement(
            client=client,
            n_clients=n_clients,
            connects_per_cpu_second=rates[client],
            kb_per_client=sizes[client],
            rate_to_bare=rates[client] / rates[BARE],
            memory_to_bare=sizes[client] / sizes[BARE],
        )
        for client in clients
    )


def _rate(reading: Reading) -> float:
    return reading.n_clients / reading.cpu_seconds


def _size(reading: Reading) -> float:
    return reading.resident_bytes / _KB / reading.n_clients


def _read(client: str, n_clients: int) -> Reading:
    """One measurement, by fresh processes."""
    with _responder() as port:
        fields = output_of("simulator.bench.worker", client, port, str(n_clients))
    return Reading(**fields)


@contextmanager
def _responder() -> Iterator[str]:
    """A responder for the length of a context; gives its port."""
    with subprocess.Popen(
        program("simulator.bench.responder"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.kill()
