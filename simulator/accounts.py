"""What came of each client's events and operations, from the records of both sides.

A client knows what it heard and which operations still wait; the server knows what it published and
what it applied. A process that was killed leaves no account of its clients: their counts are NaN.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from server_stub.tables import Columns
from simulator.core.outcomes import Outcome
from simulator.keys import find
from simulator.raw_tables import RawTables

Counts = NDArray[np.float64]


def settle_accounts(raw: RawTables, *, syncs: NDArray[np.bool_]) -> Mapping[str, NDArray[Any]]:
    """The columns of the `clients` table that stand in the accounts.

    Args:
        raw: The records.
        syncs: Whether each client fetches what it missed, shape (n_clients,).

    Returns:
        By name, each of shape (n_clients,).
    """
    row = find(np.arange(syncs.size), raw.accounts["client"])
    account = {
        name: np.append(values.astype(np.float64), np.nan)[row]
        for name, values in raw.accounts.items()
    }
    return {
        **{name: account[name] for name in ("synced_at", "n_delta_sync", "n_full_refresh")},
        "n_events_missed": np.where(syncs, 0.0, 1.0) * _missed(raw, account),
        "n_operations": account["n_operations"],
        **_operations(raw.tallies, account),
    }


def _missed(raw: RawTables, account: Mapping[str, Counts]) -> Counts:
    """Events that were published and never reached a client which fetches nothing.

    All clients were connected when the first event was published. One that is connected at the end
    has missed what it did not hear of, up to the last event that it heard, or to its last connect
    if that was later: what has been published since is on its way. One that is not has missed
    everything that it did not hear of.
    """
    published_at = np.sort(raw.publications["at"])
    connected_at, is_connected = _connections(raw, account["n_heard"].size)
    heard_until = _place(account, raw.publications)
    known = np.maximum(heard_until, np.searchsorted(published_at, connected_at, side="left"))
    missed: Counts = np.where(is_connected, known, published_at.size) - account["n_heard"]
    return missed


def _connections(raw: RawTables, n_clients: int) -> tuple[Counts, NDArray[np.bool_]]:
    """When each client last connected, and whether it still believed to be at the end."""
    made = raw.attempts["outcome"] == Outcome.CONNECTED
    client = raw.attempts["client"][made]
    connected_at = np.full(n_clients, -np.inf)
    np.maximum.at(connected_at, client, raw.attempts["ended_at"][made])
    n_made = np.bincount(client, minlength=n_clients)
    return connected_at, n_made > np.bincount(raw.disconnects["client"], minlength=n_clients)


def _place(account: Mapping[str, Counts], publications: Columns) -> NDArray[np.intp]:
    """How many events had been published when the last that each client heard was."""
    order = np.lexsort([publications["event"], publications["epoch"]])
    epochs = publications["epoch"][order]
    heard = np.nan_to_num(account["epoch"])
    # Ids of an epoch are consecutive from 1, so that an event stands so far behind the first one.
    return np.searchsorted(epochs, heard, side="left") + np.nan_to_num(account["event"]).astype(
        np.intp
    )


def _operations(tallies: Columns, account: Mapping[str, Counts]) -> Mapping[str, Counts]:
    """What became of the operations that the server has answered.

    The one that a client has sent last may have been applied although it still waits for the
    answer. It then stands in both counts, and would hide the loss of another one.
    """
    row = find(np.arange(account["n_operations"].size), tallies["client"])
    n_applied, n_reapplied = (
        np.append(tallies[name].astype(np.float64), 0.0)[row]
        for name in ("n_applied", "n_reapplied")
    )
    n_done = account["n_operations"] - account["n_unanswered"] - account["n_set_aside"]
    if not tallies["client"].size and np.nansum(n_done):
        unknown = np.full(n_done.size, np.nan)  # The server was killed, and its books are gone.
        return {"n_operations_lost": unknown, "n_operations_duplicated": unknown}
    return {
        "n_operations_lost": np.maximum(n_done - n_applied, 0.0),
        "n_operations_duplicated": np.where(np.isnan(n_done), np.nan, n_reapplied),
    }
