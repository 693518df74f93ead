"""One model run: the rules of a connection attempt as arithmetic, and nothing else."""

from pathlib import Path

from simulator.core.cohorts import deal_cohorts
from simulator.ending import HORIZON
from simulator.engines.model import scope
from simulator.engines.model.arrays import Arrays
from simulator.engines.model.reference import Reference
from simulator.engines.model.tables import result_of
from simulator.network import SYN_RETRY_AT
from simulator.progress import Progress, Watcher, unwatched
from simulator.provenance import first_manifest
from simulator.results import RunResult
from simulator.run_directory import begin_run, save_run
from simulator.scenario import Scenario

UNMEASURED = ("time_to_sync_p95", "time_to_sync_p100")
"""Metrics of what clients fetch after a connect, which is not modelled."""


def run(scenario: Scenario, *, out: Path, watch: Watcher = unwatched) -> RunResult:
    """Work out a scenario.

    Args:
        scenario: What to run.
        out: An empty directory for the records.
        watch: Told when it begins and ends.

    Raises:
        ScenarioError: It asks for what the model does not have.
    """
    scope.check(scenario)
    manifest = first_manifest(
        scenario,
        "model",
        kernel={"syn_retry_at": " ".join(map(str, SYN_RETRY_AT))},
        reproducible=True,
        origin=0.0,
        observed_until=scenario.horizon,
        ended_because=HORIZON,
        notes=tuple(scope.notes(scenario)),
        unmeasured=UNMEASURED,
    )
    begin_run(out, manifest=manifest, scenario=scenario)
    watch(_progress(scenario, at=0.0))
    cohort_of = deal_cohorts(
        scenario.seed, [cohort.share for cohort in scenario.cohorts], scenario.n_clients
    )
    if scope.needs_reference(scenario) is None:
        course = Arrays(scenario, cohort_of).run()
    else:
        course = Reference(scenario, cohort_of.tolist()).run()
    result = result_of(course, manifest=manifest, scenario=scenario, cohort_of=cohort_of)
    watch(_progress(scenario, at=scenario.horizon, n_attempts=result.attempts["client"].size))
    return save_run(result, out)


def _progress(scenario: Scenario, *, at: float, n_attempts: int = 0) -> Progress:
    return Progress(
        at=at,
        until=scenario.horizon,
        n_clients=scenario.n_clients,
        n_connected=scenario.n_clients,
        n_attempts=n_attempts,
    )
