"""From what clients and server each wrote down to the tables of a result.

Clients know what they tried and when they noticed a loss; the server knows when and why it broke a
connection. Both read one absolute clock. This joins the two records and sets t = 0.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from server_stub.outage import OutageKind
from server_stub.recorder import NO_OUTAGE
from server_stub.tables import NO_NODE, OUTAGES, SERVER, SERVICES, Columns, Schema
from simulator.accounts import settle_accounts
from simulator.core.outcomes import Cause, NoticedBy, Outcome
from simulator.inference import infer_outages
from simulator.keys import episode_keys, find, find_last, running_maximum
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

_ON_THE_WAY = [code for code, kind in enumerate(OutageKind) if kind.is_on_the_way]
_FORGETS = list(OutageKind).index(OutageKind.IDLE_TIMEOUT)
_CAUSES = {
    OutageKind.GRACEFUL: Cause.GRACEFUL,
    OutageKind.CRASH: Cause.CRASH,
    OutageKind.FREEZE: Cause.FREEZE,
    OutageKind.NETWORK: Cause.NETWORK,
    OutageKind.DRAIN: Cause.DRAIN,
    OutageKind.SLOW: Cause.SERVER_LOST,
    OutageKind.COLD: Cause.GRACEFUL,
    OutageKind.IDLE_TIMEOUT: Cause.IDLE_TIMEOUT,
    OutageKind.SERVER_LOST: Cause.SERVER_LOST,
}
"""What each kind of outage is to a connection that it breaks; a slow server breaks none itself."""


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
    """Each loss with the server's side of it: when it broke, in which outage, from what cause.

    Where there is no record (the server is not ours, or was killed), the loss counts from its
    notice, as part of the server's latest outage: what cuts a path always leaves a record.
    """
    columns, losses = raw.disconnects, raw.losses
    noticed_at = columns["noticed_at"]
    row = _noticed_losses(columns, losses, outages)
    recorded = row >= 0
    of_the_server = ~np.isin(outages["kind"], _ON_THE_WAY)
    broke_at = np.where(recorded, np.append(losses["broke_at"], np.nan)[row], noticed_at)
    outage = np.where(
        recorded,
        np.append(losses["outage"], -1)[row],
        _latest_outage(select(outages, of_the_server), noticed_at),
    )
    cause = np.where(recorded, _causes(outages, outage), Cause.SERVER_LOST)
    cause[recorded & (outage == NO_OUTAGE)] = Cause.LIFETIME
    node = _nodes_left(columns, raw.attempts, scenario)
    return _table(
        DISCONNECTS,
        {**columns, "outage": outage, "broke_at": broke_at, "cause": cause, "node": node},
        by=("noticed_at", "client"),
    )


def _nodes_left(disconnects: Columns, attempts: Columns, scenario: Scenario) -> NDArray[np.uint16]:
    """Where the connection was that each of these ended, shape (n_disconnects,)."""
    connects = select(attempts, attempts["outcome"] == Outcome.CONNECTED)
    row = find(_connection_keys(disconnects), episode_keys(connects))
    if_unknown = NO_NODE if scenario.is_balanced else 0
    return np.append(connects["node"], np.uint16(if_unknown))[row]


def _connection_keys(disconnects: Columns) -> NDArray[np.uint64]:
    """Keys of the episodes that the connections had ended which now are lost."""
    return episode_keys({"client": disconnects["client"], "episode": disconnects["episode"] - 1})


def _noticed_losses(disconnects: Columns, losses: Columns, outages: Columns) -> NDArray[np.intp]:
    """Which record of a connection's break is the one that its client noticed; -1 for none.

    There can be several: a freeze that nobody noticed, then a crash; or a restart behind a path
    that was cut, so that the close frame arrives late or never. A client that was told (by a close
    frame, a reset or an end) was told of the last thing that the server did before. One that
    noticed a silence noticed what began it, so that a break within a longer one is none.

    Args:
        disconnects: The raw ones, n of them.
        losses: The records.
        outages: The finished table.

    Returns:
        Rows of `losses`, shape (n,).
    """
    wanted, keys = _connection_keys(disconnects), episode_keys(losses)

    def last_of(rows: NDArray[np.intp]) -> NDArray[np.intp]:
        found = find_last(
            wanted, disconnects["noticed_at"], keys=keys[rows], at=losses["broke_at"][rows]
        )
        return np.append(rows, -1)[found]

    kind = np.append(outages["kind"], -1)[find(losses["outage"], outages["outage"])]
    told = last_of(np.flatnonzero(~np.isin(kind, _ON_THE_WAY)))
    silent_since = last_of(np.flatnonzero(~_within_another(losses, outages)))
    broke_at = np.append(losses["broke_at"], -np.inf)
    was_told = ~np.isin(disconnects["noticed_by"], (NoticedBy.HEARTBEAT, NoticedBy.OFFLINE))
    return np.where(was_told & (broke_at[told] >= broke_at[silent_since]), told, silent_since)


def _within_another(losses: Columns, outages: Columns) -> NDArray[np.bool_]:
    """Whether a connection was broken by an earlier outage that was still on, shape (n_losses,).

    To a connection that was forgotten, the middlebox that forgot it is never well again.
    """
    ends_at = np.full(outages["outage"].max(initial=-1) + 2, -np.inf)  # The last is for none: -1.
    healed_at = np.where(outages["kind"] == _FORGETS, np.inf, outages["ends_at"])
    np.maximum.at(ends_at, outages["outage"], healed_at)
    keys = episode_keys(losses)
    order = np.lexsort([losses["broke_at"], keys])
    latest_end = running_maximum(ends_at[losses["outage"][order]], keys[order])
    follows = np.diff(keys[order], prepend=np.uint64(0)) == 0
    follows[:1] = False
    within = np.empty(order.size, dtype=np.bool_)
    within[order] = follows & (losses["broke_at"][order] < np.roll(latest_end, 1))
    return within


def _latest_outage(outages: Columns, at: NDArray[np.float64]) -> NDArray[np.integer]:
    """Index of the outage that was the last to start before each instant; -1 before the first."""
    order = np.argsort(outages["starts_at"], kind="stable")
    started = np.searchsorted(outages["starts_at"][order], at, side="right")
    latest: NDArray[np.integer] = np.append(outages["outage"][order], -1)[started - 1]
    return latest


def _causes(outages: Columns, outage: NDArray[np.integer]) -> NDArray[np.uint8]:
    """The cause that each of these outages is; none that is known is a lost server."""
    of_kind = np.array([_CAUSES[kind] for kind in OutageKind], dtype=np.uint8)
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
