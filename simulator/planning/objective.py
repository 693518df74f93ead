"""The objectives of a plan: what they ask for, and how near a value comes to it."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simulator.errors import InputError
from simulator.metrics.conditions import Condition, holds, look_up, parse_condition
from simulator.scenario import Objective

Summary = Mapping[str, Any]
_UPPER, _LOWER = ("<", "<="), (">", ">=")


@dataclass(frozen=True, kw_only=True, slots=True)
class Goal:
    """A condition that has to hold."""

    text: str
    condition: Condition | Objective

    @property
    def metric(self) -> str:
        """What it is about."""
        return self.condition.metric

    @property
    def limit(self) -> float | None:
        """The number that it must not pass; None where it is no such condition."""
        value = self.condition.value
        bounds = self.condition.op in (*_UPPER, *_LOWER)
        return float(value) if bounds and not isinstance(value, str) else None

    def is_met(self, summary: Summary) -> bool:
        """Does it hold?

        Raises:
            InputError: Its metric does not exist, or was not measured.
        """
        try:
            return holds(self.condition, summary)
        except InputError as error:
            raise InputError(f"--objective {self.text!r}: {error}") from None

    def value(self, summary: Summary) -> float:
        """Of its metric; infinite where that is null, NaN where it is a word."""
        found = look_up(self.metric, summary)
        return math.nan if isinstance(found, str) else float(found)

    def strain(self, value: float) -> float:
        """How much of the limit a value takes: at most 1 where the objective is met.

        Args:
            value: Of its metric; infinite for never.

        Returns:
            value / limit for an upper limit, limit / value for a lower one; 0 or infinite where
            that makes no sense.
        """
        limit = self.limit
        if limit is None or limit < 0 or math.isnan(value):
            return 0.0
        over, under = (value, limit) if self.condition.op in _UPPER else (limit, value)
        if under == 0:
            return 0.0 if over == 0 else math.inf
        return math.inf if math.isinf(over) else over / under


def parse_goal(text: str) -> Goal:
    """Read METRIC OP VALUE, which is to hold.

    Raises:
        InputError: It is not of that form, or there is no such metric.
    """
    try:
        return Goal(text=" ".join(text.split()), condition=parse_condition(text))
    except InputError as error:
        raise InputError(f"--objective {text!r}: {error}") from None


def goals_of(texts: Sequence[str], own: Iterable[Objective]) -> tuple[Goal, ...]:
    """The objectives that are named or, where none are, those of the scenario itself.

    Raises:
        InputError: One makes no sense, or there are none.
    """
    named: dict[str, Goal] = {}
    mistakes = []
    asked = list(texts) or [f"{one.metric} {one.op} {one.value:g}" for one in own]
    for text in asked:
        try:
            goal = parse_goal(text)
        except InputError as error:
            mistakes.append(str(error))
        else:
            named[goal.text] = goal
    if not asked:
        mistakes.append(
            "--objective: the scenario has none; allowed: 'METRIC OP VALUE', such as "
            "'time_to_recovery_p99 < 30', or an [[objective]] in the scenario"
        )
    if mistakes:
        raise InputError("\n".join(mistakes))
    return tuple(named.values())
