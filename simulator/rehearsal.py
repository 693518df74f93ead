"""A made-up run of a scenario in which everything happens once: what its summary will hold.

What a rehearsal does not measure, no run of that scenario measures; so a condition on it can be
refused before a run of a minute rather than after it. Its numbers mean nothing.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from server_stub.doorkeeper import Reason
from server_stub.outage import OutageKind, OutageWindow
from server_stub.tables import Columns, Schema
from simulator.assembly import assemble
from simulator.core.outcomes import NoticedBy, Outcome
from simulator.metrics import summarise
from simulator.provenance import first_manifest
from simulator.raw_tables import RAW_ACCOUNTS, RAW_TABLES, RawTables
from simulator.scenario import Scenario

_BREAK = 1e-6
"""Seconds from an outage's start to its effects, whose order then is certain."""


def rehearse(scenario: Scenario, *, target: str | None = None) -> dict[str, Any]:
    """The summary of a run with one client per cohort, all of which every outage disconnects.

    Args:
        scenario: Its outages and cohorts decide what can be measured.
        target: The server, if it is not ours: then it leaves no record.
    """
    n_clients = len(scenario.cohorts)
    small = scenario.model_copy(update={"n_clients": n_clients})
    rows: dict[str, list[tuple[float, ...]]] = {name: [] for name in RAW_TABLES}
    story = _story(scenario)
    for client in range(n_clients):
        _live(client, story, rows)
        rows["accounts"].append((client, *(0 for _ in RAW_ACCOUNTS.columns[1:])))
    rows["outages"] = list(_outage_rows(scenario.windows))
    instants = (0.0, *(window.starts_at for window in scenario.windows), scenario.horizon)
    if target is None:
        nobody_turned_away = (0,) * len(Reason)
        rows["server"] = [
            (at, 0, 1, 1, 1, 0, 0, 0, 0, 1, 0, 1, *nobody_turned_away) for at in instants
        ]
        rows["services"] = [(at, 0.0) for at in instants]
        rows["tallies"] = [(client, 0, 0) for client in range(n_clients)]
    else:
        rows["losses"].clear()
    result = assemble(
        RawTables(**{name: _columns(schema, rows[name]) for name, schema in RAW_TABLES.items()}),
        manifest=first_manifest(
            small,
            "live",
            origin=0.0,
            observed_until=scenario.horizon,
            complete=True,
            target=target,
        ),
        scenario=small,
        cohort_of=np.arange(n_clients, dtype=np.uint16),
    )
    return summarise(result)


class _Stay(NamedTuple):
    """One connection of everybody's: where, from when, and which outage ends it."""

    node: int
    made_at: float
    broke_at: float = math.inf
    outage: int = -1


def _story(scenario: Scenario) -> Sequence[_Stay]:
    """A stay for every outage, at a node that it hits; then one to the end."""
    stays: list[_Stay] = []
    made_at = -1.0
    for index in sorted({window.index for window in scenario.windows}):
        windows = [window for window in scenario.windows if window.index == index]
        node = (windows[0].nodes or (0,))[0]
        stays.append(_Stay(node, made_at, windows[0].starts_at + _BREAK, index))
        made_at = max(window.ends_at for window in windows) + _BREAK
    serving = scenario.plan.present(scenario.horizon) or (0,)
    return [*stays, _Stay(serving[0], made_at)]


def _live(client: int, story: Sequence[_Stay], rows: dict[str, list[tuple[float, ...]]]) -> None:
    """One client loses each connection at once and is back as soon as it can be."""
    for episode, stay in enumerate(story):
        at = stay.made_at
        rows["attempts"].append((client, episode, 1, stay.node, at, at, at, Outcome.CONNECTED))
        if stay.outage >= 0:
            broke_at = stay.broke_at
            rows["losses"].append((client, episode, stay.outage, stay.node, broke_at))
            rows["disconnects"].append((client, episode + 1, broke_at, NoticedBy.RESET, 1006))


def _outage_rows(windows: Sequence[OutageWindow]) -> Iterator[tuple[float, ...]]:
    kinds = list(OutageKind)
    for window in windows:
        for node in window.nodes or (0,):
            yield window.index, kinds.index(window.kind), node, window.starts_at, window.ends_at


def _columns(schema: Schema, rows: Sequence[tuple[float, ...]]) -> Columns:
    return {
        column.name: np.array([row[place] for row in rows], dtype=column.dtype)
        for place, column in enumerate(schema.columns)
    }
