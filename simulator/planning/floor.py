"""What no policy can change: the fastest possible recovery, held against the objectives.

After an outage that nobody was served in, n clients are back no sooner than n / C, with C connects
per second through the narrowest stage; so a share q of them no sooner than q n / C. Where that
alone is more than an objective allows, no run is needed to know that it is missed.
"""

import math
import re
from collections.abc import Iterable

from simulator.planning.changes import capacity_of
from simulator.planning.objective import Goal
from simulator.scenario import Scenario

_METRIC = re.compile(r"time_to_recovery_p(\d+)")
_MARGIN = 0.02
_DEVIATIONS = 2.0
"""By how much a herd of n may come below its floor by luck: a share, and so many / sqrt(n) more."""


def forbids(goals: Iterable[Goal], scenario: Scenario) -> Goal | None:
    """An objective that cannot be met at this capacity, whatever the policy; None if none is known.

    Args:
        goals: The objectives.
        scenario: The herd and the server.
    """
    goals = list(goals)
    capacity = capacity_of(scenario)
    needed = {goal.text: _least_capacity(goal, scenario) for goal in goals}
    worst = max(goals, key=lambda goal: needed[goal.text])
    return worst if needed[worst.text] > capacity else None


def least_capacity(goals: Iterable[Goal], scenario: Scenario) -> float:
    """Connects per second below which the objectives cannot be met; 0 if nothing is known."""
    return max(_least_capacity(goal, scenario) for goal in goals)


def _least_capacity(goal: Goal, scenario: Scenario) -> float:
    found = _METRIC.fullmatch(goal.metric)
    bounded = found is not None and goal.limit is not None and goal.condition.op in ("<", "<=")
    if found is None or not bounded or not goal.limit or not _all_are_lost(scenario):
        return 0.0
    n = scenario.n_clients * int(found.group(1)) / 100
    return n / goal.limit / (1 + _MARGIN + _DEVIATIONS / math.sqrt(n))


def _all_are_lost(scenario: Scenario) -> bool:
    """Is there an outage that disconnects everybody, and in which nobody is let in?"""
    n_nodes = scenario.server.nodes
    return any(
        outage.kind.is_restart and len(set(outage.nodes or range(n_nodes))) == n_nodes
        for outage in scenario.outage
    )
