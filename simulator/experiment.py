"""Runs and comparisons: pick the engine, prepare the directory, keep the results.

Everything here is a plain synchronous call, for scripts, notebooks and the command line alike.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from simulator import jupyter
from simulator.core.backoff import Policy
from simulator.errors import InputError, RunDirectoryError, RunFailedError, UnknownNameError
from simulator.metrics import summarise
from simulator.own_policies import policy_named, try_functions
from simulator.progress import Watcher
from simulator.results import RunResult
from simulator.run_directory import (
    COMPARISON,
    SUMMARY,
    compared_runs,
    fresh_directory,
    load_run,
    note_command,
    prepare_directory,
    write_json,
)
from simulator.scenario import Scenario
from simulator.scenario_files import AT_TARGET, DEFAULT, load_scenario
from simulator.target import Target
from simulator.target_fit import check_fit

ENGINES = ("live", "virtual", "model")
"""The engines that exist."""
AS_WRITTEN = "as-written"
"""Label of a comparison's run in which every cohort keeps its own policy."""
RUNS = Path("herd-runs")
"""Where new run directories go, unless told otherwise."""

jupyter.install()


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class Comparison:
    """The same herd and the same outages under several policies."""

    directory: Path
    results: Mapping[str, RunResult]
    """By the policy's label, in the order they were asked for."""
    summaries: Mapping[str, dict[str, Any]]

    def __repr__(self) -> str:
        return f"Comparison({', '.join(self.results)}; in {self.directory})"


def new_directory(scenario: Scenario, engine: str) -> Path:
    """A directory name for a run that begins now; it does not exist yet."""
    stem = f"{scenario.name}-{engine}-{datetime.now().astimezone():%Y%m%d-%H%M%S}"
    directory = RUNS / stem
    turn = 1
    while directory.exists():
        turn += 1
        directory = RUNS / f"{stem}-{turn}"
    return directory


def run(
    scenario: Scenario | str | Path | None = None,
    *,
    engine: str = "live",
    target: Target | None = None,
    out: Path | None = None,
    force: bool = False,
    command: str = "",
    watch: Watcher | None = None,
) -> RunResult:
    """Run a scenario once and keep what it recorded.

    Args:
        scenario: What to run: a scenario, a TOML file or the name of a built-in one; `restart`
            unless given, against a target `own-server`.
        engine: How time passes: "live", "virtual" or "model".
        target: The server, if it is not ours (see `simulator.target.aim`); only the live engine
            can reach it.
        out: The run directory; a new one below `herd-runs` unless given.
        force: Replace an earlier run in `out`.
        command: The command line that asks for it, for the record.
        watch: Told of the progress; unless given, a Jupyter kernel shows a bar.

    Raises:
        InputError: The scenario, the machine or the directory does not allow it.
        RunFailedError: A process died; what was recorded is in the directory.
        KeyboardInterrupt: Likewise.
    """
    scenario = _scenario(scenario, target)
    directory = out or new_directory(scenario, engine)
    conduct = _engine(engine, target)
    try_functions(cohort.policy for cohort in scenario.cohorts)
    with fresh_directory(directory, force=force):
        try:
            with jupyter.watching(watch, scenario.name) as watcher:
                result = conduct(scenario, out=directory, watch=watcher)
            result = _signed(result, directory, command)
        except (RunFailedError, KeyboardInterrupt):
            _rescue(directory)
            raise
        _keep_summary(result, directory)
    return result


def compare(
    scenario: Scenario | str | Path | None = None,
    *,
    policies: Sequence[Policy | str] = (),
    engine: str = "live",
    target: Target | None = None,
    out: Path | None = None,
    force: bool = False,
    command: str = "",
    watch: Callable[[str], Watcher] | None = None,
) -> Comparison:
    """Run the same herd and the same outages under several policies, one after the other.

    All runs have the scenario's seed, so that the policies meet the same service times.

    Args:
        scenario: What to run: a scenario, a TOML file or the name of a built-in one; `restart`
            unless given, against a target `own-server`.
        policies: Policies, or texts that name one as `--policy` does; the scenario's own `compare`
            list unless given.
        engine: How time passes: "live", "virtual" or "model".
        target: The server, if it is not ours; only the live engine can reach it.
        out: The directory, which gets a run directory per policy; a new one below `herd-runs`
            unless given.
        force: Replace an earlier comparison in `out`.
        command: The command line that asks for it, for the record.
        watch: Gives the watcher of the run under a policy, by the policy's label; unless given, a
            Jupyter kernel shows bars.

    Raises:
        InputError: The scenario, the machine or the directory does not allow it.
        RunFailedError: A process died; what was recorded is in the directory.
        KeyboardInterrupt: Likewise.
    """
    scenario = _scenario(scenario, target)
    directory = out or new_directory(scenario, engine)
    conduct = _engine(engine, target)
    herds = herds_to_compare(
        scenario,
        [policy_named(policy) if isinstance(policy, str) else policy for policy in policies],
    )
    try_functions(cohort.policy for herd in herds.values() for cohort in herd.cohorts)
    if target is not None:
        check_fit(target, *herds.values())
    results: dict[str, RunResult] = {}
    summaries: dict[str, dict[str, Any]] = {}
    with fresh_directory(directory, force=force):
        write_json(directory / COMPARISON, summaries)
        for label, herd in herds.items():
            out_of_run = directory / label
            prepare_directory(out_of_run)
            try:
                with jupyter.watching(watch and watch(label), label) as watcher:
                    result = conduct(herd, out=out_of_run, watch=watcher)
                results[label] = _signed(result, out_of_run, command)
            except (RunFailedError, KeyboardInterrupt):
                write_json(directory / COMPARISON, summaries | _rescue(out_of_run))
                raise
            summaries[label] = _keep_summary(results[label], out_of_run)
            write_json(directory / COMPARISON, summaries)
    return Comparison(directory=directory, results=results, summaries=summaries)


def _signed(result: RunResult, directory: Path, command: str) -> RunResult:
    """A result whose manifest says by which command it was made."""
    if not command:
        return result
    note_command(directory, command)
    return replace(result, manifest=result.manifest.model_copy(update={"command": command}))


def _keep_summary(result: RunResult, directory: Path) -> dict[str, Any]:
    summary = summarise(result)
    write_json(directory / SUMMARY, summary)
    return summary


def _rescue(directory: Path) -> dict[str, dict[str, Any]]:
    """The summary of a run that was cut short, by its directory's name; none if it never began."""
    try:
        return {directory.name: _keep_summary(load_run(directory), directory)}
    except RunDirectoryError:
        return {}


def load_comparison(directory: Path) -> Comparison:
    """Read a comparison back from disk.

    Raises:
        RunDirectoryError: It is not one, or one of its runs cannot be read.
    """
    results = {label: load_run(directory / label) for label in compared_runs(directory)}
    summaries = {label: summarise(result) for label, result in results.items()}
    return Comparison(directory=directory, results=results, summaries=summaries)


def _scenario(source: Scenario | str | Path | None, target: Target | None) -> Scenario:
    if source is None:
        source = DEFAULT if target is None else AT_TARGET
    return source if isinstance(source, Scenario) else load_scenario(source)


def herds_to_compare(scenario: Scenario, chosen: Sequence[Policy] = ()) -> dict[str, Scenario]:
    """The herds of a comparison by label.

    Those of the policies chosen or else listed in the scenario, each in the place of every
    cohort's. A scenario whose cohorts differ in their policies is also run as it is written,
    unless policies are chosen; and so is one that lists none.
    """
    policies = label_policies(chosen or scenario.compare)
    herds = {label: scenario.with_policy(policy) for label, policy in policies.items()}
    if chosen:
        return herds
    own = label_policies([cohort.policy for cohort in scenario.cohorts])
    if len(own) > 1:
        return {AS_WRITTEN: scenario, **herds}
    return herds or dict.fromkeys(own, scenario)


def label_policies(policies: Sequence[Policy]) -> dict[str, Policy]:
    """Policies by a label that can name a directory; no two are called the same."""
    labelled: dict[str, Policy] = {}
    for policy in policies:
        stem = re.sub(r"[^\w.-]+", "-", policy.label).strip("-.")
        label, turn = stem, 1
        while labelled.get(label, policy) != policy:
            turn += 1
            label = f"{stem}-{turn}"
        labelled[label] = policy
    return labelled


class _Engine(Protocol):
    def __call__(self, scenario: Scenario, *, out: Path, watch: Watcher) -> RunResult: ...


def _engine(name: str, target: Target | None) -> _Engine:
    """The `run` of the engine with this name; imported only now, since each brings its own weight.

    Raises:
        InputError: There is no such engine, or it cannot reach the target.
    """
    if name not in ENGINES:
        raise UnknownNameError("engine", name, ENGINES)
    check_reach(name, target)
    conduct = import_module(f"simulator.engines.{name}").run
    return cast("_Engine", conduct if target is None else partial(conduct, target=target))


def check_reach(engine: str, target: Target | None) -> None:
    """See whether an engine can send a herd there.

    Raises:
        InputError: It cannot.
    """
    if target is not None and engine != "live":
        raise InputError(f"--engine = {engine}: has no network; --target needs live")
