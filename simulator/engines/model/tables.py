"""From a course in nanoseconds to the tables of a result in seconds."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from server_stub.outage import OutageKind
from server_stub.tables import OUTAGES, SERVER, SERVICES, Columns
from simulator.core.outcomes import Cause
from simulator.engines.model.course import INTERVAL_NS, Course
from simulator.engines.model.instants import in_seconds
from simulator.keys import episode_keys, find
from simulator.results import (
    ATTEMPTS,
    CLIENTS,
    DISCONNECTS,
    Manifest,
    RunResult,
    as_table,
    select,
)
from simulator.scenario import Scenario


def result_of(
    course: Course, *, manifest: Manifest, scenario: Scenario, cohort_of: NDArray[np.uint16]
) -> RunResult:
    """The result that a course amounts to.

    Args:
        course: What happened.
        manifest: What to say of it.
        scenario: What was run.
        cohort_of: Index of each client's cohort, shape (n_clients,).
    """
    disconnects = _disconnects(course, scenario)
    return RunResult(
        manifest=manifest,
        scenario=scenario,
        attempts=_attempts(course, disconnects, cohort_of),
        disconnects=disconnects,
        clients=_clients(course, cohort_of),
        outages=_outages(scenario),
        server=_server(course),
        services=SERVICES.empty(),
    )


def _disconnects(course: Course, scenario: Scenario) -> Columns:
    columns = course.losses
    causes = np.zeros(1 + max((window.index for window in scenario.windows), default=0), np.uint8)
    for window in scenario.windows:
        causes[window.index] = Cause[window.kind.name]
    table: dict[str, NDArray[Any]] = {
        **columns,
        "episode": columns["episode"].astype(np.uint32),
        "broke_at": in_seconds(columns["broke_at"]),
        "noticed_at": in_seconds(columns["noticed_at"]),
        "cause": causes[columns["outage"]],
    }
    return as_table(DISCONNECTS, _sorted(table, "noticed_at", "client"))


def _attempts(course: Course, disconnects: Columns, cohort_of: NDArray[np.uint16]) -> Columns:
    columns: dict[str, NDArray[Any]] = dict(course.attempts)
    columns["episode"] = columns["episode"].astype(np.uint32)
    started_at = in_seconds(columns["due_at"])
    row = find(episode_keys(columns), episode_keys(disconnects))
    table = {
        **columns,
        "cohort": cohort_of[columns["client"]],
        "outage": disconnects["outage"][row],
        "node": np.zeros(started_at.size, dtype=np.uint16),
        "due_at": started_at,
        "started_at": started_at,
        "ended_at": in_seconds(columns["ended_at"]),
    }
    return as_table(ATTEMPTS, _sorted(table, "started_at", "client"))


def _clients(course: Course, cohort_of: NDArray[np.uint16]) -> Columns:
    unobserved = np.full(cohort_of.size, np.nan)
    gave_up_at = unobserved.copy()
    gave_up_at[course.give_ups["client"]] = in_seconds(course.give_ups["gave_up_at"])
    table: dict[str, NDArray[Any]] = {column.name: unobserved for column in CLIENTS.columns}
    table |= {"client": np.arange(cohort_of.size), "cohort": cohort_of, "gave_up_at": gave_up_at}
    return as_table(CLIENTS, table)


def _outages(scenario: Scenario) -> Columns:
    end = scenario.horizon + scenario.grace
    kinds = list(OutageKind)
    windows = [window for window in scenario.windows if window.starts_at <= end]
    return as_table(
        OUTAGES,
        {
            "outage": np.array([window.index for window in windows], dtype=np.int16),
            "kind": np.array([kinds.index(window.kind) for window in windows], dtype=np.uint8),
            "node": np.zeros(len(windows), dtype=np.uint16),
            "starts_at": np.array([window.starts_at for window in windows]),
            "ends_at": np.array(
                [window.ends_at if window.ends_at <= end else np.inf for window in windows]
            ),
        },
    )


def _server(course: Course) -> Columns:
    series = {**course.counts, **course.levels}
    n = max(values.size for values in series.values())
    at = np.arange(n) * (INTERVAL_NS / 1e9)
    return as_table(
        SERVER,
        {
            "at": at,
            "node": np.zeros(n, dtype=np.uint16),
            "dropped": np.full(n, np.nan),
            **series,
        },
    )


def _sorted(table: Mapping[str, NDArray[Any]], first: str, then: str) -> Columns:
    return select(table, np.lexsort((table[then], table[first])))
