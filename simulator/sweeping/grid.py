"""Which cells a sweep has: every combination of the values that vary; nothing is run here."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

from simulator.errors import InputError, ScenarioError, UnknownNameError
from simulator.experiment import ENGINES, label_policies
from simulator.own_policies import policy_named
from simulator.scenario import Scenario
from simulator.scenario_files import DEFAULT, load_scenario

POLICY = "policy"
"""The axis of `--policy`, which replaces the policy of every cohort."""
MOST_CELLS = 10_000
"""Of a grid, unless told otherwise."""
_FIXED = ("seed", "name", "description", "compare", "objective", "attempts_limit")
"""Fields that a sweep decides itself, or that make no difference to a run."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One combination."""

    number: int
    values: Mapping[str, str]
    """By axis, as they were written."""
    scenario: Scenario


@dataclass(frozen=True, kw_only=True, slots=True)
class Grid:
    """All cells, and how often each is run."""

    base: Scenario
    """What every cell starts from."""
    axes: Mapping[str, tuple[str, ...]]
    """Values by axis, as they were written."""
    cells: tuple[Cell, ...]
    engine: str
    replications: int

    @property
    def key(self) -> str:
        """The same for the same grid, whatever the number of replications."""
        data = {
            "cells": [cell.scenario.model_dump(mode="json") for cell in self.cells],
            "axes": {axis: list(values) for axis, values in self.axes.items()},
            "engine": self.engine,
        }
        return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def grid_of(
    source: str | Path | Scenario = DEFAULT,
    *,
    vary: Iterable[str] = (),
    policies: Sequence[str] = (),
    changes: Sequence[str] = (),
    engine: str = "model",
    replications: int = 20,
    max_cells: int = MOST_CELLS,
) -> Grid:
    """Lay out a grid, and see that every cell of it can be run.

    Args:
        source: A scenario, a TOML file or the name of a built-in scenario.
        vary: `FIELD=V1,V2,...` each, a dotted path and values as `--set` takes them.
        policies: Policies by name, an axis of its own.
        changes: `FIELD=VALUE`, the same for all cells.
        engine: Which one runs them.
        replications: Runs of each cell, with the scenario's seed and those that follow.
        max_cells: The most cells that are meant.

    Raises:
        InputError: A field cannot be varied, a value is not allowed, or there are too many cells.
    """
    if engine not in ENGINES:
        raise UnknownNameError("engine", engine, ENGINES)
    if replications < 1:
        raise InputError(f"--replications = {replications}: allowed: 1 or more")
    axes = _axes(vary, policies)
    n_cells = prod(map(len, axes.values()))
    if n_cells > max_cells:
        raise InputError(
            f"--vary: {n_cells:,} cells; allowed: at most {max_cells:,}, or a higher --max-cells"
        )
    base = _scenario(source, changes)
    named = {name: policy_named(name) for name in axes.get(POLICY, ())}
    if len(label_policies(list(named.values()))) < len(named):
        raise InputError(f"--policy: two of {', '.join(named)} are the same")
    cells = []
    for number, values in enumerate(product(*axes.values())):
        of_cell = dict(zip(axes, values, strict=True))
        settings = [f"{axis}={value}" for axis, value in of_cell.items() if axis != POLICY]
        scenario = _scenario(source, [*changes, *settings])
        if POLICY in of_cell:
            scenario = scenario.with_policy(named[of_cell[POLICY]])
        _check(scenario, engine)
        cells.append(Cell(number=number, values=of_cell, scenario=scenario))
    return Grid(base=base, axes=axes, cells=tuple(cells), engine=engine, replications=replications)


def _axes(vary: Iterable[str], policies: Sequence[str]) -> dict[str, tuple[str, ...]]:
    axes: dict[str, tuple[str, ...]] = {}
    for text in vary:
        field, equals, listed = text.partition("=")
        field = field.strip()
        values = tuple(_split(listed))
        if not equals or not field or not all(values):
            raise InputError(
                f"--vary {text}: allowed: FIELD=V1,V2,..., such as n_clients=1000,10000"
            )
        if field in axes:
            raise InputError(f"--vary {field}: given twice")
        if field.split(".")[0] in _FIXED:
            raise InputError(
                f"--vary {field}: cannot be varied, a sweep decides it or it decides nothing; "
                "allowed: any other field of a scenario"
            )
        axes[field] = values
    if policies:
        axes[POLICY] = tuple(policies)
    for axis, values in axes.items():
        if twice := [value for value, n in Counter(values).items() if n > 1]:
            raise InputError(f"--vary {axis}: {', '.join(twice)} is there twice")
    if not axes:
        raise InputError("--vary: nothing varies; allowed: FIELD=V1,V2,... or --policy NAME")
    return axes


def _split(listed: str) -> list[str]:
    """What stands between commas that are not within brackets, braces or quotes."""
    parts, depth, quote, start = [], 0, "", 0
    for place, character in enumerate(listed):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in "[{":
            depth += 1
        elif character in "]}":
            depth -= 1
        elif character == "," and depth == 0:
            parts.append(listed[start:place].strip())
            start = place + 1
    return [*parts, listed[start:].strip()]


def _scenario(source: str | Path | Scenario, changes: Sequence[str]) -> Scenario:
    try:
        return load_scenario(source, changes=changes)
    except ScenarioError as error:
        raise InputError(f"--vary: {error}") from None


def _check(scenario: Scenario, engine: str) -> None:
    """Refuse beforehand what the engine would refuse."""
    refuse: Any = getattr(import_module(f"simulator.engines.{engine}"), "check", None)
    if refuse is not None:
        refuse(scenario)
