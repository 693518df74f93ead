"""From a course in nanoseconds to the tables of a result in seconds."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from server_stub.outage import OutageKind
from server_stub.tables import OUTAGES, SERVER, SERVICES, Columns
from simulator.core.outcomes import Cause
from simulator.engines.model.course import INTERVAL_NS, Course, CourseDigest, RateKey, Table
from simulator.engines.model.instants import in_seconds
from simulator.keys import episode_keys, find
from simulator.results import (
    ATTEMPTS,
    CLIENTS,
    DISCONNECTS,
    EPISODES,
    RATES,
    Digest,
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
    digest = None
    if course.digest is not None:
        digest = _digest(course, course.digest, scenario, cohort_of)
        disconnects = DISCONNECTS.empty()
    return RunResult(
        manifest=manifest.model_copy(update={"attempts_recorded": digest is None}),
        scenario=scenario,
        attempts=_attempts(course, disconnects, cohort_of),
        disconnects=disconnects,
        clients=_clients(course, cohort_of),
        outages=_outages(scenario),
        server=_server(course),
        services=SERVICES.empty(),
        digest=digest,
    )


def _digest(
    course: Course, digest: CourseDigest, scenario: Scenario, cohort_of: NDArray[np.uint16]
) -> Digest:
    """What is left of a run whose attempts were too many."""
    losses, recovered = course.losses, digest.recovered
    row = find(_keys(losses), _keys(recovered))
    recovered_at = np.append(in_seconds(recovered["recovered_at"]), np.inf)
    episodes = {
        **losses,
        "cohort": cohort_of[losses["client"]],
        "broke_at": in_seconds(losses["broke_at"]),
        "noticed_at": in_seconds(losses["noticed_at"]),
        "recovered_at": recovered_at[row],
        "cause": _causes(scenario)[losses["outage"]],
        "n_attempts": np.append(recovered["n_attempts"], np.uint32(0))[row],
    }
    return Digest(
        episodes=as_table(EPISODES, _sorted(episodes, "noticed_at", "client")),
        rates=_rates(digest.rates),
    )


def _rates(counted: Mapping[RateKey, NDArray[np.int64]]) -> Columns:
    """A row for each interval in which attempts of a kind were started."""
    columns: dict[str, list[NDArray[Any]]] = {column.name: [] for column in RATES.columns}
    for (outage, cohort, outcome), counts in sorted(counted.items()):
        interval = np.flatnonzero(counts)
        at = interval * (INTERVAL_NS / 1e9)
        row: tuple[Any, ...] = (at, outage, cohort, outcome, counts[interval])
        for values, cells in zip(columns.values(), row, strict=True):
            values.append(np.broadcast_to(cells, interval.shape))
    table = {
        name: np.concatenate(values) if values else np.empty(0) for name, values in columns.items()
    }
    order = np.argsort(table["at"], kind="stable")
    return as_table(RATES, select(table, order))


def _keys(columns: Table) -> NDArray[np.uint64]:
    return episode_keys({name: columns[name].astype("u4") for name in ("client", "episode")})


def _disconnects(course: Course, scenario: Scenario) -> Columns:
    columns = course.losses
    table: dict[str, NDArray[Any]] = {
        **columns,
        "broke_at": in_seconds(columns["broke_at"]),
        "noticed_at": in_seconds(columns["noticed_at"]),
        "cause": _causes(scenario)[columns["outage"]],
        "node": np.zeros(columns["client"].size, dtype=np.uint16),
    }
    return as_table(DISCONNECTS, _sorted(table, "noticed_at", "client"))


def _causes(scenario: Scenario) -> NDArray[np.uint8]:
    """What each outage is to a connection that it breaks, by its index."""
    causes = np.zeros(1 + max((window.index for window in scenario.windows), default=0), np.uint8)
    for window in scenario.windows:
        causes[window.index] = Cause[window.kind.name]
    return causes


def _attempts(course: Course, disconnects: Columns, cohort_of: NDArray[np.uint16]) -> Columns:
    columns = course.attempts
    started_at = in_seconds(columns["due_at"])
    row = find(_keys(columns), episode_keys(disconnects))
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
    nobody = np.zeros(n, dtype=np.uint32)
    never = {column.name: nobody for column in SERVER.columns}  # What the model does not have.
    return as_table(SERVER, {**never, "at": at, "dropped": np.full(n, np.nan), **series})


def _sorted(table: Mapping[str, NDArray[Any]], first: str, then: str) -> Columns:
    return select(table, np.lexsort((table[then], table[first])))
