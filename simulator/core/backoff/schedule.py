"""What a policy's delays are made of: seconds by step, kinds of jitter, limits.

Where a function takes `Values`, it serves one client and arrays of them alike.
"""

import math
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from simulator.core.backoff.functions import delay_by
from simulator.core.backoff.points import Points
from simulator.core.backoff.policy import LAST_STEP, LONGEST_DELAY, Policy

Values = TypeVar("Values", float, NDArray[np.float64])


@lru_cache(maxsize=1024)
def schedule(policy: Policy) -> NDArray[np.float64]:
    """Seconds before jitter by step of the growth; the last entry holds for all later steps.

    Where the policy draws from points, the entry is the lowest of them.

    Returns:
        Read-only, shape (n,) with 1 <= n <= LAST_STEP.
    """
    waits = [wait if isinstance(wait, float) else wait[0][1] for wait in policy.waits]
    if policy.grows:
        limit, _ = limits(policy)
        waits += _growth(policy, policy.base, limit, LAST_STEP - len(waits))
    table = np.array(waits[:LAST_STEP])
    table.flags.writeable = False
    return table


@lru_cache(maxsize=1024)
def multipliers(policy: Policy) -> NDArray[np.float64]:
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


def limits(policy: Policy) -> tuple[float, float]:
    """The most seconds before jitter, and after it."""
    cap = LONGEST_DELAY if policy.cap is None else policy.cap
    return (LONGEST_DELAY, cap) if policy.cap_after_jitter else (cap, LONGEST_DELAY)


def jittered_steps(policy: Policy) -> tuple[float, float]:
    """The first and the last step of the growth that is jittered."""
    if policy.jitter == "first-attempt":
        first = 1 + (policy.immediate_first and policy.immediate_counts)
        return first, first
    return policy.jitter_from, math.inf if policy.jitter_until is None else policy.jitter_until


def unpaid(policy: Policy) -> int:
    """By how much a retry's step is ahead of the growth's: 1 after a free immediate retry."""
    return int(policy.immediate_first and not policy.immediate_counts)


def points_at(policy: Policy, grown: int) -> Points | None:
    """What the policy draws from at a step of the growth, if it does."""
    n = len(policy.waits)
    if n == 0 or (grown > n and policy.then == "grow"):
        return None
    wait = policy.waits[min(grown, n) - 1]
    return None if isinstance(wait, float) else wait


def jittered(policy: Policy, wait: Values, share: Values) -> Values:
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
    from points the lowest of them. A function is asked for the middle one of its first delays.
    """
    if policy.function:
        first_two = (delay_by(policy.function, step, 0.5, 0.0) for step in (1, 2))
        return next(filter(None, first_two), 0.0)
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
