"""What `herd plan` does once its options are read."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import typer

from reports.wording import percent
from simulator.cli.display import Display
from simulator.cli.options import changes_of
from simulator.cli.output import INTERRUPTED, NOT_MET
from simulator.cli.printing import complain, print_json, print_table
from simulator.errors import InputError
from simulator.experiment import new_directory
from simulator.own_policies import policy_named
from simulator.plan_results import Choice, PlanResult
from simulator.planning import plan as planner
from simulator.planning.words import (
    capacity_in_words,
    edge_in_words,
    objectives_in_words,
    price_in_words,
    region_in_words,
    value_in_words,
)
from simulator.run_directory import PLAN
from simulator.scenario import Scenario
from simulator.scenario_files import DEFAULT, load_scenario

_SHOWN = 8
"""Policies in the table."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AskedToPlan:
    """The options, as they were given."""

    scenario: str | None
    objectives: list[str]
    engine: str
    clients: int | None
    policies: list[str]
    seed: int | None
    changes: list[str]
    replications: int
    workers: int | None
    budget: float
    out: Path | None
    force: bool
    json: bool
    quiet: bool


def plan(asked: AskedToPlan) -> None:
    """Make a plan, and show what it recommends.

    Raises:
        InputError: The options, the scenario or the directory do not allow it.
        typer.Exit: With the exit code, when that is not 0.
    """
    herd = _scenario(asked)
    directory = asked.out or new_directory(herd, f"plan-{asked.engine}")
    began_at = time.monotonic()
    with Display(quiet=asked.quiet) as display:

        def told(part: str, n_runs: int) -> None:
            display.step(
                part, f"{n_runs} runs, {time.monotonic() - began_at:.0f} of {asked.budget:g} s"
            )

        try:
            found = planner.plan(
                herd,
                objectives=asked.objectives,
                engine=asked.engine,
                replications=asked.replications,
                workers=asked.workers,
                budget=asked.budget,
                out=directory,
                force=asked.force,
                told=told,
            )
        except KeyboardInterrupt:
            kept = (directory / PLAN).is_file()
            where = f"what was found is in {directory / PLAN}" if kept else "nothing was found yet"
            complain(f"interrupted; {where}")
            raise typer.Exit(INTERRUPTED) from None
        _draw(found, directory)
    if asked.json:
        print_json(found.model_dump(mode="json"))
    else:
        _show(found, directory)
    if not found.met:
        raise typer.Exit(NOT_MET)


def _scenario(asked: AskedToPlan) -> Scenario:
    changes = changes_of(asked.changes, clients=asked.clients, seed=asked.seed)
    herd = load_scenario(asked.scenario or DEFAULT, changes=changes)
    if len(asked.policies) > 1:
        raise InputError(
            f"--policy = {', '.join(asked.policies)}: herd plan takes one, which is today's"
        )
    return herd.with_policy(policy_named(asked.policies[0])) if asked.policies else herd


def _draw(found: PlanResult, directory: Path) -> None:
    from reports.plan_figures import draw_plan  # noqa: PLC0415 - matplotlib, late

    draw_plan(found, directory)


def _show(found: PlanResult, directory: Path) -> None:
    """The recommendation first, then what it rests on."""
    for line in _parts(found):
        typer.echo(line)
    if found.policies is not None:
        typer.echo()
        print_table(
            ("policy at the present capacity", "back", "peak", "met", "front"),
            [_row(choice, found) for choice in _best(found)],
        )
        if price := price_in_words(found.policies):
            typer.echo(f"\n{price}")
    typer.echo(f"\nIt rests on: {' '.join(found.assumptions)}")
    if found.unfinished:
        typer.echo(f"Not done within --budget: {', '.join(found.unfinished)}.")
    spent = f"{found.n_runs:,} runs in {found.took:,.0f} s"
    typer.echo(f"\n{spent}. All of it is in {directory / PLAN}")


def _parts(found: PlanResult) -> Iterator[str]:
    if found.advice is not None:
        yield from found.advice.lines
        if found.advice.changes:
            yield "  " + " ".join(f'--set "{change}"' for change in found.advice.changes)
    today = found.today_full or found.today
    if today is not None:
        yield ""
        yield "Today:"
        for text, value, met in objectives_in_words(found, today):
            yield f"  {text}: {value}; met under {met} seeds"
    for edge in found.edges:
        yield f"  {edge_in_words(edge)}"
    if found.capacity is not None:
        yield ""
        yield from capacity_in_words(found.capacity)
    if found.region is not None:
        yield ""
        yield from region_in_words(found.region)


def _best(found: PlanResult) -> list[Choice]:
    """Today's policy, and the best of the others."""
    choices = found.policies.choices if found.policies is not None else ()
    ranked = sorted(
        (choice for choice in choices if not choice.is_today),
        key=lambda one: (
            -one.evidence.share_met,
            one.strain is None,
            one.strain or 0.0,
        ),
    )
    return [*(choice for choice in choices if choice.is_today), *ranked[: _SHOWN - 1]]


def _row(choice: Choice, found: PlanResult) -> tuple[str, ...]:
    name = choice.policy + (f"; {choice.defence}" if choice.defence else "")
    policies = found.policies
    if policies is None:
        return ()
    return (
        f"{name} (today)" if choice.is_today else name,
        value_in_words(policies.recovery_metric, choice.recovery),
        value_in_words(policies.peak_metric, choice.peak),
        percent(choice.evidence.share_met),
        "yes" if choice.on_front else "",
    )
