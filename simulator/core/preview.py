"""A policy's delays before anything runs: their bounds, and the draws of many clients."""

import itertools
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from server_stub.draws import Purpose, uniforms
from simulator.core.backoff import LONGEST_DELAY, Policy, delay, delays, most_retries
from simulator.core.backoff.timing import counts_from_start, next_waits

FIRST_EPISODE = 1
"""The first loss of connection after the ramp, whose draws these are."""
_LONG = 1e6
"""Seconds that the connection had lasted before it was lost: longer than any policy remembers."""
_SAMPLE = 4096
"""Clients among whom to look for bounds where no rule gives them."""
_FAR = (500, 1000)
"""Steps by which whatever grows has either come to its end or never does."""


def n_retries(policy: Policy, at_most: int) -> int:
    """How many retries in a row the policy makes, if so many are looked at."""
    most = most_retries(policy)
    return at_most if most is None else min(at_most, most)


def leaves_to_chance(policy: Policy) -> bool:
    """Can two clients of the policy, in the same place, wait for different times?"""
    drawn = any(not isinstance(wait, float) for wait in policy.waits)
    return bool(policy.function or policy.base_spread or drawn or policy.jitter != "none")


def delay_bounds(policy: Policy, n_attempts: int) -> list[tuple[float, float]]:
    """Between what and what the delay before each attempt of an episode lies.

    A delay rises or falls with its draw all the way, with its client's own draw likewise, and never
    falls as the one before it rises; so the extremes come from draws that are all 0 or all 1. Only
    a function may do as it likes, and some thousands of its delays are looked at.

    Args:
        policy: The policy.
        n_attempts: From the first after the loss; fewer if the policy gives up before.

    Returns:
        (low, high) in seconds for each attempt.
    """
    if policy.function:
        sample = first_delays(policy, _SAMPLE, n_attempts, seed=1, refused_after=0.0)
        return list(zip(sample.min(axis=0).tolist(), sample.max(axis=0).tolist(), strict=True))
    runs = [
        _delays_of_draw(policy, n_retries(policy, n_attempts), u, own)
        for u, own in itertools.product((0.0, 1.0), repeat=2)
    ]
    bounds = [(min(waits), max(waits)) for waits in zip(*runs, strict=True)]
    if policy.suspended_after is None or policy.suspended_delay is None:
        return bounds
    return list(_cut_short(bounds, policy.suspended_after, policy.suspended_delay))


def _cut_short(
    bounds: Iterable[tuple[float, float]], suspended_after: float, suspended_delay: float
) -> Iterator[tuple[float, float]]:
    """The bounds of delays, attempt by attempt, which a suspension cuts into."""
    earliest, latest = 0.0, 0.0  # Downtime of the clients that are not yet suspended.
    any_suspended = False
    for low, high in bounds:
        waits = [suspended_delay] if any_suspended else []
        if earliest + low <= suspended_after:
            waits += [low, min(high, suspended_after - earliest)]
        if earliest <= suspended_after < latest + high:
            resumed_at = suspended_after + suspended_delay
            waits += [resumed_at - latest, resumed_at - max(earliest, suspended_after - high)]
            any_suspended = True
        earliest, latest = earliest + low, min(latest + high, suspended_after)
        yield min(waits), max(waits)


def _delays_of_draw(policy: Policy, n: int, u: float, own: float) -> list[float]:
    """The delays of a client whose every draw is `u`."""
    waits: list[float] = []
    for step in range(1, n + 1):
        elapsed = _LONG if step == 1 and policy.first_from_start else 0.0
        previous = waits[-1] if waits else None
        wait = delay(policy, step, u, previous, own=own, downtime=-_LONG, elapsed=elapsed)
        waits.append(0.0 if elapsed else wait)
    return waits


def first_delays(
    policy: Policy, n_clients: int, n_attempts: int, *, seed: int, refused_after: float = 0.001
) -> NDArray[np.float64]:
    """The delays of many clients in their first episode, as a run with this seed draws them.

    The connection had lasted for long when it was lost.

    Args:
        policy: The policy of all.
        n_clients: Clients 0 to n - 1.
        n_attempts: From the first after the loss; fewer if the policy gives up before.
        seed: Of the run.
        refused_after: Seconds from each attempt's start to its failure; it shortens the delays of
            a policy that counts from the start.

    Returns:
        Seconds from the loss or the failure to the next attempt, shape (n_clients, n_attempts).
    """
    if n_clients > 1 and not leaves_to_chance(policy):
        of_one = first_delays(policy, 1, n_attempts, seed=seed, refused_after=refused_after)
        return np.repeat(of_one, n_clients, axis=0)
    columns = n_retries(policy, n_attempts)
    waits = np.zeros((n_clients, columns))
    clients = np.arange(n_clients)
    own = uniforms(seed, Purpose.OWN, clients)
    steps: NDArray[np.integer] = np.zeros(n_clients, dtype=np.int64)
    drawn = np.zeros(n_clients)
    at = np.zeros(n_clients)
    for column in range(columns):
        attempt = column + 1
        elapsed = refused_after if column else (_LONG if policy.first_from_start else 0.0)
        from_start = policy.first_from_start if not column else counts_from_start(policy)
        from_start = from_start and policy.count_from != "remainder"
        steps, drawn = next_waits(
            policy,
            steps + 1,
            uniforms(seed, Purpose.BACKOFF, clients, FIRST_EPISODE, attempt),
            drawn,
            own=own,
            downtime=at - elapsed if from_start else at,
            elapsed=elapsed,
        )
        waits[:, column] = np.maximum(drawn - elapsed, 0.0) if from_start else drawn
        at = at + waits[:, column] + refused_after
    return waits


def longest_delay(policy: Policy) -> float | None:
    """Seconds of the longest delay of a policy; None where there is no end, or none that shows."""
    if policy.function:
        return None
    steps = np.array([*range(1, 65), *_FAR])
    previous = np.full(steps.size, LONGEST_DELAY)
    by_draw = [delays(policy, steps, np.full(steps.size, u), previous, own=u) for u in (0.0, 1.0)]
    *all_others, near, far = np.max(by_draw, axis=0).tolist()
    near, far = (max(*all_others, last) for last in (near, far))
    return near if near == far < LONGEST_DELAY else None
