"""When the next retry is due: what a delay counts from, and a timer that runs on meanwhile."""

import numpy as np
from numpy.typing import NDArray

from simulator.core.backoff.delays import delay, delays
from simulator.core.backoff.policy import Policy


def counts_from_start(policy: Policy) -> bool:
    """Does the delay after a failed attempt count from the attempt's start?"""
    return policy.count_from in ("start", "slot", "poll")


def next_wait(
    policy: Policy,
    step: int,
    u: float,
    previous: float | None = None,
    *,
    own: float = 0.5,
    downtime: float = 0.0,
    elapsed: float = 0.0,
) -> tuple[int, float]:
    """The next retry's step, and how long the client waits for it.

    Args:
        policy: The policy.
        step: Of the retry, unless rounds of a polling timer have passed during the last attempt,
            each of which is a step.
        u: A uniform draw in (0, 1), for all of these rounds.
        previous: As for `delay`.
        own: As for `delay`.
        downtime: As for `delay`.
        elapsed: Seconds that the last attempt took; 0 after a loss.

    Returns:
        The step; and seconds, from the start of the last attempt where the policy counts from
        there, and else from its end or from the loss.
    """
    wait = delay(policy, step, u, previous, own=own, downtime=downtime, elapsed=elapsed)
    while policy.count_from == "poll" and wait < elapsed:
        more = delay(policy, step + 1, u, wait, own=own, downtime=downtime)
        if more == 0:
            break
        step += 1
        wait += more
    return step, wait


def next_waits(
    policy: Policy,
    steps: NDArray[np.integer],
    u: NDArray[np.float64],
    previous: NDArray[np.float64] | None = None,
    *,
    own: NDArray[np.float64] | float = 0.5,
    downtime: NDArray[np.float64] | float = 0.0,
    elapsed: NDArray[np.float64] | float = 0.0,
) -> tuple[NDArray[np.integer], NDArray[np.float64]]:
    """The same as `next_wait`, bit for bit, for arrays of shape (n,)."""
    waits = delays(policy, steps, u, previous, own=own, downtime=downtime, elapsed=elapsed)
    while policy.count_from == "poll":
        more = delays(policy, steps + 1, u, waits, own=own, downtime=downtime)
        passed = (waits < elapsed) & (more > 0)
        if not passed.any():
            break
        steps = steps + passed
        waits = np.where(passed, waits + more, waits)
    return steps, waits
