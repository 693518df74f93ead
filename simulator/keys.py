"""Joining tables on (client, episode), and going through them client by client."""

import numpy as np
from numpy.typing import NDArray

from server_stub.tables import Columns


def episode_keys(columns: Columns) -> NDArray[np.uint64]:
    """One number per row that stands for its client and episode.

    Args:
        columns: A table with the columns `client` and `episode`.

    Returns:
        Keys that sort by client, then by episode, shape (n_rows,).
    """
    return (columns["client"].astype(np.uint64) << np.uint64(32)) | columns["episode"]


def find(wanted: NDArray[np.integer], keys: NDArray[np.integer]) -> NDArray[np.intp]:
    """Where each wanted key stands, the first of equal ones; -1 where it does not.

    Args:
        wanted: Keys to look up, shape (n,).
        keys: Keys to look among, in any order, shape (m,).

    Returns:
        Indices into `keys`, shape (n,).
    """
    if keys.size == 0:
        return np.full(wanted.size, -1, dtype=np.intp)
    order = np.argsort(keys, kind="stable")
    rank = np.searchsorted(keys, wanted, sorter=order)
    candidate = order[np.minimum(rank, keys.size - 1)]
    return np.where(keys[candidate] == wanted, candidate, -1)


def find_last(
    wanted: NDArray[np.uint64],
    wanted_at: NDArray[np.float64],
    *,
    keys: NDArray[np.uint64],
    at: NDArray[np.float64],
) -> NDArray[np.intp]:
    """Where each wanted key last stands at or before an instant; -1 where it does not.

    Args:
        wanted: Keys to look up, shape (n,).
        wanted_at: The instant for each, shape (n,).
        keys: Keys to look among, in any order, shape (m,).
        at: The instant of each of these, shape (m,).

    Returns:
        Indices into `keys`, shape (n,).
    """
    all_keys = np.append(keys, wanted)
    is_wanted = np.arange(all_keys.size) >= keys.size
    order = np.lexsort([is_wanted, np.append(at, wanted_at), all_keys])
    positions = np.where(is_wanted[order], -1, np.arange(order.size))
    latest = np.maximum.accumulate(positions)
    candidate = np.where(latest >= 0, order[latest], -1)
    same_key = (candidate >= 0) & (all_keys[candidate] == all_keys[order])
    rows = np.empty(order.size, dtype=np.intp)
    rows[order] = np.where(same_key, candidate, -1)
    return rows[keys.size :]


def running_maximum(
    values: NDArray[np.float64], groups: NDArray[np.integer]
) -> NDArray[np.float64]:
    """The largest value so far within each group.

    Args:
        values: No NaN, shape (n,).
        groups: Whose each value is, sorted, shape (n,).
    """
    levels, rank = np.unique(values, return_inverse=True)
    first_rank = np.cumsum(np.diff(groups, prepend=groups[:1]) != 0) * levels.size
    largest: NDArray[np.float64] = levels[np.maximum.accumulate(first_rank + rank) - first_rank]
    return largest
