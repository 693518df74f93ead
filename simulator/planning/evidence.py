"""What a setting comes to under several seeds: shares and means with their intervals."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from simulator.intervals import mean_of, wilson
from simulator.plan_results import Evidence, Number
from simulator.planning.objective import Goal

_ALWAYS = (
    *("time_to_recovery_p50", "time_to_recovery_p95", "time_to_recovery_p99"),
    *("time_to_recovery_p100", "reconnect_time_p99", "peak_arrival_rate_up_1s"),
    *("peak_attempt_rate_1s", "amplification", "wasted_share", "recovered_share"),
)
"""Metrics that are kept whatever the objectives."""


def evidence_of(
    goals: Sequence[Goal],
    summaries: Sequence[Mapping[str, Any]],
    *,
    seeds: Sequence[int],
    n_clients: int,
    scale: float,
) -> Evidence:
    """Sum up runs that differ in nothing but their seed.

    Args:
        goals: What they are held to.
        summaries: Of the runs, in figures of the whole herd, in the order of the seeds.
        seeds: Theirs.
        n_clients: Of the herd that was run.
        scale: How many clients each of them stands for.

    Raises:
        InputError: An objective's metric was not measured.
    """
    met = {goal.text: tuple(goal.is_met(summary) for summary in summaries) for goal in goals}
    n_met = sum(all(row) for row in zip(*met.values(), strict=True))
    share = wilson(n_met, len(seeds))
    metrics = dict(_metrics(goals, summaries))
    return Evidence(
        n_clients=n_clients,
        scale=scale,
        seeds=tuple(seeds),
        metrics=metrics,
        met=met,
        n_met=n_met,
        met_interval=(share.low, share.high),
        n_recovered=sum(summary["recovered_share"] == 1 for summary in summaries),
        means=dict(_means(metrics)),
    )


def _metrics(
    goals: Sequence[Goal], summaries: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str, tuple[Number, ...]]]:
    for name in _ALWAYS:
        yield name, tuple(summary[name] for summary in summaries)
    for goal in goals:
        values = [goal.value(summary) for summary in summaries]
        yield goal.metric, tuple(value if math.isfinite(value) else None for value in values)


def _means(
    metrics: Mapping[str, tuple[Number, ...]],
) -> Iterator[tuple[str, tuple[float, float, float]]]:
    for name, values in metrics.items():
        finite = [value for value in values if value is not None]
        if len(finite) > 1:
            mean = mean_of(finite)
            yield name, (mean.estimate, mean.low, mean.high)


def strain_of(goals: Sequence[Goal], evidence: Evidence) -> float:
    """The worst of the objectives, as value / limit, by the medians; at most 1 if all are met."""
    return max(
        (goal.strain(evidence.median(goal.metric)) for goal in goals if goal.limit is not None),
        default=0.0 if evidence.meets else math.inf,
    )


def binding_goal(goals: Sequence[Goal], evidence: Evidence) -> Goal:
    """The objective that is met under the fewest seeds; of equals the most strained one."""
    return min(
        goals,
        key=lambda goal: (
            sum(evidence.met[goal.text]),
            -goal.strain(evidence.median(goal.metric)),
        ),
    )
