"""A worker process of the live engine: a part of the fleet on real sockets."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import trio

from simulator.core.cohorts import deal_cohorts
from simulator.core.outbox import Storage
from simulator.engines.live import child
from simulator.engines.live.messages import FleetProgress
from simulator.engines.live.way import Way
from simulator.fleet import Fleet
from simulator.recording import FleetRecorder
from simulator.scenario import Scenario
from simulator.storage import opened_storage
from simulator.turnstile import Turnstile


@dataclass(frozen=True, kw_only=True, slots=True)
class FleetJob:
    """What one worker is to do."""

    scenario: Scenario
    numbers: Sequence[int]
    """The clients it drives."""
    way: Way
    """To the server."""
    syn_retry_at: Sequence[float]
    """When this kernel repeats an unanswered SYN."""
    ramp_starts_at: float
    """On the shared clock."""
    streams: Path


def drive_fleet(job: FleetJob, index: int) -> None:
    """Drive a part of the fleet; runs in a process of its own."""
    file = job.streams.parent / f"outbox-{index}.sqlite"
    with opened_storage(job.scenario.outbox, file) as storage:
        _drive(job, index, storage)


def _drive(job: FleetJob, index: int, storage: Storage) -> None:
    scenario, way = job.scenario, job.way
    share = len(job.numbers) / scenario.n_clients
    turnstile = None if way.max_connects is None else Turnstile(share * way.max_connects)
    recorder = FleetRecorder(job.streams, process=index, is_balanced=scenario.is_balanced)
    fleet = Fleet(
        scenario,
        job.numbers,
        deal_cohorts(
            scenario.seed, [cohort.share for cohort in scenario.cohorts], scenario.n_clients
        ),
        dials=way.dials(),
        transport=way.transport(scenario.transport),
        host=way.host,
        headers=way.headers,
        recorder=recorder,
        storage=storage,
        syn_retry_at=job.syn_retry_at,
        hold=turnstile,
        path_of=way.path_of,
    )

    def begin(origin: float) -> None:
        fleet.begin(origin)
        if turnstile is not None:
            turnstile.begin()

    async def main() -> None:
        await fleet.run(ramp_starts_at=job.ramp_starts_at)
        await trio.sleep_forever()  # Everybody gave up; the engine decides when the run is over.

    try:
        child.live(
            index,
            main,
            begin=begin,
            report=partial(_progress, recorder, turnstile),
            flush=recorder.flush,
            joined=fleet.joined,
        )
    finally:
        recorder.close()


def _progress(recorder: FleetRecorder, turnstile: Turnstile | None) -> FleetProgress:
    return FleetProgress(
        n_connected=recorder.n_connected,
        n_attempts=recorder.n_attempts,
        n_connects=recorder.n_connects,
        n_gave_up=recorder.n_gave_up,
        n_held=0 if turnstile is None else turnstile.n_held + turnstile.n_waiting,
        longest_hold=0.0 if turnstile is None else turnstile.longest,
    )
