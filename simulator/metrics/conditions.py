"""Conditions on a summary, as `--fail-if` and objectives state them: METRIC OP VALUE."""

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from simulator.errors import InputError, UnknownNameError
from simulator.metrics.summary import METRICS
from simulator.scenario import Objective

_EXPRESSION = re.compile(r"\s*([^\s<>=!]+)\s*(<=|>=|==|!=|<|>)\s*(\S+)\s*")
_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_WORDS: Mapping[str, float | bool] = {"true": True, "false": False, "null": math.inf}


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """A condition on one metric; dots lead into tables: `outages.0.floor`, `outcomes.rejected`."""

    metric: str
    op: str
    value: float | bool | str


def parse_condition(expression: str) -> Condition:
    """Read METRIC OP VALUE, as in `reconnect_time_p99 > 30` or `verdict != ok`.

    Raises:
        InputError: It is not of that form, or there is no such metric.
    """
    match = _EXPRESSION.fullmatch(expression)
    if match is None:
        raise InputError(
            f"condition {expression!r}: write METRIC OP VALUE, OP one of {' '.join(_OPERATORS)}"
        )
    metric, op, text = match.groups()
    first = metric.split(".")[0]
    if first not in METRICS and first not in {"outages", "cohorts", "stages"}:
        raise UnknownNameError("metric", first, METRICS)
    return Condition(metric=metric, op=op, value=_value(text))


def _value(text: str) -> float | bool | str:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        number = float(text)
    except ValueError:
        return text.strip("'\"")
    if math.isnan(number):
        raise InputError(f"value {text!r}: nothing compares with it")
    return number


def evaluate(expression: str, summary: Mapping[str, Any]) -> bool:
    """Whether a condition such as `metastable == true` holds for a summary.

    Raises:
        InputError: The condition makes no sense, or its metric was not measured.
    """
    return holds(parse_condition(expression), summary)


def holds(condition: Condition | Objective, summary: Mapping[str, Any]) -> bool:
    """Whether a condition holds; null counts as +infinity.

    Raises:
        InputError: The metric does not exist, was not measured, or is not of the value's kind.
    """
    actual, stated = look_up(condition.metric, summary), condition.value
    if _kind(actual) != _kind(stated):
        raise InputError(
            f"metric {condition.metric!r} is {_kind(actual)}, but {stated!r} is {_kind(stated)}"
        )
    if isinstance(actual, bool | str) and condition.op not in {"==", "!="}:
        raise InputError(
            f"metric {condition.metric!r} is {_kind(actual)}: only == and != compare it"
        )
    return _OPERATORS[condition.op](actual, stated)


def _kind(value: float | bool | str) -> str:
    if isinstance(value, bool):
        return "true or false"
    return "a word" if isinstance(value, str) else "a number"


def look_up(metric: str, summary: Mapping[str, Any]) -> float | bool | str:
    """The value of a metric; null is +infinity.

    Raises:
        InputError: It does not exist, or was not measured.
    """
    found: Any = summary
    if metric in summary.get("unmeasured", ()):
        raise InputError(f"metric {metric!r} was not measured in this run")
    for name in metric.split("."):
        if not isinstance(found, Mapping) or name not in found:
            known = found if isinstance(found, Mapping) else METRICS
            what = "metric" if name == metric else f"metric {metric!r}: field"
            raise UnknownNameError(what, name, known)
        if name in found.get("unmeasured", ()):
            raise InputError(f"metric {metric!r} was not measured in this run")
        found = found[name]
    if isinstance(found, Mapping | list):
        raise InputError(f"metric {metric!r} is a table: name a field of it, as {metric}.NAME")
    value: float | bool | str = math.inf if found is None else found
    return value
