"""What an engine costs beside the least that could do its work: medians of fresh processes."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from simulator.bench.processes import output_of
from simulator.bench.virtual_worker import BARE, VIRTUAL, VirtualReading

REPETITIONS = 3
"""Measurements of each subject; the middle one counts."""
N_CLIENTS = 1000
ACCEPTED_VIRTUAL = 50_000.0
"""Client-seconds per CPU-second that the virtual engine has to reach on one core."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineMeasurement:
    """How fast virtual time passes for a connected herd: the median of several fresh processes."""

    engine: str
    """An engine, or `bare` for the reference."""
    n_clients: int
    client_seconds_per_cpu_second: float
    rate_to_bare: float
    """As a share of what bare heartbeats over Trio's own in-memory streams reach."""


def bench_engines(
    *, told: Callable[[int, int], None] = lambda done, total: None
) -> tuple[EngineMeasurement, ...]:
    """Measure the virtual engine and its reference.

    Args:
        told: How many of how many measurements are done.

    Raises:
        RunFailedError: A process died.
    """
    subjects = (BARE, VIRTUAL)
    turns = [subject for _ in range(REPETITIONS) for subject in subjects]
    rates: dict[str, list[float]] = {subject: [] for subject in subjects}
    for done, subject in enumerate(turns):
        told(done, len(turns))
        reading = VirtualReading(
            **output_of("simulator.bench.virtual_worker", subject, str(N_CLIENTS))
        )
        rates[subject].append(reading.n_clients * reading.virtual_seconds / reading.cpu_seconds)
    told(len(turns), len(turns))
    medians = {subject: statistics.median(found) for subject, found in rates.items()}
    return tuple(
        EngineMeasurement(
            engine=subject,
            n_clients=N_CLIENTS,
            client_seconds_per_cpu_second=medians[subject],
            rate_to_bare=medians[subject] / medians[BARE],
        )
        for subject in subjects
    )
