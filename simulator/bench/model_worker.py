"""One measurement of the model engine, in a process of its own: a million clients and one outage.

Run as a program: `python -m simulator.bench.model_worker SUBJECT N`, SUBJECT being `model` or
`simpy`; prints the reading as JSON. To see where the time goes, put a profiler in front of it.
"""

import json
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType

from server_stub.config import ServerConfig, ServiceTime
from server_stub.outage import Outage, OutageKind
from simulator.core.backoff import BASIC
from simulator.core.cohorts import deal_cohorts
from simulator.engines.model.arrays import Arrays
from simulator.scenario import ClientConfig, Scenario

MODEL = "model"
SIMPY = "simpy"
"""The peer: an idiomatic program of the same rules over SimPy."""
_FLOOR = 25.0
"""Seconds that the server takes to serve everybody."""
_SERVICE = 0.02


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelReading:
    """What the attempts of `n_clients` took."""

    n_clients: int
    n_attempts: int
    cpu_seconds: float
    peak_bytes: int
    """By how much the peak of the resident memory grew."""


def storm(n_clients: int) -> Scenario:
    """An outage of 30 s under full jitter: about nine attempts per client, and one stage."""
    workers = max(1, round(n_clients / _FLOOR * _SERVICE))
    return Scenario(
        n_clients=n_clients,
        horizon=120.0,
        attempts_limit=0,
        server=ServerConfig(
            workers=workers,
            backlog=n_clients,
            service_time=ServiceTime(kind="exponential", mean=_SERVICE),
        ),
        outage=(Outage(kind=OutageKind.CRASH, starts_at=5.0, down_for=30.0),),
        client=ClientConfig(policy=BASIC["exponential-full-jitter"], connect_timeout=60.0),
    )


def by_the_model(scenario: Scenario) -> int:
    """Run it, and count the attempts."""
    cohort_of = deal_cohorts(scenario.seed, [1.0], scenario.n_clients)
    digest = Arrays(scenario, cohort_of).run().digest
    assert digest is not None
    return sum(int(counts.sum()) for counts in digest.rates.values())


def by_simpy(scenario: Scenario) -> int:
    """Run it, and count the attempts."""
    from simulator.bench.simpy_herd import count_attempts  # noqa: PLC0415 - for tests and benches

    return count_attempts(scenario)


SUBJECTS: Mapping[str, Callable[[Scenario], int]] = MappingProxyType(
    {MODEL: by_the_model, SIMPY: by_simpy}
)
"""By name, what can be measured."""


def main(arguments: Sequence[str]) -> None:
    """Measure as the command line says, and print the reading."""
    subject, number = arguments
    SUBJECTS[subject](storm(100))  # Imports and caches are filled.
    scenario = storm(int(number))
    peak, cpu = _peak_bytes(), time.process_time()
    n_attempts = SUBJECTS[subject](scenario)
    reading = ModelReading(
        n_clients=scenario.n_clients,
        n_attempts=n_attempts,
        cpu_seconds=time.process_time() - cpu,
        peak_bytes=_peak_bytes() - peak,
    )
    sys.stdout.write(json.dumps(asdict(reading)) + "\n")


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main(sys.argv[1:])
