"""The arithmetic of delays, for one client and for arrays of them.

A delay is made in two steps: `schedule` gives the seconds before jitter, one entry for each step
of the growth, and `delay` applies jitter to its step's entry. `delays` does the same for arrays,
from the same schedule, so that the two agree bit for bit. All that a delay depends on, besides the
policy and a draw, is its step, the delay before it, the time since the loss, how long the last
attempt took, and one draw that a client keeps for life.
"""

import math
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from simulator.core.backoff.points import Points, quantile, quantiles
from simulator.core.backoff.policy import LAST_STEP, LONGEST_DELAY, Policy

_FORGIVEN = 1e-6
"""Share of a policy's resolution by which a delay may miss a multiple and still be one: delays are
binary fractions, in which 0.29 s are a little less than 290 ms."""
_UNCHANGED = 0.5
"""The draw with which proportional jitter leaves a delay as it is."""


@lru_cache(maxsize=1024)
def schedule(policy: Policy) -> NDArray[np.float64]:
    """Seconds before jitter by step of the growth; the last entry holds for all later steps.

    Where the policy draws from points, the entry is the lowest of them.

    Returns:
        Read-only, shape (n,) with 1 <= n <= LAST_STEP.
    """
    waits = [wait if isinstance(wait, float) else wait[0][1] for wait in policy.waits]
    if policy.grows:
        limit, _ = _limits(policy)
        waits += _growth(policy, policy.base, limit, LAST_STEP - len(waits))
    table = np.array(waits[:LAST_STEP])
    table.flags.writeable = False
    return table


@lru_cache(maxsize=1024)
def _multipliers(policy: Policy) -> NDArray[np.float64]:
    """By how much a client's own base is multiplied by step of the growth, shape (n,)."""
    return np.array(_growth(policy, 1.0, LONGEST_DELAY, LAST_STEP))


def _growth(policy: Policy, base: float, limit: float, n_steps: int) -> list[float]:
    """Seconds by step from `base` on, until they change no more or the steps are used up."""
    waits = [base]
    while len(waits) < n_steps:
        match policy.growth:
            case "constant":
                grown = base
            case "linear":
                grown = base * (len(waits) + 1)
            case "exponential":
                grown = waits[-1] * policy.growth_factor
        if min(grown, limit) == waits[-1]:
            break
        waits.append(min(grown, limit))
    return waits


def _limits(policy: Policy) -> tuple[float, float]:
    """The most seconds before jitter, and after it."""
    cap = LONGEST_DELAY if policy.cap is None else policy.cap
    return (LONGEST_DELAY, cap) if policy.cap_after_jitter else (cap, LONGEST_DELAY)


def _jittered_steps(policy: Policy) -> tuple[float, float]:
    """The first and the last step of the growth that is jittered."""
    if policy.jitter == "first-attempt":
        first = 1 + (policy.immediate_first and policy.immediate_counts)
        return first, first
    return policy.jitter_from, math.inf if policy.jitter_until is None else policy.jitter_until


def _unpaid(policy: Policy) -> int:
    """By how much a retry's step is ahead of the growth's: 1 after a free immediate retry."""
    return int(policy.immediate_first and not policy.immediate_counts)


def delay(
    policy: Policy,
    step: int,
    u: float,
    previous: float | None = None,
    *,
    own: float = 0.5,
    downtime: float = 0.0,
    elapsed: float = 0.0,
) -> float:
    """Seconds to wait before a retry.

    Args:
        policy: The policy.
        step: Which retry since the counter was reset; the first is 1.
        u: A uniform draw in (0, 1).
        previous: Seconds waited before the previous retry; None or 0 before the first. Only
            decorrelated jitter looks at it.
        own: A draw in (0, 1) that is the client's own, the same all its life; for policies with
            `base_spread`.
        downtime: Seconds from the loss to the moment that the delay counts from; for policies
            with `suspended_after`.
        elapsed: Seconds that the last attempt took; for policies that count from the remainder.

    Returns:
        From 0 to LONGEST_DELAY.
    """
    wait = _before_suspension(policy, step, u, previous, own=own, elapsed=elapsed)
    if policy.suspended_after is None or policy.suspended_delay is None:
        return wait
    if downtime >= policy.suspended_after:
        return policy.suspended_delay
    if downtime + wait > policy.suspended_after:
        return policy.suspended_after + policy.suspended_delay - downtime
    return wait


def _before_suspension(
    policy: Policy, step: int, u: float, previous: float | None, *, own: float, elapsed: float
) -> float:
    if policy.immediate_first and step == 1:
        return 0.0
    before, after = _limits(policy)
    grown = step - _unpaid(policy)
    share = quantile(policy.shape, u) if policy.shape else u
    if policy.jitter == "decorrelated":
        high = min(policy.growth_factor * max(previous or 0.0, policy.base), before)
        wait = policy.base + share * (high - policy.base)
    elif (points := _points_at(policy, grown)) is not None:
        wait = quantile(points, u)
    else:
        if policy.base_spread:
            multipliers = _multipliers(policy)
            multiplier = multipliers.item(min(grown, multipliers.size) - 1)
            wait = min((policy.base + policy.base_spread * own) * multiplier, before)
        else:
            table = schedule(policy)
            wait = table.item(min(grown, table.size) - 1)
        if policy.count_from == "remainder":
            wait = max(wait - elapsed, 0.0)
        first, last = _jittered_steps(policy)
        if first <= grown <= last:
            wait = _jittered(policy, wait, share)
        if policy.overflow_step is not None and grown >= policy.overflow_step:
            wait = 0.0 if share < _UNCHANGED else after
    wait = min(wait + policy.offset, after)
    if policy.resolution is None:
        return wait
    per_second = 1 / policy.resolution
    return math.floor(wait * per_second + _FORGIVEN) / per_second


def _points_at(policy: Policy, grown: int) -> Points | None:
    """What the policy draws from at a step of the growth, if it does."""
    n = len(policy.waits)
    if n == 0 or (grown > n and policy.then == "grow"):
        return None
    wait = policy.waits[min(grown, n) - 1]
    return None if isinstance(wait, float) else wait


def delays(
    policy: Policy,
    steps: NDArray[np.integer],
    u: NDArray[np.float64],
    previous: NDArray[np.float64] | None = None,
    *,
    own: NDArray[np.float64] | float = 0.5,
    downtime: NDArray[np.float64] | float = 0.0,
    elapsed: NDArray[np.float64] | float = 0.0,
) -> NDArray[np.float64]:
    """The same as `delay`, bit for bit, for arrays.

    Args:
        policy: One policy for all.
        steps: Which retry since the counter was reset, from 1, shape (n,).
        u: Uniform draws in (0, 1), shape (n,).
        previous: Seconds waited before the previous retry, shape (n,), 0 before the first; None
            where this is the first for all.
        own: As for `delay`, shape (n,) or the same for all; so are the two that follow.
        downtime: As for `delay`.
        elapsed: As for `delay`.

    Returns:
        Seconds, shape (n,).
    """
    waits = _all_before_suspension(policy, steps, u, previous, own=own, elapsed=elapsed)
    if policy.suspended_after is None or policy.suspended_delay is None:
        return waits
    resumed = policy.suspended_after + policy.suspended_delay - downtime
    waits = np.where(downtime + waits > policy.suspended_after, resumed, waits)
    return np.where(np.asarray(downtime) >= policy.suspended_after, policy.suspended_delay, waits)


def _all_before_suspension(
    policy: Policy,
    steps: NDArray[np.integer],
    u: NDArray[np.float64],
    previous: NDArray[np.float64] | None,
    *,
    own: NDArray[np.float64] | float,
    elapsed: NDArray[np.float64] | float,
) -> NDArray[np.float64]:
    before, after = _limits(policy)
    grown = np.maximum(steps - _unpaid(policy), 1)
    shares = quantiles(policy.shape, u) if policy.shape else u
    if policy.jitter == "decorrelated":
        last = np.maximum(0.0 if previous is None else previous, policy.base)
        high = np.minimum(policy.growth_factor * last, before)
        waits = policy.base + shares * (high - policy.base)
    else:
        if policy.base_spread:
            multipliers = _multipliers(policy)
            factors = multipliers[np.minimum(grown, multipliers.size) - 1]
            waits = np.minimum((policy.base + policy.base_spread * own) * factors, before)
        else:
            table = schedule(policy)
            waits = table[np.minimum(grown, table.size) - 1]
        if policy.count_from == "remainder":
            waits = np.maximum(waits - elapsed, 0.0)
        first, last_jittered = _jittered_steps(policy)
        is_jittered = (grown >= first) & (grown <= last_jittered)
        waits = np.where(is_jittered, _jittered(policy, waits, shares), waits)
        if policy.overflow_step is not None:
            overflown = np.where(shares < _UNCHANGED, 0.0, after)
            waits = np.where(grown >= policy.overflow_step, overflown, waits)
        waits = _drawn_from_points(policy, grown, u, waits)
    waits = np.minimum(waits + policy.offset, after)
    if policy.resolution is not None:
        per_second = 1 / policy.resolution
        waits = np.floor(waits * per_second + _FORGIVEN) / per_second
    return np.where(steps == 1, 0.0, waits) if policy.immediate_first else waits


def _drawn_from_points(
    policy: Policy,
    grown: NDArray[np.integer],
    u: NDArray[np.float64],
    waits: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The waits, but drawn from points at the steps that have them, shape (n,)."""
    for place, points in enumerate(policy.waits, start=1):
        if not isinstance(points, float):
            repeats = place == len(policy.waits) and policy.then == "repeat"
            here = grown >= place if repeats else grown == place
            waits = np.where(here, quantiles(points, u), waits)
    return waits


Values = TypeVar("Values", float, NDArray[np.float64])


def _jittered(policy: Policy, wait: Values, share: Values) -> Values:
    """The kinds of jitter that look at nothing but the delay before it, for one or for many."""
    spread = policy.spread or 0.0
    match policy.jitter:
        case "full" | "first-attempt":
            return share * wait
        case "equal":
            return wait / 2 + share * (wait / 2)
        case "proportional":
            return wait * (1 - spread + 2 * spread * share)
        case "additive":
            return wait + spread * share
        case "subtractive":
            return wait * (1 - spread * share)
        case _:
            return wait


def first_delay(policy: Policy) -> float:
    """Seconds of the first delay that is not immediate, before jitter: a verdict's yardstick.

    Jitter is left out, so that policies which differ in nothing else are held to the same lag;
    with decorrelated jitter it is `base`, below which no delay falls, and where the policy draws
    from points the lowest of them.
    """
    table = schedule(policy)
    first = min(int(policy.immediate_counts), table.size - 1)
    later = table[first:]
    return float(later[np.argmax(later > 0)])


def gives_up(policy: Policy, step: int) -> bool:
    """Is this retry one too many?"""
    return policy.max_attempts is not None and step > policy.max_attempts


def most_retries(policy: Policy) -> int | None:
    """How many retries in a row fail before the client gives up for good; None for no end."""
    if policy.ends_on_failure and policy.max_attempts != 0:
        return 1
    return policy.max_attempts
