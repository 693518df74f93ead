"""How fast things happened at worst: the busiest sliding window, scaled to a second."""

import numpy as np
from numpy.typing import NDArray

from server_stub.outage import OutageKind
from server_stub.recorder import INTERVAL
from server_stub.tables import Columns


def peak_arrival_rate_up(server: Columns, outages: Columns, window: float) -> float:
    """Most arrivals, at all nodes together, in any window of intervals, per second.

    An interval during the whole of which its node was down does not count.

    Args:
        server: The `server` table, or part of it.
        outages: The `outages` table.
        window: Seconds; a multiple of the table's interval.
    """
    up = ~_while_down(server, outages)
    instants, arrivals = server["at"][up], server["arrivals"][up].astype(np.int64)
    return peak_count(instants, arrivals, window) / window


def peak_count(at: NDArray[np.float64], counts: NDArray[np.integer], window: float) -> float:
    """The most that was counted in any window of consecutive intervals.

    Args:
        at: Seconds; starts of intervals of 10 ms, in any order, as often as one likes, shape (n,).
        counts: What was counted in each, shape (n,).
        window: Seconds; a multiple of the interval.
    """
    if at.size == 0:
        return 0.0
    interval = np.rint((at - at.min()) / INTERVAL).astype(np.int64)
    per_interval = np.bincount(interval, weights=counts)
    total = np.concatenate([[0.0], np.cumsum(per_interval)])
    n_intervals = min(round(window / INTERVAL), per_interval.size)
    return float((total[n_intervals:] - total[:-n_intervals]).max())


def _while_down(server: Columns, outages: Columns) -> NDArray[np.bool_]:
    """Whether an interval lies wholly within an outage of its node, shape (n_rows,).

    No node is down because paths to it are cut, or because it is slow.
    """
    down = np.zeros(server["at"].size, dtype=np.bool_)
    columns = (outages[name] for name in ("kind", "node", "starts_at", "ends_at"))
    for kind, node, starts_at, ends_at in zip(*columns, strict=True):
        if not list(OutageKind)[kind].stops_the_node:
            continue
        within = (server["at"] >= starts_at) & (server["at"] + INTERVAL <= ends_at)
        down |= within & (server["node"] == node)
    return down
