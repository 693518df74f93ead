"""What `run` and `compare` do once their options are read."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import typer

from reports.conclusion import conclusion
from reports.reading import Summary
from reports.tables import comparison_table, table_by_policy
from reports.trust import verdict_in_words
from simulator import experiment
from simulator.cli.command_line import command_line
from simulator.cli.display import Display
from simulator.cli.options import Asked
from simulator.cli.output import (
    interruption_told,
    main_numbers,
    print_whereabouts,
    settle,
)
from simulator.cli.printing import complain, print_json, print_pairs, print_table
from simulator.cli.publishing import HTML, publish_comparison, publish_run
from simulator.cli.request import prepare
from simulator.experiment import Comparison
from simulator.metrics import summarise
from simulator.results import RunResult
from simulator.target import Target

_SIDE_BY_SIDE = 4
"""Policies that a table sets side by side at most."""
_HEADER_WIDTH = 11
"""Characters of a line of a column's header, where policies stand in rows."""


def run(asked: Asked) -> None:
    """Run once, and show what came of it.

    Raises:
        InputError: The options, the scenario or the machine do not allow it.
        typer.Exit: With the exit code, when that is not 0.
    """
    request = prepare(asked, several=False)
    (label,) = request.labels
    with interruption_told(request.directory), Display(quiet=asked.quiet) as display:
        result = experiment.run(
            request.scenario,
            engine=asked.engine,
            target=request.target,
            out=request.directory,
            force=asked.force,
            command=command_line("run", asked),
            watch=display.watcher(label, announce=_cue(request.target)),
        )
        publish_run(result, request.directory)
    summary = summarise(result)
    if asked.json:
        print_json(summary)
        _complain_of_restarts(result)
    else:
        print_run(result, request.directory)
    settle(
        request.checks,
        {label: summary},
        junit=asked.junit,
        suite=f"herd.{request.scenario.name}",
        strict=asked.strict,
    )


def compare(asked: Asked) -> None:
    """Run several policies, and show how they differ.

    Raises:
        InputError: The options, the scenario or the machine do not allow it.
        typer.Exit: With the exit code, when that is not 0.
    """
    request = prepare(asked, several=True)
    display = Display(quiet=asked.quiet, n_runs=len(request.labels))
    with interruption_told(request.directory), display:
        comparison = experiment.compare(
            request.scenario,
            policies=request.policies,
            engine=asked.engine,
            target=request.target,
            out=request.directory,
            force=asked.force,
            command=command_line("compare", asked),
            watch=partial(display.watcher, announce=_cue(request.target)),
        )
        publish_comparison(comparison)
    if asked.json:
        print_json(comparison.summaries)
        for label, result in comparison.results.items():
            _complain_of_restarts(result, label)
    else:
        print_comparison(comparison)
    settle(
        request.checks,
        comparison.summaries,
        junit=asked.junit,
        suite=f"herd.{request.scenario.name}",
        strict=asked.strict,
    )


def _cue(target: Target | None) -> str:
    """What to tell the user once the whole fleet is connected."""
    if target is None or target.restart_command is not None:
        return ""
    return f"everybody is connected to {target.label}: restart it now"


def _complain_of_restarts(result: RunResult, label: str = "") -> None:
    """Whoever reads the numbers alone must still hear that a command has failed."""
    for restart in result.manifest.restarts:
        if restart.failed:
            place = f"{label}: " if label else ""
            complain(
                f"{place}the restart command that began at {restart.started_at:.1f} s failed with "
                f"exit code {restart.exit_code}; see {restart.output} in the run's directory"
            )


def print_run(result: RunResult, directory: Path, page: str = HTML) -> None:
    """Show the numbers of a run, what is wrong with it, and where its records are."""
    summary = summarise(result)
    print_pairs(main_numbers(summary))
    typer.echo()
    _print_shortcomings(result)
    typer.echo(verdict_in_words(summary, result.manifest))
    print_whereabouts(directory, page)


def print_comparison(comparison: Comparison, page: str = HTML) -> None:
    """Show how policies differ, what is wrong with their runs, and where the records are."""
    if not comparison.results:
        return
    _print_numbers(comparison.summaries)
    typer.echo()
    for label, result in comparison.results.items():
        _print_shortcomings(result, label)
    typer.echo(conclusion(comparison.summaries))
    print_whereabouts(comparison.directory, page)


def _print_numbers(summaries: Mapping[str, Summary]) -> None:
    """A column per policy while these fit side by side, else a row."""
    if len(summaries) <= _SIDE_BY_SIDE:
        table = comparison_table(summaries)
        print_table(table.headers, table.rows)
        return
    table, same = table_by_policy(summaries)
    print_table(table.headers, table.rows, header_width=_HEADER_WIDTH)
    if same:
        typer.echo("\nThe same for all:\n")
        print_pairs(same)


def _print_shortcomings(result: RunResult, label: str = "") -> None:
    """What the reader must know about a run before believing it."""
    manifest = result.manifest
    place = f"{label}: " if label else ""
    if manifest.interrupted or manifest.failure:
        why = manifest.failure or "interrupted"
        typer.echo(f"{place}cut short ({why}): these are the numbers of the recorded part.")
    for note in manifest.notes:
        typer.echo(f"{place}note: {note}")
