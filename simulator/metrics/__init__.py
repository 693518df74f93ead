"""Metrics: pure functions of a `RunResult`, each defined once beside its formula."""

from simulator.metrics.conditions import Condition, evaluate, holds, parse_condition
from simulator.metrics.summary import METRICS, summarise
from simulator.metrics.trust import thresholds

__all__ = [
    "METRICS",
    "Condition",
    "evaluate",
    "holds",
    "parse_condition",
    "summarise",
    "thresholds",
]
