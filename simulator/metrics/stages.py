"""The stages of a connect: how much each can take, and what came of it."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from server_stub.capacity import Demand, stage_capacity
from server_stub.stages import HANDSHAKE
from server_stub.tables import Columns
from simulator.results import RunResult, select
from simulator.scenario import Scenario


def demand_of(scenario: Scenario) -> Demand:
    """What the connect of an average client needs once the longest outage is over."""
    history = scenario.server.history
    shares = {"none": 0.0, "delta": 0.0, "full": 0.0}
    for cohort in scenario.cohorts:
        shares[cohort.sync] += cohort.share
    longest = max((window.ends_at - window.starts_at for window in scenario.windows), default=0.0)
    n_events = (history.rate or 0.0) * longest
    forgets = scenario.restarts and not history.survives_restart
    if forgets or n_events > (history.max_events or math.inf):
        shares = {"delta": 0.0, "full": shares["full"] + shares["delta"]}
    return Demand(
        is_cold=scenario.restarts,
        delta_share=shares["delta"],
        full_share=shares["full"],
        n_events=n_events,
        n_items=history.snapshot_items,
    )


def stage_capacities(scenario: Scenario) -> dict[str, float]:
    """Connects per second that each stage can take, by name, the server's own workers first."""
    server, demand = scenario.server, demand_of(scenario)
    return {
        HANDSHAKE: server.own_capacity,
        **{
            stage.name: stage_capacity(stage, demand, n_nodes=server.nodes)
            for stage in server.stages
        },
    }


def binding_stage(scenario: Scenario) -> str:
    """The narrowest of all stages, those behind the 101 included; of equals the first."""
    capacities = stage_capacities(scenario)
    return min(capacities, key=capacities.__getitem__)


def rows_of(stages: Columns, stage: int) -> Columns:
    """The part of the `stages` table that is about one of them."""
    return select(stages, stages["stage"] == stage)


def stage_summaries(scenario: Scenario, stages: Columns) -> dict[str, dict[str, Any]]:
    """What came of each stage, by name.

    Args:
        scenario: Whose stages they are.
        stages: The `stages` table, or part of it.

    Returns:
        `capacity` (connects per second; infinite if no connect needs the stage), `arrivals`,
        `completed`, `wasted`, `rejected` (jobs), `peak_backlog` (jobs), and `mean_wait` (seconds
        before a service began; NaN if there was none). Empty without a record.
    """
    if stages["at"].size == 0:
        return {}
    return {
        name: _summary(capacity, rows_of(stages, number))
        for number, (name, capacity) in enumerate(stage_capacities(scenario).items())
    }


def _summary(capacity: float, rows: Columns) -> dict[str, Any]:
    completed = int(rows["completed"].sum())
    return {
        "capacity": capacity,
        **{name: int(rows[name].sum()) for name in ("arrivals", "completed", "wasted", "rejected")},
        "peak_backlog": int(rows["backlog"].max(initial=0)),
        "mean_wait": float(rows["waited"].sum()) / completed if completed else math.nan,
    }


def sync_times(result: RunResult, outages_over_at: float) -> NDArray[np.float64]:
    """How long after the last outage each client knew what it had missed.

    Args:
        result: Any run.
        outages_over_at: Seconds; end of the last outage.

    Returns:
        Seconds, shape (n_clients,): 0 for those that knew it before, infinite for those that were
        not told on their last connection, or lost it again; NaN for those that do not ask.
    """
    asks = np.array([cohort.sync != "none" for cohort in result.scenario.cohorts])
    at = np.nan_to_num(result.clients["synced_at"], nan=np.inf)
    lost_at = np.full(at.size, -np.inf)
    np.maximum.at(lost_at, result.disconnects["client"], result.disconnects["broke_at"])
    at[lost_at > at] = np.inf
    times = np.maximum(at - outages_over_at, 0.0)
    times[~asks[result.clients["cohort"]]] = np.nan
    return times
