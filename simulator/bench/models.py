"""What the model engine costs, beside the same storm as a SimPy program; in fresh processes."""

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simulator.bench.model_worker import MODEL, SIMPY, ModelReading
from simulator.bench.processes import output_of

SIZES = (100_000, 1_000_000)
"""Clients of the storms that are measured."""
SIMPY_SIZE = 100_000
"""Clients of the storm that SimPy runs as well."""
ACCEPTED_RATE = 6e6
"""Attempts per CPU-second that the model has to reach with a million clients."""
ACCEPTED_BYTES = 60.0
"""Of memory per client that it may take there, at most."""
ACCEPTED_RATIO = 100.0
"""How many times SimPy's attempts per CPU-second it has to reach with 100,000 clients."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelMeasurement:
    """One storm: 30 s without a server under full jitter, about nine attempts per client."""

    subject: str
    """`model`, or `simpy` for the peer."""
    n_clients: int
    attempts_per_client: float
    attempts_per_cpu_second: float
    bytes_per_client: float
    """By which the peak of the resident memory grew."""
    rate_to_simpy: float | None
    """Attempts per CPU-second as a multiple of SimPy's in the same run; None if not measured."""


def bench_models(
    sizes: Sequence[int] = SIZES,
    *,
    simpy_size: int = SIMPY_SIZE,
    told: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[ModelMeasurement, ...]:
    """Measure the model engine and, where it is installed, SimPy.

    Args:
        sizes: Clients of the storms.
        simpy_size: Clients of SimPy's storm.
        told: How many of how many measurements are done.

    Raises:
        RunFailedError: A process died.
    """
    turns = [(MODEL, size) for size in sizes]
    if importlib.util.find_spec("simpy") is not None:
        turns.append((SIMPY, simpy_size))
    readings = []
    for done, (subject, size) in enumerate(turns):
        told(done, len(turns))
        reading = ModelReading(**output_of("simulator.bench.model_worker", subject, str(size)))
        readings.append((subject, reading))
    told(len(turns), len(turns))
    peer = next((_rate(reading) for subject, reading in readings if subject == SIMPY), None)
    return tuple(
        ModelMeasurement(
            subject=subject,
            n_clients=reading.n_clients,
            attempts_per_client=reading.n_attempts / reading.n_clients,
            attempts_per_cpu_second=_rate(reading),
            bytes_per_client=reading.peak_bytes / reading.n_clients,
            rate_to_simpy=None if peer is None else _rate(reading) / peer,
        )
        for subject, reading in readings
    )


def _rate(reading: ModelReading) -> float:
    return reading.n_attempts / max(reading.cpu_seconds, 1e-9)
