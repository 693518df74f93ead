"""From a course in nanoseconds to the tables of a result in seconds."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from server_stub.outage import OutageKind
from server_stub.stages import Stage
from server_stub.tables import NO_NODE, OUTAGES, SERVER, SERVICES, STAGES, Columns
from simulator.core.outcomes import Cause
from simulator.engines.model.course import (
    INTERVAL_NS,
    Course,
    CourseDigest,
    RateKey,
    Series,
    Table,
)
from simulator.engines.model.dealing import Nodes
from simulator.engines.model.instants import in_seconds
from simulator.engines.model.node_numbers import node_numbers
from simulator.engines.model.schedule import nodes_hit
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
    held_by, went_to = node_numbers(scenario, course, cohort_of)
    disconnects = _disconnects(course, scenario, held_by)
    digest = None
    if course.digest is not None:
        digest = _digest(course, course.digest, scenario, cohort_of)
        disconnects = DISCONNECTS.empty()
    return RunResult(
        manifest=manifest.model_copy(update={"attempts_recorded": digest is None}),
        scenario=scenario,
        attempts=_attempts(course, disconnects, cohort_of, went_to),
        disconnects=disconnects,
        clients=_clients(course, cohort_of),
        outages=_outages(scenario),
        server=_server(course),
        stages=_stages(course, scenario.server.stages),
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


def _disconnects(course: Course, scenario: Scenario, node: Nodes) -> Columns:
    columns = course.losses
    table: dict[str, NDArray[Any]] = {
        **columns,
        "broke_at": in_seconds(columns["broke_at"]),
        "noticed_at": in_seconds(columns["noticed_at"]),
        "cause": _causes(scenario)[columns["outage"]],
        "node": node,
    }
    return as_table(DISCONNECTS, _sorted(table, "noticed_at", "client"))


def _causes(scenario: Scenario) -> NDArray[np.uint8]:
    """What each outage is to a connection that it breaks, by its index."""
    causes = np.zeros(1 + max((window.index for window in scenario.windows), default=0), np.uint8)
    for window in scenario.windows:
        if window.kind.breaks_connections:
            is_cold = window.kind is OutageKind.COLD  # To a connection, a restart like others.
            causes[window.index] = Cause.GRACEFUL if is_cold else Cause[window.kind.name]
    return causes


def _attempts(
    course: Course, disconnects: Columns, cohort_of: NDArray[np.uint16], node: Nodes
) -> Columns:
    columns = course.attempts
    started_at = in_seconds(columns["due_at"])
    row = find(_keys(columns), episode_keys(disconnects))
    table = {
        **columns,
        "cohort": cohort_of[columns["client"]],
        "outage": disconnects["outage"][row],
        "node": node,
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
    rows = [
        (window.index, kinds.index(window.kind), node, window.starts_at, window.ends_at)
        for window in scenario.windows
        if window.starts_at <= end
        for node in ([0] if window.kind.is_on_the_way else nodes_hit(window, scenario.server.nodes))
    ]
    columns = np.array(rows, dtype=np.float64).reshape(-1, 5).T
    table = dict(zip(("outage", "kind", "node", "starts_at", "ends_at"), columns, strict=True))
    table["ends_at"] = np.where(table["ends_at"] <= end, table["ends_at"], np.inf)
    return as_table(OUTAGES, table)


def _server(course: Course) -> Columns:
    series = {**course.counts, **course.levels}
    grid = _grid(next(iter(series.values())), together=course.together)
    nobody = np.zeros(grid["at"].size, dtype=np.uint32)
    never = {column.name: nobody for column in SERVER.columns}  # What the model does not have.
    unseen = np.full(nobody.size, np.nan)
    found = {name: _by_interval(values) for name, values in series.items()}
    return as_table(SERVER, {**never, **grid, "dropped": unseen, **found})


def _stages(course: Course, stages: Sequence[Stage]) -> Columns:
    is_shared = [stage.shared for stage in stages]
    parts: list[dict[str, NDArray[Any]]] = []
    for number, series in course.stages.items():
        together = course.together and not (number and is_shared[number - 1])
        grid = _grid(series["arrivals"], together=together)
        columns = {name: _by_interval(values) for name, values in series.items()}
        columns["waited"] = columns["waited"] / 1e9
        stage = np.full(grid["at"].size, number)
        parts.append({**grid, "stage": stage, **columns})
    if not parts:
        return STAGES.empty()
    table = {
        column.name: np.concatenate([part[column.name] for part in parts])
        for column in STAGES.columns
    }
    return as_table(STAGES, _sorted(table, "at", "stage"))


def _grid(series: Series, *, together: bool) -> dict[str, NDArray[Any]]:
    """The interval and the node of each row, interval by interval."""
    rows = np.atleast_2d(series)
    nodes = np.arange(rows.shape[0], dtype=np.uint16)
    at = np.arange(rows.shape[1]) * (INTERVAL_NS / 1e9)
    if together:
        nodes[:] = NO_NODE
    return {"at": np.repeat(at, nodes.size), "node": np.tile(nodes, at.size)}


def _by_interval(series: Series) -> NDArray[Any]:
    return np.atleast_2d(series).T.ravel()


def _sorted(table: Mapping[str, NDArray[Any]], first: str, then: str) -> Columns:
    return select(table, np.lexsort((table[then], table[first])))
