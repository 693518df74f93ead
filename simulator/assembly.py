"""From what clients and server each wrote down to the tables of a result.

Clients know what they tried and when they noticed a loss; the server knows when and why it broke a
connection. Both read one absolute clock. This joins the two records and sets t = 0.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from server_stub.outage import OutageKind
from server_stub.tables import OUTAGES, SERVER, SERVICES, Columns, Schema
from simulator.core.outcomes import Cause
from simulator.keys import episode_keys, find, find_last
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
    outages = _outages(raw, scenario)
    disconnects = _disconnects(raw, outages)
    return RunResult(
        manifest=manifest,
        scenario=scenario,
        attempts=_attempts(raw.attempts, disconnects, cohort_of),
        disconnects=disconnects,
        clients=_clients(raw.give_ups, cohort_of),
        outages=outages,
        server=_table(SERVER, raw.server, by=("at", "node")),
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

    A server notes an outage down when it is over. If the server was killed before, the schedule
    knows the kind, and the first connection lost stands for the start.
    """
    kinds = {window.index: list(OutageKind).index(window.kind) for window in scenario.windows}
    noted, broken = raw.outages, raw.losses["outage"]
    missing = np.intersect1d(np.setdiff1d(broken, noted["outage"]), list(kinds)).tolist()
    under_way: dict[str, list[Any]] = {
        "outage": missing,
        "kind": [kinds[outage] for outage in missing],
        "node": [0 for _ in missing],
        "starts_at": [raw.losses["broke_at"][broken == outage].min() for outage in missing],
        "ends_at": [np.inf for _ in missing],
    }
    columns = {name: np.append(noted[name], rows) for name, rows in under_way.items()}
    return _table(OUTAGES, columns, by=("outage", "node"))


def _disconnects(raw: RawTables, outages: Columns) -> Columns:
    """Each loss with the server's side of it: when it broke, in which outage, from what cause.

    The server may record more than one break of a connection: a freeze that nobody noticed, then
    a crash. The last one before the client noticed is what it noticed. Where there is none (the
    server is not ours, or was killed), the loss counts from its notice, as part of the latest
    outage.
    """
    columns, losses = raw.disconnects, raw.losses
    noticed_at = columns["noticed_at"]
    connection = {"client": columns["client"], "episode": columns["episode"] - 1}
    row = find_last(
        episode_keys(connection), noticed_at, keys=episode_keys(losses), at=losses["broke_at"]
    )
    recorded = row >= 0
    broke_at = np.where(recorded, np.append(losses["broke_at"], np.nan)[row], noticed_at)
    outage = np.where(
        recorded, np.append(losses["outage"], -1)[row], _latest_outage(outages, noticed_at)
    )
    cause = np.where(recorded, _causes(outages, outage), Cause.SERVER_LOST)
    return _table(
        DISCONNECTS,
        {**columns, "outage": outage, "broke_at": broke_at, "cause": cause},
        by=("noticed_at", "client"),
    )


def _latest_outage(outages: Columns, at: NDArray[np.float64]) -> NDArray[np.integer]:
    """Index of the outage that was the last to start before each instant; -1 before the first."""
    order = np.argsort(outages["starts_at"], kind="stable")
    started = np.searchsorted(outages["starts_at"][order], at, side="right")
    latest: NDArray[np.integer] = np.append(outages["outage"][order], -1)[started - 1]
    return latest


def _causes(outages: Columns, outage: NDArray[np.integer]) -> NDArray[np.uint8]:
    """The cause that each of these outages is; none that is known is a lost server."""
    of_kind = np.array([Cause[kind.name] for kind in OutageKind], dtype=np.uint8)
    causes = np.append(of_kind[outages["kind"]], np.uint8(Cause.SERVER_LOST))
    return causes[find(outage, outages["outage"])]


def _attempts(raw: Columns, disconnects: Columns, cohort_of: NDArray[np.uint16]) -> Columns:
    """Attempts with their cohort and with the outage that began their episode; -1 in the ramp."""
    row = find(episode_keys(raw), episode_keys(disconnects))
    columns = {
        **raw,
        "cohort": cohort_of[raw["client"]],
        "outage": np.append(disconnects["outage"], -1)[row],
    }
    return _table(ATTEMPTS, columns, by=("started_at", "client"))


def _clients(give_ups: Columns, cohort_of: NDArray[np.uint16]) -> Columns:
    """One row per client; what nobody observes yet is NaN or 0."""
    n_clients = cohort_of.size
    unobserved = {
        column.name: np.full(n_clients, np.nan if column.dtype == "f8" else 0, column.dtype)
        for column in CLIENTS.columns
    }
    gave_up_at = np.full(n_clients, np.nan)
    gave_up_at[give_ups["client"]] = give_ups["gave_up_at"]
    columns: Columns = {
        "client": np.arange(n_clients),
        "cohort": cohort_of,
        "gave_up_at": gave_up_at,
    }
    return as_table(CLIENTS, {**unobserved, **columns})
