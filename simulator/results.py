"""What a run leaves behind: the tables, where they came from, and how to reach them.

Every engine produces a `RunResult`; metrics and figures are functions of it alone. Instants are
seconds on one clock, 0 being the moment at which the whole fleet was connected.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from server_stub.plan import Plan
from server_stub.tables import OUTAGES, SERVER, SERVICES, STAGES, Column, Columns, Schema
from simulator.core.outcomes import Cause, NoticedBy, Outcome, labels
from simulator.errors import InputError, UnknownNameError
from simulator.scenario import Scenario

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = 1
"""Of run directories; goes up when an older herd could no longer read a new one."""

Engine = Literal["live", "virtual", "model", "serve"]
"""How time passed; `serve` is no engine of ours, but others' clients, seen by the stub."""

_AT = "on the run's clock"
_CLIENT = Column(name="client", dtype="u4", meaning="number of the client")
_COHORT = Column(name="cohort", dtype="u2", meaning="which set of clients")
_OUTAGE = Column(name="outage", dtype="i2", meaning="index in the schedule; -1 for none")
_EPISODE = Column(
    name="episode", dtype="u4", meaning="the client's n-th loss of connection; 0 is the ramp"
)


def _count(name: str, meaning: str) -> Column:
    """What a client counted; a process that was killed leaves no account of its clients."""
    return Column(name=name, dtype="f8", meaning=f"{meaning}; NaN if not observed")


ATTEMPTS = Schema(
    name="attempts",
    columns=(
        _CLIENT,
        _COHORT,
        _EPISODE,
        _OUTAGE,
        Column(name="attempt", dtype="u4", meaning="1-based within the episode"),
        Column(
            name="node",
            dtype="u2",
            meaning="which node it was sent to; 65535 if a balancer sent it to none",
        ),
        Column(name="due_at", dtype="f8", unit="s", meaning=f"when it was owed, {_AT}"),
        Column(name="started_at", dtype="f8", unit="s", meaning=f"when it began, {_AT}"),
        Column(name="ended_at", dtype="f8", unit="s", meaning=f"when its outcome stood, {_AT}"),
        Column(name="outcome", dtype="u1", meaning="how it ended", labels=labels(Outcome)),
    ),
)

DISCONNECTS = Schema(
    name="disconnects",
    columns=(
        _CLIENT,
        _EPISODE,
        _OUTAGE,
        Column(name="broke_at", dtype="f8", unit="s", meaning=f"the server's record, {_AT}"),
        Column(name="noticed_at", dtype="f8", unit="s", meaning=f"when the client knew, {_AT}"),
        Column(name="cause", dtype="u1", meaning="the fault", labels=labels(Cause)),
        Column(name="noticed_by", dtype="u1", meaning="the sign", labels=labels(NoticedBy)),
        Column(name="close_code", dtype="u2", meaning="of the close frame; 1006 without one"),
        Column(
            name="node", dtype="u2", meaning="which node held the connection; 65535 if not known"
        ),
    ),
)

CLIENTS = Schema(
    name="clients",
    columns=(
        _CLIENT,
        _COHORT,
        Column(name="gave_up_at", dtype="f8", unit="s", meaning=f"{_AT}; NaN if it never did"),
        Column(name="synced_at", dtype="f8", unit="s", meaning=f"{_AT}; NaN if not observed"),
        _count("n_delta_sync", "reconnects that replayed what was missed"),
        _count("n_full_refresh", "whole states fetched after a reconnect"),
        _count("n_events_missed", "events that never arrive"),
        _count("n_operations", "operations issued"),
        _count("n_operations_lost", "operations settled and yet never applied"),
        _count("n_operations_duplicated", "operations applied again"),
    ),
)
"""Counts are over the whole run, the ramp included."""

EPISODES = Schema(
    name="episodes",
    columns=(
        _CLIENT,
        _COHORT,
        _EPISODE,
        _OUTAGE,
        Column(name="broke_at", dtype="f8", unit="s", meaning=f"when the connection broke, {_AT}"),
        Column(name="noticed_at", dtype="f8", unit="s", meaning=f"when the client knew, {_AT}"),
        Column(
            name="recovered_at",
            dtype="f8",
            unit="s",
            meaning=f"when it was connected again, {_AT}; infinite if it never was",
        ),
        Column(name="cause", dtype="u1", meaning="the fault", labels=labels(Cause)),
        Column(name="n_attempts", dtype="u4", meaning="dials that it took; 0 if it never was"),
    ),
)
"""What a run with too many attempts for a table keeps of each way back."""

RATES = Schema(
    name="rates",
    columns=(
        Column(name="at", dtype="f8", unit="s", meaning=f"start of the 10 ms interval, {_AT}"),
        _OUTAGE,
        _COHORT,
        Column(name="outcome", dtype="u1", meaning="how they ended", labels=labels(Outcome)),
        Column(name="n", dtype="u4", meaning="attempts started in the interval"),
    ),
)
"""And how many attempts there were."""

TABLES = {
    schema.name: schema
    for schema in (ATTEMPTS, DISCONNECTS, CLIENTS, OUTAGES, SERVER, STAGES, SERVICES)
}
"""The tables of a result by name."""

DIGEST = {schema.name: schema for schema in (EPISODES, RATES)}
"""The tables that stand in for `attempts` and `disconnects` in a result that has neither."""


class Thresholds(BaseModel):
    """How late generator and server may be before the figures stop meaning what they say."""

    model_config = ConfigDict(frozen=True)

    ok: float
    """Seconds; the largest lag of a trustworthy run."""
    strained: float
    """Seconds; the largest lag of a run whose figures are blurred; beyond it they are the
    machine's own."""


class Restart(BaseModel):
    """One run of the command that restarts a server which is not ours; on the run's clock."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    due_at: float
    started_at: float
    ended_at: float | None = None
    """None if it was still running at the end of the run, which ended it."""
    exit_code: int | None = None
    """Of the shell; negative for a signal, None if it was still running."""
    output: str
    """File within the run directory that holds what it printed."""

    @property
    def failed(self) -> bool:
        """Did it end by itself, and say that it had not done what it should?"""
        return self.exit_code not in (None, 0)


class Manifest(BaseModel):
    """Where a result came from and how far it can be trusted; fields it does not know pass by."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    schema_version: int = SCHEMA_VERSION
    herd_version: str
    engine: Engine
    scenario: str
    """Name of the scenario."""
    seed: int
    transport: str
    created_at: str
    """ISO 8601, UTC."""
    versions: Mapping[str, str] = Field(default_factory=dict)
    """Of Python and of the packages that matter, by name."""
    kernel: Mapping[str, int | float | str | bool | None] = Field(default_factory=dict)
    """The kernel's settings that matter, by name."""
    verdict_thresholds: Thresholds
    reproducible: bool = False
    """Does the same seed give the same bytes again?"""
    interrupted: bool = False
    complete: bool = False
    """Are the Parquet tables written? Until then the streams hold what was recorded."""
    failure: str | None = None
    """What died, if anything did."""
    origin: float | None = None
    """Seconds; reading of the absolute clock at t = 0; None if the run never got there."""
    observed_until: float | None = None
    """Seconds on the run's clock; end of observation, before the horizon if the run ended early."""
    ended_because: str = ""
    n_workers: int = 0
    """Client processes."""
    attempts_recorded: bool = True
    """Is every attempt on record? If not, there were too many: see `rates` and `episodes`."""
    command: str = ""
    """The command line that made the run; empty for one that was made in another way. Headers of
    requests and the query of a URL are not in it."""
    target: str | None = None
    """URL of the server, without its query, if that was not ours."""
    restart_command: str | None = None
    restarts: tuple[Restart, ...] = ()
    nodes_added: tuple[tuple[int, float, float], ...] = ()
    """By autoscaling: the number of each, when it was started and when it was ready; seconds on
    the run's clock."""
    n_held_back: int = 0
    """Attempts that a ceiling on connects per second has kept waiting, after t = 0."""
    notes: Sequence[str] = ()
    unmeasured: tuple[str, ...] = ()
    """Metrics that nobody could observe, though the tables may hold something like them."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Digest:
    """What is left of attempts and losses that were too many to be kept one by one."""

    episodes: Columns
    rates: Columns


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False, weakref_slot=True)
class RunResult:
    """One finished run: the scenario, what happened, and the manifest that vouches for it."""

    manifest: Manifest
    scenario: Scenario
    attempts: Columns
    disconnects: Columns
    clients: Columns
    outages: Columns
    server: Columns
    stages: Columns = field(default_factory=STAGES.empty)
    services: Columns
    digest: Digest | None = None
    """In place of the `attempts` and `disconnects` tables, which then are empty."""

    def __repr__(self) -> str:
        manifest = self.manifest
        return (
            f"RunResult({manifest.scenario}, {manifest.engine} engine, seed {manifest.seed}, "
            f"{self.scenario.n_clients:,} clients)"
        )

    @property
    def capacity(self) -> float:
        """Connects per second that the server can let in; NaN for a server that is not ours."""
        return math.nan if self.manifest.target is not None else self.scenario.capacity

    @property
    def plan(self) -> Plan:
        """What was to happen to which node when, with those that were added."""
        known = self.scenario.plan
        for node, starts_at, ready_at in self.manifest.nodes_added:
            known = known.joined(node, starts_at=starts_at, ready_at=ready_at)
        return known

    def table(self, name: str) -> Columns:
        """The columns of a table by its name."""
        if self.digest is not None and name in DIGEST:
            of_digest: Columns = getattr(self.digest, name)
            return of_digest
        if name not in TABLES:
            raise UnknownNameError("table", name, TABLES)
        columns: Columns = getattr(self, name)
        return columns

    def to_words(self, table: str, column: str) -> list[str]:
        """A column of codes as the words that they stand for."""
        (schema,) = (
            one for one in table_schema(table, self.scenario).columns if one.name == column
        )
        return [schema.labels[code] for code in self.table(table)[column].tolist()]

    def to_pandas(self, table: str = "attempts") -> "pd.DataFrame":
        """A table as a data frame; codes become categories.

        Raises:
            InputError: pandas is not installed.
        """
        columns = self.table(table)
        pandas = the_pandas()
        frame: pd.DataFrame = pandas.DataFrame(
            {
                column.name: (
                    pandas.Categorical.from_codes(columns[column.name], pandas.Index(column.labels))
                    if column.labels
                    else columns[column.name]
                )
                for column in table_schema(table, self.scenario).columns
            }
        )
        return frame


def the_pandas() -> ModuleType:
    """The package of data frames, an extra that only they need.

    Raises:
        InputError: It is not installed.
    """
    try:
        return import_module("pandas")
    except ImportError:
        raise InputError(
            "to_pandas needs pandas: pip install 'thundering-herd[notebook]'"
        ) from None


def table_schema(name: str, scenario: Scenario) -> Schema:
    """The schema of a result's table; the scenario's names of cohorts and stages are labels."""
    names = {
        "cohort": tuple(cohort.name for cohort in scenario.cohorts),
        "stage": scenario.server.stage_names,
    }
    columns = tuple(
        dataclasses.replace(column, labels=names[column.name]) if column.name in names else column
        for column in (TABLES | DIGEST)[name].columns
    )
    return dataclasses.replace((TABLES | DIGEST)[name], columns=columns)


def as_table(schema: Schema, columns: Mapping[str, NDArray[Any]]) -> Columns:
    """Columns in the types and the order of their schema, read-only.

    Args:
        schema: What the table must hold; further columns are left out.
        columns: Arrays of one length; they are not copied where the type is right.
    """
    table = {}
    for column in schema.columns:
        values = columns[column.name].astype(column.dtype, copy=False).view()
        values.flags.writeable = False
        table[column.name] = values
    return MappingProxyType(table)


def select(columns: Columns, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Columns:
    """The chosen rows of a table, in the order chosen.

    Args:
        columns: A table of n rows.
        rows: A mask of shape (n,), or indices.
    """
    return MappingProxyType({name: values[rows] for name, values in columns.items()})
