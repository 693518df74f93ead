"""How a summary is read: its metrics as numbers, and what follows from them for a ranking."""

import math
from collections.abc import Mapping
from typing import Any

Summary = Mapping[str, Any]
"""The content of a `summary.json`."""

RANKED_BY = "time_to_recovery_p95"
LEVEL = 1.1
"""Two policies less than a tenth apart are not told apart by one run each."""
NOTABLE = 1.5
"""From this ratio on, another policy's higher peak is worth a word."""

WASTEFUL = 0.05
"""Share of the services from which on it is worth a word that their clients had left."""


def value_of(summary: Summary, metric: str) -> Any:  # noqa: ANN401 - a metric is a number or a word
    """A metric; infinite for never, NaN for not measured."""
    if metric in summary["unmeasured"]:
        return math.nan
    value = summary[metric]
    return math.inf if value is None else value


def is_told_late(summary: Summary) -> bool:
    """Do clients wait for what they missed long after they are back?"""
    told, back = (value_of(summary, name) for name in ("time_to_sync_p95", RANKED_BY))
    return math.isinf(told) or bool(told > LEVEL * back)


def is_never_told(summary: Summary) -> bool:
    """Do clients that are back wait in vain for what they missed?"""
    return summary["recovered_share"] != 0 and math.isinf(value_of(summary, "time_to_sync_p95"))


def time_back(summary: Summary) -> float:
    """Seconds; infinite also for clients that are back but never told what they missed."""
    return math.inf if is_never_told(summary) else float(value_of(summary, RANKED_BY))


def level_with(best: float, times: Mapping[str, float]) -> list[str]:
    """Those that one run each does not tell apart from the best.

    Args:
        best: Seconds; the shortest of the times.
        times: Seconds by policy.
    """
    return [name for name, time in times.items() if time <= LEVEL * best]
