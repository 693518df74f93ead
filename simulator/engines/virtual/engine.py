"""One virtual run: the live engine's client and server, with time and network replaced.

Trio's clock jumps to the next deadline whenever every task waits, so a run takes as long as its
computing does, no lag exists, and the same seed gives the same tables again, byte for byte.
"""

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import trio

from server_stub.cluster import Cluster
from server_stub.recorder import ServerRecorder
from simulator.collecting import collected_seldom
from simulator.core.cohorts import deal_cohorts
from simulator.core.outbox import Storage
from simulator.ending import Ending, Sample
from simulator.engines.virtual.clock import JumpingClock
from simulator.engines.virtual.determinism import deterministic_scheduling
from simulator.errors import RunFailedError, input_error_in
from simulator.fleet import Fleet
from simulator.network import SYN_RETRY_AT, MemoryPort
from simulator.progress import Progress, Watcher, unwatched
from simulator.provenance import first_manifest
from simulator.recording import FleetRecorder
from simulator.results import RunResult
from simulator.run_directory import assemble_streams, begin_run, save_run, write_manifest
from simulator.scenario import Scenario
from simulator.storage import opened_storage
from simulator.transport import TRANSPORTS

_TICK = 0.1
"""Virtual seconds between two looks at the run."""
_TICKS_PER_FLUSH = 50
_RAMP_PATIENCE = 10
"""A ramp that takes so many times as long as it should will not end."""
_HOST = "server.invalid"
"""What the clients put into the Host header."""


def run(scenario: Scenario, *, out: Path, watch: Watcher = unwatched) -> RunResult:
    """Run a scenario on the virtual clock.

    Args:
        scenario: What to run.
        out: An empty directory for the records.
        watch: Told of the progress.

    Raises:
        KeyboardInterrupt: After saving what was recorded.
    """
    return _VirtualRun(scenario, out, watch).conduct()


class _VirtualRun:
    def __init__(self, scenario: Scenario, out: Path, watch: Watcher) -> None:
        self._scenario = scenario
        self._out = out
        self._watch = watch
        self._clock = JumpingClock()
        self._manifest = first_manifest(
            scenario,
            "virtual",
            kernel={"syn_retry_at": " ".join(map(str, SYN_RETRY_AT))},
            reproducible=True,
        )

    def conduct(self) -> RunResult:
        streams = begin_run(self._out, manifest=self._manifest, scenario=self._scenario)
        fleet_recorder = FleetRecorder(streams, is_balanced=self._scenario.is_balanced)
        server_recorders = [
            ServerRecorder(streams, node=node) for node in range(self._scenario.plan.n_places)
        ]
        try:
            with (
                opened_storage(self._scenario.outbox, self._out / "outbox.sqlite") as storage,
                deterministic_scheduling(self._scenario.seed),
                collected_seldom(),
            ):
                trio.run(
                    self._live,
                    fleet_recorder,
                    server_recorders,
                    storage,
                    clock=self._clock,
                )
        except BaseExceptionGroup as group:
            error = _what_happened(group)
            if isinstance(error, KeyboardInterrupt):
                self._note(interrupted=True, ended_because="interrupted")
            else:
                self._note(failure=f"{type(error).__name__}: {error}")
            raise error from None
        finally:
            fleet_recorder.close()
            for recorder in server_recorders:
                recorder.close(self._clock.current_time())
            result = assemble_streams(self._out, manifest=self._manifest, scenario=self._scenario)
            result = save_run(result, self._out)
        return result

    async def _live(
        self,
        fleet_recorder: FleetRecorder,
        server_recorders: Sequence[ServerRecorder],
        storage: Storage,
    ) -> None:
        scenario = self._scenario
        ports = [
            MemoryPort(listen_backlog=scenario.server.listen_backlog) for _ in server_recorders
        ]
        cluster = Cluster(
            scenario.server,
            scenario.plan,
            ports=ports,
            seed=scenario.seed,
            recorders=server_recorders,
            load=scenario.load,
            joined=lambda *node: self._add_node(fleet, node),
        )
        shares = [cohort.share for cohort in scenario.cohorts]
        fleet = Fleet(
            scenario,
            range(scenario.n_clients),
            deal_cohorts(scenario.seed, shares, scenario.n_clients),
            dials=[[port.dial for port in ports]],
            transport=TRANSPORTS[scenario.transport],
            host=_HOST,
            recorder=fleet_recorder,
            storage=storage,
        )
        async with trio.open_nursery() as nursery:
            await nursery.start(cluster.run)
            nursery.start_soon(partial(fleet.run, ramp_starts_at=trio.current_time()))
            await self._wait_for_everybody(fleet_recorder)
            origin = math.ceil(trio.current_time())
            self._note(origin=origin)
            write_manifest(self._out, self._manifest)
            fleet.begin(origin)
            nursery.start_soon(partial(cluster.follow, origin=origin))
            await self._watch_until_over(origin, fleet_recorder, cluster)
            nursery.cancel_scope.cancel()

    def _add_node(self, fleet: Fleet, node: tuple[int, float, float]) -> None:
        """Autoscaling has decided on one more."""
        self._note(nodes_added=(*self._manifest.nodes_added, node))
        write_manifest(self._out, self._manifest)
        fleet.joined(*node)

    async def _wait_for_everybody(self, recorder: FleetRecorder) -> None:
        n_clients = self._scenario.n_clients
        ramp = n_clients / self._scenario.ramp_rate
        while recorder.n_connected < n_clients:
            await trio.sleep(_TICK)
            self._report(trio.current_time() - ramp, recorder)
            if trio.current_time() > _RAMP_PATIENCE * (ramp + 1):
                raise RunFailedError(
                    f"only {recorder.n_connected} of {n_clients} clients were connected "
                    f"{trio.current_time():.0f} s after the ramp began"
                )

    async def _watch_until_over(
        self, origin: float, fleet_recorder: FleetRecorder, cluster: Cluster
    ) -> None:
        ending = Ending(self._scenario)
        reason = None
        tick = 0
        while reason is None:
            tick += 1
            at = tick * _TICK
            await trio.sleep_until(origin + at)
            self._report(at, fleet_recorder)
            reason = ending.reason(
                Sample(
                    at=at,
                    n_connected=fleet_recorder.n_connected,
                    n_gave_up=fleet_recorder.n_gave_up,
                    n_connects=fleet_recorder.n_connects,
                    n_arrivals=cluster.n_arrivals,
                    n_unsettled=cluster.n_unsettled,
                )
            )
            if tick % _TICKS_PER_FLUSH == 0:
                fleet_recorder.flush()
                cluster.flush()
        self._note(observed_until=min(at, self._scenario.horizon), ended_because=reason)

    def _report(self, at: float, recorder: FleetRecorder) -> None:
        self._watch(
            Progress(
                at=at,
                until=self._scenario.horizon,
                n_clients=self._scenario.n_clients,
                n_connected=recorder.n_connected,
                n_attempts=recorder.n_attempts,
            )
        )

    def _note(self, **fields: object) -> None:
        self._manifest = self._manifest.model_copy(update=fields)


def _what_happened(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The interrupt, or the one error, that a nursery delivers in a group; else the group.

    Of errors in the input that several clients met at once, the first.
    """
    interrupts, _ = group.split(KeyboardInterrupt)
    if interrupts is not None:
        return KeyboardInterrupt()
    if (bad_input := input_error_in(group)) is not None:
        return bad_input
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
