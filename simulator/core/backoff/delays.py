"""The arithmetic of delays, for one client and for arrays of them.

A delay is made in two steps: `schedule` gives the seconds before jitter, one entry for each step
of the growth, and `delay` applies jitter to its step's entry. `delays` does the same for arrays,
from the same schedule, so that the two agree bit for bit. All that a delay depends on, besides the
policy and a draw, is its step, the delay before it, the time since the loss, how long the last
attempt took, and one draw that a client keeps for life.
"""

import math

import numpy as np
from numpy.typing import NDArray

from simulator.core.backoff.functions import delay_by, delays_by
from simulator.core.backoff.points import quantile, quantiles
from simulator.core.backoff.policy import Policy
from simulator.core.backoff.schedule import (
    jittered,
    jittered_steps,
    limits,
    multipliers,
    points_at,
    schedule,
    unpaid,
)

_FORGIVEN = 1e-6
"""Share of a policy's resolution by which a delay may miss a multiple and still be one: delays are
binary fractions, in which 0.29 s are a little less than 290 ms."""
_UNCHANGED = 0.5
"""The draw with which proportional jitter leaves a delay as it is."""


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
    before, after = limits(policy)
    grown = step - unpaid(policy)
    share = quantile(policy.shape, u) if policy.shape else u
    if policy.function:
        wait = delay_by(policy.function, grown, u, previous or 0.0)
        return _cut(policy, wait - elapsed if policy.count_from == "remainder" else wait)
    if policy.jitter == "decorrelated":
        high = min(policy.growth_factor * max(previous or 0.0, policy.base), before)
        wait = policy.base + share * (high - policy.base)
    elif (points := points_at(policy, grown)) is not None:
        wait = quantile(points, u)
    else:
        if policy.base_spread:
            growth = multipliers(policy)
            multiplier = growth.item(min(grown, growth.size) - 1)
            wait = min((policy.base + policy.base_spread * own) * multiplier, before)
        else:
            table = schedule(policy)
            wait = table.item(min(grown, table.size) - 1)
        if policy.count_from == "remainder":
            wait = max(wait - elapsed, 0.0)
        first, last = jittered_steps(policy)
        if first <= grown <= last:
            wait = jittered(policy, wait, share)
        if policy.overflow_step is not None and grown >= policy.overflow_step:
            wait = 0.0 if share < _UNCHANGED else after
    return _cut(policy, min(wait + policy.offset, after))


def _cut(policy: Policy, wait: float) -> float:
    """The delay as the policy's timer keeps it: not negative, and a multiple of its resolution."""
    wait = max(wait, 0.0)
    if policy.resolution is None:
        return wait
    per_second = 1 / policy.resolution
    return math.floor(wait * per_second + _FORGIVEN) / per_second


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
    before, after = limits(policy)
    grown = np.maximum(steps - unpaid(policy), 1)
    shares = quantiles(policy.shape, u) if policy.shape else u
    if policy.function:
        waits = delays_by(policy.function, grown, u, previous)
        waits = waits - elapsed if policy.count_from == "remainder" else waits
    elif policy.jitter == "decorrelated":
        last = np.maximum(0.0 if previous is None else previous, policy.base)
        high = np.minimum(policy.growth_factor * last, before)
        waits = policy.base + shares * (high - policy.base)
    else:
        if policy.base_spread:
            growth = multipliers(policy)
            factors = growth[np.minimum(grown, growth.size) - 1]
            waits = np.minimum((policy.base + policy.base_spread * own) * factors, before)
        else:
            table = schedule(policy)
            waits = table[np.minimum(grown, table.size) - 1]
        if policy.count_from == "remainder":
            waits = np.maximum(waits - elapsed, 0.0)
        first, last_jittered = jittered_steps(policy)
        is_jittered = (grown >= first) & (grown <= last_jittered)
        waits = np.where(is_jittered, jittered(policy, waits, shares), waits)
        if policy.overflow_step is not None:
            overflown = np.where(shares < _UNCHANGED, 0.0, after)
            waits = np.where(grown >= policy.overflow_step, overflown, waits)
        waits = _drawn_from_points(policy, grown, u, waits)
    waits = np.clip(waits + policy.offset, 0.0, after)
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
