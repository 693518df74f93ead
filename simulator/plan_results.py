"""What a plan has found: every piece of evidence as data, enough to draw its figures again.

As in a summary, None stands for infinite: not within the horizon.
"""

import math
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from simulator.errors import RunDirectoryError
from simulator.run_directory import PLAN

PLAN_VERSION = 1
"""Of the file; goes up when an older herd could no longer read a newer one."""
NEEDED = 0.9
"""The share of seeds under which a setting has to meet the objectives, to be said to meet them."""

Number = float | None


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class Evidence(_Value):
    """What one setting came to under several seeds, in figures of the whole herd."""

    n_clients: int
    """Of the herd that was run."""
    scale: float
    """How many clients of the herd that is meant each of them stands for."""
    seeds: tuple[int, ...]
    metrics: Mapping[str, tuple[Number, ...]]
    """By name, a value per seed; what counts clients or events is scaled up to the whole herd."""
    met: Mapping[str, tuple[bool, ...]]
    """By objective, per seed."""
    n_met: int
    """Under how many seeds all objectives were met."""
    met_interval: tuple[float, float]
    """Wilson's 95 % interval of that share."""
    n_recovered: int
    """Under how many seeds everybody came back."""
    means: Mapping[str, tuple[float, float, float]]
    """Mean of each metric where it is finite, and its 95 % interval; no metric that never is."""

    @property
    def share_met(self) -> float:
        """Of the seeds, those under which all objectives were met."""
        return self.n_met / len(self.seeds)

    @property
    def meets(self) -> bool:
        """Does this setting meet the objectives?"""
        return self.share_met >= NEEDED

    def median(self, metric: str) -> float:
        """Of a metric over the seeds; infinite if half of them never got there."""
        values = self.metrics[metric]
        return statistics.median_high(math.inf if value is None else value for value in values)


class Probe(_Value):
    """A setting that a search has looked at."""

    x: float
    """Of what was varied."""
    evidence: Evidence


class Edge(_Value):
    """How far one quantity can go, all else as it is, before the answer changes."""

    what: str
    unit: str
    today: float
    last: Number
    """The furthest value that was seen to give the same answer as today's."""
    first: Number
    """The nearest value that was seen to give the other answer; None if none was found."""
    limit: float
    """How far was looked."""
    objective: str | None
    """Which objective decides."""
    elasticity: Number
    """Percent by which its metric grows at the edge for each percent more; None if it jumps from a
    finite to an infinite one."""
    cliff: bool
    """Is that a jump, or a growth of more than five percent for one?"""
    probes: tuple[Probe, ...]


class Resource(_Value):
    """How many of something it takes, all else as it is."""

    what: str
    today: int
    needed: int | None
    """The smallest number that meets the objectives; None if not even `limit` does."""
    limit: int
    capacity: float | None
    """Connects per second that this makes of the narrowest stage."""
    probes: tuple[Probe, ...]


class CapacityNeeded(_Value):
    """How much of everything it takes, under one policy."""

    policy: str
    needed: float | None
    """Connects per second of the narrowest stage; None if not even `limit` is enough."""
    limit: float
    changes: Mapping[str, int]
    """What gives this capacity: fields of the scenario, and their values."""
    settled: bool = True
    """Was there time to see that nothing less does, and under all seeds?"""
    probes: tuple[Probe, ...]
    """x is the capacity of the narrowest stage, all others having at least as much."""


class Capacity(_Value):
    """The narrowest stage, and what it takes."""

    binding_stage: str
    capacity: float
    """Connects per second that it can take today."""
    by_stage: Mapping[str, float]
    floor: float
    """Seconds; the fastest possible recovery: clients / capacity."""
    resources: tuple[Resource, ...] = ()
    needed: tuple[CapacityNeeded, ...] = ()
    """Under today's policy and, where another was found, under that."""


class Choice(_Value):
    """A policy, with a defence or without, at the present capacity."""

    policy: str
    """In plain words."""
    settings: Mapping[str, float | str | None]
    """base, factor, cap, jitter; empty for today's policy."""
    defence: str
    """In plain words; empty for none beyond today's."""
    is_today: bool = False
    on_front: bool
    """Is there none that is better both in recovery and in peak?"""
    recovery: Number
    """Seconds; median over the seeds of the plan's recovery metric."""
    peak: Number
    """Per second; likewise of its peak metric."""
    strain: Number
    """The worst of its objectives, as value / limit: at most 1 where all are met."""
    evidence: Evidence


class Price(_Value):
    """One kind of jitter, all else equal: what it costs and what it buys."""

    jitter: str
    time_to_recovery_p50: Number
    time_to_recovery_p99: Number
    time_to_recovery_p100: Number
    peak_arrival_rate_up_1s: Number


class Policies(_Value):
    """What other policies and defences would make of the same herd and capacity."""

    recovery_metric: str
    peak_metric: str
    choices: tuple[Choice, ...]
    price: tuple[Price, ...] = ()
    price_of: str = ""
    """The delays that the price of jitter was taken at."""
    refused: Mapping[str, str] = {}
    """Defences that the engine does not have, and what it says of them."""


State = Literal["back", "slow", "stuck"]
"""Everybody is back; some are not, yet they go on coming; hardly anybody comes back any more."""


class Cell(_Value):
    """One outage length and load on the map."""

    down_for: float
    """Seconds."""
    n_clients: float
    abandoned: str
    states: tuple[State, ...]
    """Per seed."""
    shares: tuple[float, ...]
    """Per seed: who was back at the end of a horizon long enough for it."""


class Remedy(_Value):
    """A change, and whether the herd comes back by itself with it."""

    what: str
    states: tuple[State, ...]
    shares: tuple[float, ...]

    @property
    def works(self) -> bool:
        """Under every seed?"""
        return all(state == "back" for state in self.states)


class Region(_Value):
    """Where the herd does not come back by itself."""

    cells: tuple[Cell, ...]
    at: str = ""
    """The cell that the remedies were tried in."""
    remedies: tuple[Remedy, ...] = ()


class Advice(_Value):
    """What to do, in plain words and as settings."""

    kind: Literal["keep", "policy", "capacity", "both", "none"]
    lines: tuple[str, ...]
    changes: tuple[str, ...] = ()
    """FIELD=VALUE, as `--set` takes them."""
    scenario: str = ""
    """The recommended scenario, as TOML."""
    confirmation: Evidence | None = None
    """At full size."""
    binding_objective: str | None = None
    """Of objectives that nothing was found to meet: the one that stands in the way."""
    nearest: Number = None
    """And the best value of its metric that was found."""


class PlanResult(_Value):
    """What `herd plan` found."""

    version: int = PLAN_VERSION
    herd_version: str = ""
    scenario: str
    toml: str
    """The scenario, whole."""
    engine: str
    objectives: tuple[str, ...]
    limits: Mapping[str, tuple[str, str, Number]] = {}
    """By objective: its metric, its operator and, where it is a number, its value."""
    replications: int
    today: Evidence | None = None
    today_full: Evidence | None = None
    """The same at full size."""
    policies: Policies | None = None
    capacity: Capacity | None = None
    advice: Advice | None = None
    edges: tuple[Edge, ...] = ()
    region: Region | None = None
    assumptions: tuple[str, ...] = ()
    unfinished: tuple[str, ...] = ()
    """Parts that there was no time for."""
    interrupted: bool = False
    n_runs: int = 0
    took: float = 0.0
    """Seconds."""

    @property
    def met(self) -> bool:
        """Does today's setting meet the objectives? At full size, where that was run."""
        evidence = self.today_full or self.today
        return evidence is not None and evidence.meets


def save_plan(plan: PlanResult, directory: Path) -> Path:
    """Write `plan.json` as a whole or not at all."""
    path = directory / PLAN
    part = path.with_name(f".{PLAN}.partial")
    part.write_text(plan.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return part.replace(path)


def load_plan(directory: Path | str) -> PlanResult:
    """Read a plan back from its directory or file.

    Raises:
        RunDirectoryError: There is none, or it is damaged or too new.
    """
    path = Path(directory)
    path = path / PLAN if path.is_dir() else path
    try:
        plan = PlanResult.model_validate_json(path.read_bytes())
    except OSError as error:
        raise RunDirectoryError(f"{path}: cannot be read ({error.strerror})") from None
    except ValidationError:
        raise RunDirectoryError(f"{path}: is not a plan, or damaged") from None
    if plan.version > PLAN_VERSION:
        raise RunDirectoryError(f"{path}: written by a newer herd; this one reads {PLAN_VERSION}")
    return plan
