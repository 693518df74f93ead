"""What stages did over time, and who was lost though no outage touched them; for figures.

Every series begins at t = 0, as in `simulator.metrics.series`.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from server_stub.intervals import INTERVAL
from server_stub.tables import Columns
from simulator.core.outcomes import Cause
from simulator.metrics.episodes import end_of_observation
from simulator.metrics.series import BIN
from simulator.metrics.stages import rows_of
from simulator.results import RunResult, select

HEALTHY_LOST = (Cause.STARVED, Cause.OVERLOAD)
"""Causes that are no outage but its consequence."""


class JobFate(IntEnum):
    """What became of a job at a stage."""

    USEFUL = 0
    """Served, and somebody waited for it."""
    IN_VAIN = 1
    """Served, and nobody waited for it any more."""
    TURNED_AWAY = 2
    """There was no place for it."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class StageFlow:
    """One stage over time, all nodes together."""

    edges: NDArray[np.float64]
    """Seconds; of the bins, shape (n_bins + 1,)."""
    backlog: NDArray[np.float64]
    """Most jobs waiting in each bin, shape (n_bins,)."""
    by_fate: NDArray[np.float64]
    """Jobs per second, shape (n_fates, n_bins), rows as in `JobFate`."""


def stage_flows(result: RunResult, *, width: float = BIN) -> dict[str, StageFlow]:
    """The stages that had anything to do after t = 0, by name.

    Args:
        result: Any run.
        width: Seconds per bin; not below the 10 ms of the record.
    """
    end = end_of_observation(result)
    at = result.stages["at"]
    seen = select(result.stages, (at >= 0) & (at < end))
    n_bins = max(1, int(np.ceil(round(end / width, 6))))
    flows = {}
    for number, name in enumerate(result.scenario.server.stage_names):
        rows = rows_of(seen, number)
        if rows["arrivals"].any():
            flows[name] = _flow(rows, n_bins, width)
    return flows


def _flow(rows: Columns, n_bins: int, width: float) -> StageFlow:
    bins = np.floor((rows["at"] + INTERVAL / 2) / width).astype(np.intp)
    bins = np.minimum(bins, n_bins - 1)
    useful = rows["completed"].astype(np.float64) - rows["wasted"]
    counts = [
        np.bincount(bins, weights=values, minlength=n_bins)
        for values in (useful, rows["wasted"], rows["rejected"])
    ]
    interval = np.rint(rows["at"] / INTERVAL).astype(np.intp)
    waiting = np.bincount(interval, weights=rows["backlog"])[interval]  # At all nodes together.
    backlog = np.zeros(n_bins)
    np.maximum.at(backlog, bins, waiting)
    return StageFlow(
        edges=np.arange(n_bins + 1, dtype=np.float64) * width,
        backlog=backlog,
        by_fate=np.stack(counts) / width,
    )


def sync_flow(result: RunResult, *, width: float = BIN) -> StageFlow | None:
    """What became of requests to sync at the stages in front of their answers, added up.

    Returns:
        None when there are no such stages, or nobody asked.
    """
    names = {stage.name for stage in result.scenario.server.stages if stage.is_for_syncs}
    flows = [flow for name, flow in stage_flows(result, width=width).items() if name in names]
    if not flows:
        return None
    return StageFlow(
        edges=flows[0].edges,
        backlog=np.sum([flow.backlog for flow in flows], axis=0),
        by_fate=np.sum([flow.by_fate for flow in flows], axis=0),
    )


def healthy_lost_at(result: RunResult) -> NDArray[np.float64]:
    """When connections were lost that no outage broke, in order, shape (n_lost,)."""
    losses = result.disconnects
    at = losses["noticed_at"]
    seen = np.isin(losses["cause"], HEALTHY_LOST) & (at >= 0) & (at <= end_of_observation(result))
    return np.sort(at[seen])
