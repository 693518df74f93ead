"""From what clients and server each wrote down to the tables of a result.

Clients know what they tried and when they noticed a loss; the server knows when and why it broke a
connection. Both read one absolute clock. This joins the two records and sets t = 0.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from server_stub.outage import OutageKind
from server_stub.tables import NO_NODE, OUTAGES, SERVER, SERVICES, STAGES, Columns, Schema
from simulator.accounts import settle_accounts
from simulator.breaks import breaks_of, connection_keys
from simulator.core.outcomes import Outcome
from simulator.inference import infer_outages
from simulator.keys import episode_keys, find
from simulator.raw_tables import RAW_TABLES, RawTables
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


def assemble(
    raw: RawTables,
    *,
    manifest: Manifest,
    scenario: Scenario,
    cohort_of: NDArray[np.uint16],
) -> RunResult:
    """Join the records of clients and server into a result.

    Args:
        raw: The records, in any order.
        manifest: Gives t = 0. Without an origin the run was cut off in its ramp: then the last
            instant on record is t = 0. Without an end of observation, it ends with the records.
        scenario: What was run.
        cohort_of: Index of each client's cohort, shape (n_clients,).

    Returns:
        The result; attempts are sorted by start, then by client.
    """
    last = _last_instant(raw)
    origin = last if manifest.origin is None else manifest.origin
    raw = _shifted(raw, -origin)
    if manifest.observed_until is None:
        manifest = manifest.model_copy(update={"observed_until": last - origin})
    if manifest.target is None:
        outages = _outages(raw, scenario)
    else:
        outages = _inferred_outages(raw, scenario, cohort_of)
    disconnects = _disconnects(raw, outages, scenario)
    return RunResult(
        manifest=manifest,
        scenario=scenario,
        attempts=_attempts(raw.attempts, disconnects, cohort_of),
        disconnects=disconnects,
        clients=_clients(raw, scenario, cohort_of),
        outages=outages,
        server=_table(SERVER, raw.server, by=("at", "node")),
        stages=_table(STAGES, raw.stages, by=("at", "node", "stage")),
        services=_table(SERVICES, raw.services, by=("at",)),
    )


def _table(schema: Schema, columns: Columns, *, by: Sequence[str]) -> Columns:
    """A finished table, its rows in the order of these columns."""
    order = np.lexsort([columns[name] for name in reversed(by)])
    return as_table(schema, select(columns, order))


def _instants(schema: Schema) -> tuple[str, ...]:
    """Names of the columns that hold an instant; all are called `at`, or end in `_at`."""
    return tuple(column.name for column in schema.columns if column.name.split("_")[-1] == "at")


def _last_instant(raw: RawTables) -> float:
    """Seconds; the latest instant on record, 0 when there is none."""
    instants = np.concatenate(
        [getattr(raw, name)[at] for name, schema in RAW_TABLES.items() for at in _instants(schema)]
    )
    instants = instants[np.isfinite(instants)]
    return float(instants.max()) if instants.size else 0.0


def _shifted(raw: RawTables, by: float) -> RawTables:
    """The same records on a clock that shows that many seconds more."""

    def shifted(columns: Columns, schema: Schema) -> Columns:
        return {**columns, **{at: columns[at] + by for at in _instants(schema)}}

    return RawTables(
        **{name: shifted(getattr(raw, name), schema) for name, schema in RAW_TABLES.items()}
    )


def _outages(raw: RawTables, scenario: Scenario) -> Columns:
    """The recorded outages, and those that broke connections but had not ended at the last record.

    A node notes an outage down when it is over. If the server was killed before, the schedule
    knows the kind, and the first connection lost stands for the start.
    """
    kinds = {window.index: list(OutageKind).index(window.kind) for window in scenario.windows}
    noted, losses = raw.outages, raw.losses
    # What happens on the way stands in the books of the first node.
    node_of = np.where(losses["node"] == NO_NODE, 0, losses["node"])
    known = set(zip(noted["outage"].tolist(), noted["node"].tolist(), strict=True))
    broken = set(zip(losses["outage"].tolist(), node_of.tolist(), strict=True))
    missing = sorted((outage, node) for outage, node in broken - known if outage in kinds)
    under_way: dict[str, list[Any]] = {
        "outage": [outage for outage, _ in missing],
        "kind": [kinds[outage] for outage, _ in missing],
        "node": [node for _, node in missing],
        "starts_at": [
            losses["broke_at"][(losses["outage"] == outage) & (node_of == node)].min()
            for outage, node in missing
        ],
        "ends_at": [np.inf for _ in missing],
    }
    columns = {name: np.append(noted[name], rows) for name, rows in under_way.items()}
    return _table(OUTAGES, columns, by=("outage", "node"))


def _inferred_outages(raw: RawTables, scenario: Scenario, cohort_of: NDArray[np.uint16]) -> Columns:
    """The outages of a server that keeps no record for us, by what its clients saw."""
    beats = [cohort.heartbeat for cohort in scenario.cohorts]
    intervals = np.array([0.0 if beat is None else beat.interval for beat in beats])
    waves = infer_outages(raw.attempts, raw.disconnects, intervals[cohort_of])
    return as_table(
        OUTAGES,
        {
            "outage": np.arange(len(waves)),
            "kind": np.full(len(waves), list(OutageKind).index(OutageKind.SERVER_LOST)),
            "node": np.zeros(len(waves)),
            "starts_at": np.array([wave.starts_at for wave in waves], dtype=np.float64),
            "ends_at": np.array([wave.ends_at for wave in waves], dtype=np.float64),
        },
    )


def _disconnects(raw: RawTables, outages: Columns, scenario: Scenario) -> Columns:
    """Each loss with the server's side of it: when it broke, in which outage, from what cause."""
    columns = raw.disconnects
    breaks = breaks_of(
        columns,
        raw.losses,
        outages,
        keeps_books=raw.server["at"].size > 0,
        limits_age=scenario.server.max_connection_age is not None,
    )
    node = _nodes_left(columns, raw.attempts, scenario)
    return _table(DISCONNECTS, {**columns, **breaks, "node": node}, by=("noticed_at", "client"))


def _nodes_left(disconnects: Columns, attempts: Columns, scenario: Scenario) -> NDArray[np.uint16]:
    """Where the connection was that each of these ended, shape (n_disconnects,)."""
    connects = select(attempts, attempts["outcome"] == Outcome.CONNECTED)
    row = find(connection_keys(disconnects), episode_keys(connects))
    if_unknown = NO_NODE if scenario.is_balanced else 0
    return np.append(connects["node"], np.uint16(if_unknown))[row]


def _attempts(raw: Columns, disconnects: Columns, cohort_of: NDArray[np.uint16]) -> Columns:
    """Attempts with their cohort and with the outage that began their episode; -1 in the ramp."""
    row = find(episode_keys(raw), episode_keys(disconnects))
    columns = {
        **raw,
        "cohort": cohort_of[raw["client"]],
        "outage": np.append(disconnects["outage"], -1)[row],
    }
    return _table(ATTEMPTS, columns, by=("started_at", "client"))


def _clients(raw: RawTables, scenario: Scenario, cohort_of: NDArray[np.uint16]) -> Columns:
    """One row per client; what nobody observed is NaN."""
    gave_up_at = np.full(cohort_of.size, np.nan)
    gave_up_at[raw.give_ups["client"]] = raw.give_ups["gave_up_at"]
    syncs = np.array([cohort.sync != "none" for cohort in scenario.cohorts])[cohort_of]
    return as_table(
        CLIENTS,
        {
            "client": np.arange(cohort_of.size),
            "cohort": cohort_of,
            "gave_up_at": gave_up_at,
            **settle_accounts(raw, syncs=syncs),
        },
    )
