"""What `herd sweep` does once its options are read."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from reports.wording import percent
from simulator.cli.display import Display
from simulator.cli.options import changes_of
from simulator.cli.output import INTERRUPTED
from simulator.cli.printing import complain, print_json, print_table
from simulator.experiment import new_directory
from simulator.scenario_files import DEFAULT
from simulator.sweeping import Sweep, grid_of
from simulator.sweeping.grid import POLICY
from simulator.sweeping.runs import conduct

_MOST_FAILURES = 5
"""That are told one by one."""
_COLUMNS = (
    ("95 % back after", "time_to_recovery_p95", " s"),
    ("peak attempts (1 s)", "peak_attempt_rate_1s", "/s"),
    ("attempts per loss", "amplification", ""),
)
"""Metrics of the recovered that the table shows, and their units."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AskedToSweep:
    """The options, as they were given."""

    scenario: str | None
    vary: list[str]
    policies: list[str]
    replications: int
    engine: str
    clients: int | None
    seed: int | None
    changes: list[str]
    workers: int | None
    dask: str | None
    max_cells: int
    out: Path | None
    json: bool
    quiet: bool


def sweep(asked: AskedToSweep) -> None:
    """Run a grid, and show what came of it.

    Raises:
        InputError: The options, a cell, the directory or the cluster do not allow it.
        typer.Exit: With the exit code, when that is not 0.
    """
    changes = changes_of(asked.changes, clients=asked.clients, seed=asked.seed)
    grid = grid_of(
        asked.scenario or DEFAULT,
        vary=asked.vary,
        policies=asked.policies,
        changes=changes,
        engine=asked.engine,
        replications=asked.replications,
        max_cells=asked.max_cells,
    )
    directory = asked.out or new_directory(grid.base, f"sweep-{grid.engine}")
    began_at = time.monotonic()
    first: list[int] = []
    with Display(quiet=asked.quiet) as display:

        def told(done: int, total: int) -> None:
            first.append(done)
            display.count(
                "runs",
                done,
                total,
                left=_left(time.monotonic() - began_at, done - first[0], total - done),
            )

        try:
            found = conduct(grid, out=directory, workers=asked.workers, dask=asked.dask, told=told)
        except KeyboardInterrupt:
            complain(
                f"interrupted; what was finished is in {directory}; the same command with "
                f"--out {directory} goes on"
            )
            raise typer.Exit(INTERRUPTED) from None
    _show(found, asked)
    if found.failures:
        _complain_of(found.failures)
        raise typer.Exit(1)


def _left(seconds: float, n_done: int, n_left: int) -> str:
    """How long it will still take, in words; empty before that can be told."""
    if not n_done or not n_left:
        return ""
    return f"about {seconds / n_done * n_left:,.0f} s left"


def _show(found: Sweep, asked: AskedToSweep) -> None:
    outcome = found.outcome
    if asked.json:
        print_json(outcome)
        return
    if found.rows:
        print_table(
            (*found.axes, "recovered", "95 % interval", *(label for label, _, _ in _COLUMNS)),
            list(_cell_rows(outcome)),
            header_width=22,
        )
        differences = list(_difference_rows(outcome))
        if differences:
            typer.echo("\nDifferences over the same seeds, where both recovered:\n")
            print_table(
                ("", *(label for label, _, _ in _COLUMNS), "pairs"), differences, header_width=22
            )
    typer.echo(
        f"\nA run counts as recovered when 99 % of its clients are back within the horizon, and "
        f"stay so; the other numbers are means of those that did, with 95 % intervals.\n"
        f"Rows in {found.directory}"
    )


def _cell_rows(outcome: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for cell in outcome["cells"]:
        share = cell["recovered"]
        yield (
            *map(str, cell["values"].values()),
            f"{cell['n_recovered']} of {cell['n']}",
            f"{percent(share['low'])} to {percent(share['high'])}",
            *(_interval(cell["metrics"][metric], unit) for _, metric, unit in _COLUMNS),
        )


def _difference_rows(outcome: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Between policies, if there are several; else along the first axis."""
    main = POLICY if POLICY in outcome["axes"] else next(iter(outcome["axes"]))
    for one in outcome["differences"]:
        if one["axis"] != main:
            continue
        others = ", ".join(f"{axis} {value}" for axis, value in one["others"].items())
        yield (
            f"{one['axis']} {one['from']} -> {one['to']}{f' ({others})' if others else ''}",
            *(_interval(one["metrics"][metric], unit, sign="+") for _, metric, unit in _COLUMNS),
            str(one["metrics"][_COLUMNS[0][1]]["n"]),
        )


def _interval(values: Mapping[str, Any], unit: str, *, sign: str = "") -> str:
    if values["estimate"] is None:
        return "-"
    if values["low"] is None:
        return f"{values['estimate']:{sign},.3g}{unit}"
    reach = values["high"] - values["estimate"]
    digits = 0 if abs(values["estimate"]) >= 1000 else 1 if abs(values["estimate"]) >= 10 else 2
    return f"{values['estimate']:{sign},.{digits}f}{unit} ± {reach:,.{digits}f}"


def _complain_of(failures: Sequence[Mapping[str, Any]]) -> None:
    for one in failures[:_MOST_FAILURES]:
        complain(f"cell {one['cell']}, replication {one['replication']}: {one['error']}")
    if len(failures) > _MOST_FAILURES:
        complain(f"and {len(failures) - _MOST_FAILURES} more; see grid.json")
