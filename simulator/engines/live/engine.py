"""One live run, from preflight to the saved result.

The engine's own process only conducts: it starts the stub and the workers, waits until the whole
fleet is connected, names t = 0, decides when the run is over, and puts the records together.
"""

import time
from dataclasses import replace
from pathlib import Path

from simulator import machine
from simulator.ending import Ending, Sample
from simulator.engines.live.crew import Crew, share_of
from simulator.engines.live.fleet_process import FleetJob, drive_fleet
from simulator.engines.live.messages import (
    Begin,
    FleetProgress,
    Listening,
    ServerProgress,
)
from simulator.engines.live.server_process import serve
from simulator.errors import InputError, MachineError, RunFailedError
from simulator.progress import Progress, Watcher, unwatched
from simulator.provenance import first_manifest
from simulator.results import Manifest, RunResult
from simulator.run_directory import assemble_streams, begin_run, save_run, write_manifest
from simulator.scenario import Scenario

_START_TIMEOUT = 60.0
"""Seconds that a child process gets to start; importing is slow on a busy machine."""
_LEAD = 0.5
"""Seconds between the order to begin and what it names, so that it reaches everybody before."""
_TICK = 0.1
"""Seconds between two looks at the run."""


def run(
    scenario: Scenario,
    *,
    out: Path,
    n_workers: int | None = None,
    watch: Watcher = unwatched,
) -> RunResult:
    """Run a scenario on real sockets.

    Args:
        scenario: What to run.
        out: An empty directory for the records.
        n_workers: Client processes; one per core that the server leaves, unless given.
        watch: Told of the progress.

    Raises:
        MachineError: This machine cannot do it, or the port is in use.
        InputError: A setting proved to be bad while it ran; what was recorded is in `out`.
        RunFailedError: A process died; likewise.
        KeyboardInterrupt: After saving what was recorded.
    """
    return _LiveRun(scenario, out, n_workers, watch).conduct()


class _LiveRun:
    def __init__(
        self, scenario: Scenario, out: Path, n_workers: int | None, watch: Watcher
    ) -> None:
        here = machine.inspect()
        self._scenario = scenario
        self._out = out
        self._watch = watch
        self._n_workers = min(n_workers or here.n_workers, scenario.n_clients)
        self._syn_retry_at = here.syn_retry_at
        self._sources = machine.source_addresses(scenario.n_clients, here)
        notes = machine.prepare(scenario, here, n_workers=self._n_workers)
        self._manifest: Manifest = first_manifest(
            scenario,
            "live",
            kernel=here.settings(),
            n_workers=self._n_workers,
            notes=notes,
        )
        self._fleets: dict[int, FleetProgress] = {}
        self._server = ServerProgress()

    def conduct(self) -> RunResult:
        streams = begin_run(self._out, manifest=self._manifest, scenario=self._scenario)
        try:
            with Crew(1 + self._n_workers) as crew:
                address = self._start_server(crew, streams)
                self._assemble_fleet(crew, address, streams)
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

    def _start_server(self, crew: Crew, streams: Path) -> tuple[str, int]:
        crew.start(serve, self._scenario, streams)
        deadline = time.perf_counter() + _START_TIMEOUT
        try:
            while time.perf_counter() < deadline:
                for _, message in crew.messages(_TICK):
                    if isinstance(message, Listening):
                        return message.address
        except OSError as error:
            port = self._scenario.server.port
            raise MachineError(
                f"server.port = {port}: {error.strerror}; 0 takes a free one"
            ) from None
        raise RunFailedError(f"the server did not start within {_START_TIMEOUT:g} s")

    def _assemble_fleet(self, crew: Crew, address: tuple[str, int], streams: Path) -> None:
        """Connect everybody, then name t = 0."""
        scenario = self._scenario
        ramp_starts_at = time.perf_counter() + _LEAD * (1 + self._n_workers)
        for numbers in share_of(scenario.n_clients, self._n_workers):
            crew.start(
                drive_fleet,
                FleetJob(
                    scenario=scenario,
                    numbers=numbers,
                    address=address,
                    sources=self._sources,
                    syn_retry_at=self._syn_retry_at,
                    ramp_starts_at=ramp_starts_at,
                    streams=streams,
                ),
            )
        ramp = scenario.n_clients / scenario.ramp_rate
        deadline = ramp_starts_at + 3 * ramp + _START_TIMEOUT
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
        ending = Ending(self._scenario)
        while True:
            self._look(crew, origin=origin)
            total = self._total()
            at = time.perf_counter() - origin
            reason = ending.reason(
                Sample(
                    at=at,
                    n_connected=total.n_connected,
                    n_gave_up=total.n_gave_up,
                    n_connects=total.n_connects,
                    n_arrivals=self._server.n_arrivals,
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
                case ServerProgress():
                    self._server = message
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
            )
        return total

    def _note(self, **fields: object) -> None:
        self._manifest = self._manifest.model_copy(update=fields)

    def _save(self) -> RunResult:
        result = assemble_streams(self._out, manifest=self._manifest, scenario=self._scenario)
        return save_run(result, self._out)
