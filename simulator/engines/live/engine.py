"""One live run, from preflight to the saved result.

The engine's own process only conducts: it starts the stub (or finds a server that is not ours)
and the workers, waits until the whole fleet is connected, names t = 0, decides when the run is
over, and puts the records together.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from simulator import machine
from simulator.ending import Sample
from simulator.engines.live.crew import Crew, share_of
from simulator.engines.live.fleet_process import FleetJob, drive_fleet
from simulator.engines.live.foreign import ForeignServer
from simulator.engines.live.messages import Begin, FleetProgress, NodeAdded
from simulator.engines.live.opponent import Opponent
from simulator.engines.live.stub import START_TIMEOUT, Stub
from simulator.engines.live.way import Way
from simulator.errors import InputError, RunFailedError
from simulator.progress import Progress, Watcher, unwatched
from simulator.provenance import first_manifest
from simulator.results import Manifest, RunResult
from simulator.run_directory import assemble_streams, begin_run, save_run, write_manifest
from simulator.scenario import Scenario
from simulator.target import Target
from simulator.target_fit import as_applied

_LEAD = 0.5
"""Seconds between the order to begin and what it names, so that it reaches everybody before."""
_TICK = 0.1
"""Seconds between two looks at the run."""


def run(
    scenario: Scenario,
    *,
    out: Path,
    n_workers: int | None = None,
    target: Target | None = None,
    watch: Watcher = unwatched,
) -> RunResult:
    """Run a scenario on real sockets.

    Args:
        scenario: What to run.
        out: An empty directory for the records.
        n_workers: Client processes; one per core that the server leaves, unless given.
        target: The server, if it is not to be a stub of ours.
        watch: Told of the progress.

    Raises:
        MachineError: This machine cannot do it, or the port is in use.
        InputError: A setting proved to be bad while it ran; what was recorded is in `out`.
        TargetError: The target is not there, or the scenario asks for what it cannot do.
        RunFailedError: A process died; what was recorded is in `out`.
        KeyboardInterrupt: After saving what was recorded.
    """
    here = machine.inspect()
    n_workers = min(n_workers or here.n_workers, scenario.n_clients)
    opponent: Opponent
    if target is None:
        opponent = Stub(scenario, here=here, n_workers=n_workers)
    else:
        opponent = ForeignServer(target, scenario, out=out, here=here, n_workers=n_workers)
        scenario = as_applied(scenario)
    run = _LiveRun(
        scenario, out=out, opponent=opponent, here=here, n_workers=n_workers, watch=watch
    )
    return run.conduct()


class _LiveRun:
    def __init__(
        self,
        scenario: Scenario,
        *,
        out: Path,
        opponent: Opponent,
        here: machine.Machine,
        n_workers: int,
        watch: Watcher,
    ) -> None:
        self._scenario = scenario
        self._out = out
        self._watch = watch
        self._opponent = opponent
        self._n_workers = n_workers
        self._syn_retry_at = here.syn_retry_at
        self._manifest: Manifest = first_manifest(
            scenario,
            "live",
            kernel=here.settings(),
            n_workers=self._n_workers,
            notes=opponent.notes,
            **opponent.facts,
        )
        self._fleets: dict[int, FleetProgress] = {}

    def conduct(self) -> RunResult:
        streams = begin_run(self._out, manifest=self._manifest, scenario=self._scenario)
        try:
            with (
                self._opponent as opponent,
                Crew(self._n_workers, n_servers=opponent.n_processes) as crew,
            ):
                way = opponent.meet(crew, streams)
                self._assemble_fleet(crew, way, streams)
                self._watch_until_over(crew)
                crew.finish()
        except (RunFailedError, InputError) as error:
            has_begun = self._manifest.origin is not None
            if has_begun or isinstance(error, RunFailedError):
                self._note(failure=str(error))
                self._save()
            raise
        except KeyboardInterrupt:
            self._note(interrupted=True, ended_because="interrupted")
            self._save()
            raise
        return self._save()

    def _assemble_fleet(self, crew: Crew, way: Way, streams: Path) -> None:
        """Connect everybody, then name t = 0."""
        scenario = self._scenario
        ramp_starts_at = time.perf_counter() + _LEAD * (1 + self._n_workers)
        for numbers in share_of(scenario.n_clients, self._n_workers):
            crew.start(
                drive_fleet,
                FleetJob(
                    scenario=scenario,
                    numbers=numbers,
                    way=way,
                    syn_retry_at=self._syn_retry_at,
                    ramp_starts_at=ramp_starts_at,
                    streams=streams,
                ),
            )
        ramp = scenario.n_clients / min(scenario.ramp_rate, way.max_connects or math.inf)
        deadline = ramp_starts_at + 3 * ramp + START_TIMEOUT
        while self._total().n_connected < scenario.n_clients:
            self._look(crew, origin=max(ramp_starts_at + ramp, time.perf_counter() + _LEAD))
            if time.perf_counter() > deadline:
                raise RunFailedError(
                    f"only {self._total().n_connected} of {scenario.n_clients} clients were "
                    f"connected {time.perf_counter() - ramp_starts_at:.0f} s after the ramp began; "
                    f"a lower ramp_rate (now {scenario.ramp_rate:g}/s) may help"
                )
        origin = time.perf_counter() + _LEAD
        self._note(origin=origin)
        write_manifest(self._out, self._manifest)
        crew.tell(Begin(origin))

    def _watch_until_over(self, crew: Crew) -> None:
        origin = self._manifest.origin or 0.0
        while True:
            self._look(crew, origin=origin)
            total = self._total()
            at = time.perf_counter() - origin
            self._opponent.act(at)
            reason = self._opponent.ending.reason(
                Sample(
                    at=at,
                    n_connected=total.n_connected,
                    n_gave_up=total.n_gave_up,
                    n_connects=total.n_connects,
                    n_arrivals=self._opponent.n_arrivals,
                    n_unsettled=self._opponent.n_unsettled,
                )
            )
            if reason is not None:
                observed_until = min(at, self._scenario.horizon)
                self._note(observed_until=observed_until, ended_because=reason)
                return

    def _look(self, crew: Crew, *, origin: float) -> None:
        """Take in what the children report, and pass it on to whoever watches."""
        for index, message in crew.messages(_TICK):
            match message:
                case FleetProgress():
                    self._fleets[index] = message
                case NodeAdded():
                    self._opponent.hear(message)
                    crew.tell(message)
                    self._note(**self._opponent.facts)
                    write_manifest(self._out, self._manifest)
                case _:
                    self._opponent.hear(message)
        total = self._total()
        self._watch(
            Progress(
                at=time.perf_counter() - origin,
                until=self._scenario.horizon,
                n_clients=self._scenario.n_clients,
                n_connected=total.n_connected,
                n_attempts=total.n_attempts,
            )
        )

    def _total(self) -> FleetProgress:
        total = FleetProgress()
        for part in self._fleets.values():
            total = replace(
                total,
                n_connected=total.n_connected + part.n_connected,
                n_attempts=total.n_attempts + part.n_attempts,
                n_connects=total.n_connects + part.n_connects,
                n_gave_up=total.n_gave_up + part.n_gave_up,
                n_held=total.n_held + part.n_held,
                longest_hold=max(total.longest_hold, part.longest_hold),
            )
        return total

    def _note(self, **fields: object) -> None:
        self._manifest = self._manifest.model_copy(update=fields)

    def _notes(self) -> Iterator[str]:
        yield from self._opponent.notes
        if held := self._total().n_held:
            longest = self._total().longest_hold
            yield (
                f"the ceiling on connects held {held} attempts back, by up to {longest:.1f} s: "
                f"that lag is the load generator's own"
            )

    def _save(self) -> RunResult:
        self._note(
            notes=tuple(self._notes()), n_held_back=self._total().n_held, **self._opponent.facts
        )
        result = assemble_streams(self._out, manifest=self._manifest, scenario=self._scenario)
        return save_run(result, self._out)
