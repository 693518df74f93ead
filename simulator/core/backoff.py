"""Delay policies: how long a client waits before its next attempt to connect.

A delay is made in two steps: `schedule` gives the seconds before jitter, one entry for each step
of the growth, and `delay` applies jitter to its step's entry. `delays` does the same for arrays,
from the same schedule, so that the two agree bit for bit.

A retry's `step` counts from 1 since the counter was last reset. An immediate first retry is step
1 and uses up no step of the growth, unless the policy says so (RULES.md, 18).
"""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from server_stub.settings import Count, OrNone, PositiveSeconds, Settings

LONGEST_DELAY = 1e9
"""Seconds (32 years), the most that any policy waits: nothing overflows, and an instant plus a
delay still fits into 64 bits of nanoseconds."""
LAST_STEP = 65_536
"""The step at which growth ends if nothing has ended it before."""

Wait = Annotated[float, Field(ge=0, le=LONGEST_DELAY, strict=True)]
Factor = Annotated[float, Field(ge=1, le=1e6, strict=True)]
Flag = Annotated[bool, Field(strict=True)]
Growth = Literal["constant", "linear", "exponential"]
Jitter = Literal[
    "none",
    "full",
    "equal",
    "decorrelated",
    "proportional",
    "additive",
    "subtractive",
    "first-attempt",
]


class Policy(Settings):
    """When a client that lost its connection tries again, and when it stops trying.

    A setting that the others make meaningless is an error, never ignored.
    """

    name: str = ""
    """What to call it; unless set, its description serves."""
    growth: Growth = "exponential"
    """From step to step: the same, `base` more, or `factor` times as much."""
    base: Wait = 1.0
    """Seconds of the first step before jitter."""
    factor: Annotated[Factor | None, OrNone] = None
    """Of exponential growth, 2 unless set. With decorrelated jitter it multiplies the previous
    delay, and is 3 unless set (both from aws-samples/aws-arch-backoff-simulator)."""
    cap: Annotated[Wait | None, OrNone] = None
    """Seconds at which growth ends; "none" for no end."""
    jitter: Jitter = "none"
    """With b the delay before jitter and u uniform on (0, 1):

    - none: b
    - full: u b
    - equal: b/2 + u b/2
    - decorrelated: base + u (factor p - base), p being the previous delay, or base if that is more
    - proportional: b (1 - spread + 2 spread u)
    - additive: b + spread u
    - subtractive: b (1 - spread u)
    - first-attempt: u b for the first delay that is not immediate, b for those after it
    """
    spread: Annotated[Wait | None, OrNone] = None
    """Of proportional and subtractive jitter, as a share of the delay; of additive, in seconds."""
    cap_after_jitter: Flag = False
    """False: b is min(cap, growth), so that clients stay spread at the cap; proportional and
    additive jitter then reach above it, and decorrelated draws below min(cap, factor p). True: b
    grows past the cap and the delay is min(cap, jittered b), so that in the end all clients wait
    exactly the cap (with decorrelated jitter, whose p is itself capped, two in three)."""
    immediate_first: Flag = False
    """Is the first retry made at once?"""
    immediate_counts: Flag = False
    """Does that retry use up a step of the growth?"""
    max_attempts: Annotated[Count | None, OrNone] = None
    """Retries in a row, an immediate one included, after which the client gives up for good."""
    reset_after: Annotated[PositiveSeconds | None, OrNone] = 5.0
    """Seconds connected after which the next loss starts from step 1; "none": any connect does.
    5 s as in reconnecting-websocket and partysocket: a server that accepts and then drops its
    clients meets growing delays, not a loop at the shortest one."""
    count_from: Literal["failure", "start"] = "failure"
    """Does a delay count from the end of the failed attempt or from its start?"""

    @model_validator(mode="after")
    def _settings_fit_together(self) -> Self:
        problems = [f"{field} needs {need}" for field, need in _unmet_needs(self).items()]
        if self.jitter in _NEED_SPREAD and self.spread is None:
            problems.append(f"jitter = {self.jitter!r} needs spread")
        if self.jitter in ("proportional", "subtractive") and (self.spread or 0.0) > 1:
            problems.append(f"spread = {self.spread:g} is a share here: at most 1")
        if self.cap is not None and self.cap < self.base:
            problems.append(f"cap = {self.cap:g} is below base = {self.base:g}")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def label(self) -> str:
        """Its name, or a description in plain words."""
        return self.name or describe(self)


_NEED_SPREAD = ("proportional", "additive", "subtractive")


def _is_set(policy: Policy, field: str) -> bool:
    return bool(getattr(policy, field) != Policy.model_fields[field].default)


def _unmet_needs(policy: Policy) -> dict[str, str]:
    """The settings that do nothing beside the others, and what they need to do something."""
    grows = policy.growth != "constant"
    decorrelated = policy.jitter == "decorrelated"
    needs = {
        "growth": (not decorrelated, "a jitter other than 'decorrelated', which grows by itself"),
        "factor": (policy.growth == "exponential", "growth = 'exponential'"),
        "cap": (grows or policy.cap_after_jitter, "a growth to end"),
        "spread": (policy.jitter in _NEED_SPREAD, f"jitter to be one of {_NEED_SPREAD}"),
        "cap_after_jitter": (policy.cap is not None and policy.jitter != "none", "cap and jitter"),
        "immediate_counts": (
            policy.immediate_first and grows and not decorrelated,
            "immediate_first and a growth by step",
        ),
    }
    return {
        field: need for field, (met, need) in needs.items() if not met and _is_set(policy, field)
    }


def _factor(policy: Policy) -> float:
    return policy.factor or (3.0 if policy.jitter == "decorrelated" else 2.0)


def _limits(policy: Policy) -> tuple[float, float]:
    """The most seconds before jitter, and after it."""
    cap = LONGEST_DELAY if policy.cap is None else policy.cap
    return (LONGEST_DELAY, cap) if policy.cap_after_jitter else (cap, LONGEST_DELAY)


@lru_cache(maxsize=1024)
def schedule(policy: Policy) -> NDArray[np.float64]:
    """Seconds before jitter by step of the growth; the last entry holds for all later steps.

    Returns:
        Read-only, shape (n,) with 1 <= n <= LAST_STEP.
    """
    limit, _ = _limits(policy)
    waits = [policy.base]
    while len(waits) < LAST_STEP:
        match policy.growth:
            case "constant":
                grown = policy.base
            case "linear":
                grown = policy.base * (len(waits) + 1)
            case "exponential":
                grown = waits[-1] * _factor(policy)
        if min(grown, limit) == waits[-1]:
            break
        waits.append(min(grown, limit))
    table = np.array(waits)
    table.flags.writeable = False
    return table


def delay(policy: Policy, step: int, u: float, previous: float | None = None) -> float:
    """Seconds to wait before a retry.

    Args:
        policy: The policy.
        step: Which retry since the counter was reset; the first is 1.
        u: A uniform draw in (0, 1).
        previous: Seconds waited before the previous retry; None or 0 before the first. Only
            decorrelated jitter looks at it.

    Returns:
        From 0 to LONGEST_DELAY.
    """
    if policy.immediate_first and step == 1:
        return 0.0
    before, after = _limits(policy)
    if policy.jitter == "decorrelated":
        high = min(_factor(policy) * max(previous or 0.0, policy.base), before)
        return min(policy.base + u * (high - policy.base), after)
    table = schedule(policy)
    wait = table.item(min(step - _unpaid(policy), table.size) - 1)
    if policy.jitter == "first-attempt" and step > 1 + policy.immediate_first:
        return min(wait, after)
    return min(_jittered(policy, wait, u), after)


def delays(
    policy: Policy,
    steps: NDArray[np.integer],
    u: NDArray[np.float64],
    previous: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """The same as `delay`, bit for bit, for arrays.

    Args:
        policy: One policy for all.
        steps: Which retry since the counter was reset, from 1, shape (n,).
        u: Uniform draws in (0, 1), shape (n,).
        previous: Seconds waited before the previous retry, shape (n,), 0 before the first; None
            where this is the first for all.

    Returns:
        Seconds, shape (n,).
    """
    before, after = _limits(policy)
    if policy.jitter == "decorrelated":
        last = np.maximum(0.0 if previous is None else previous, policy.base)
        high = np.minimum(_factor(policy) * last, before)
        waits = policy.base + u * (high - policy.base)
    else:
        table = schedule(policy)
        unjittered = table[np.clip(steps - _unpaid(policy), 1, table.size) - 1]
        waits = _jittered(policy, unjittered, u)
        if policy.jitter == "first-attempt":
            waits = np.where(steps > 1 + policy.immediate_first, unjittered, waits)
    waits = np.minimum(waits, after)
    return np.where(steps == 1, 0.0, waits) if policy.immediate_first else waits


def _unpaid(policy: Policy) -> int:
    """By how much a retry's step is ahead of the growth's: 1 after a free immediate retry."""
    return int(policy.immediate_first and not policy.immediate_counts)


Values = TypeVar("Values", float, NDArray[np.float64])


def _jittered(policy: Policy, wait: Values, u: Values) -> Values:
    """The kinds of jitter that look at nothing but the delay before it, for one or for many."""
    spread = policy.spread or 0.0
    match policy.jitter:
        case "full" | "first-attempt":
            return u * wait
        case "equal":
            return wait / 2 + u * (wait / 2)
        case "proportional":
            return wait * (1 - spread + 2 * spread * u)
        case "additive":
            return wait + spread * u
        case "subtractive":
            return wait * (1 - spread * u)
        case _:
            return wait


def first_delay(policy: Policy) -> float:
    """Seconds of the first delay that is not immediate, before jitter: a verdict's yardstick.

    Jitter is left out, so that policies which differ in nothing else are held to the same lag;
    with decorrelated jitter it is `base`, below which no delay falls.
    """
    table = schedule(policy)
    return table.item(min(int(policy.immediate_counts), table.size - 1))


def gives_up(policy: Policy, step: int) -> bool:
    """Is this retry one too many?"""
    return policy.max_attempts is not None and step > policy.max_attempts


_PHRASES = {
    "cap_after_jitter": "capped after jitter",
    "immediate_first": "first retry at once",
    "immediate_counts": "which counts as a step",
    "max_attempts": "gives up after {} retries",
    "reset_after": "starts over after {:g} s connected",
    "count_from": "counted from the attempt's start",
}
"""What a description says of each setting that is not at its default."""


def _phrase(field: str, value: float | bool | str | None) -> str:
    if field == "reset_after" and value is None:
        return "starts over on every connect"
    return _PHRASES[field].format(value)


def describe(policy: Policy) -> str:
    """The policy in plain words: "exponential 1 s x2 up to 10 s, full jitter"."""
    growth = f"{policy.growth} {policy.base:g} s"
    if policy.growth == "exponential":
        growth += f" x{_factor(policy):g}"
    if policy.cap is not None:
        growth += f" up to {policy.cap:g} s"
    parts = [growth if policy.base else "no delay"]
    if policy.jitter != "none":
        unit = " s" if policy.jitter == "additive" else ""
        spread = "" if policy.spread is None else f" of {policy.spread:g}{unit}"
        parts.append(f"{policy.jitter} jitter{spread}")
    parts += [
        _phrase(field, getattr(policy, field)) for field in _PHRASES if _is_set(policy, field)
    ]
    return ", ".join(parts)


BASIC: Mapping[str, Policy] = MappingProxyType(
    {
        policy.name: policy
        for policy in (
            Policy(name="immediate", growth="constant", base=0.0),
            Policy(name="fixed", growth="constant"),
            Policy(name="linear", growth="linear", cap=10.0),
            Policy(name="exponential", cap=10.0),
            Policy(name="exponential-full-jitter", cap=10.0, jitter="full"),
            Policy(name="exponential-equal-jitter", cap=10.0, jitter="equal"),
            Policy(
                name="exponential-decorrelated-jitter",
                cap=10.0,
                jitter="decorrelated",
                cap_after_jitter=True,
            ),
            Policy(
                name="exponential-proportional-jitter", cap=10.0, jitter="proportional", spread=0.3
            ),
        )
    }
)
"""The basic policies by name: 1 s to start from, doubling (decorrelated jitter as AWS published
it: up to three times the last delay), 10 s at most."""


def overridden(policy: Policy, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of `policy` after `changes`, less those that the changes made meaningless."""
    settings = policy.model_dump()
    optional = {field for field, info in Policy.model_fields.items() if OrNone in info.metadata}
    changed: dict[str, Any] = {
        field: None if value == "none" and field in optional else value
        for field, value in {**settings, **changes}.items()
    }
    if changed == settings:
        return changed
    unmet = _unmet_needs(Policy.model_construct(**changed))
    return {
        field: value
        for field, value in changed.items()
        if field != "name" and not (field in unmet and value == settings[field])
    }
