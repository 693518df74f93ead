"""A policy's delays before anything runs: their bounds, and the draws of many clients."""

import numpy as np
from numpy.typing import NDArray

from server_stub.draws import Purpose, uniforms
from simulator.core.backoff import Policy, delay, delays

FIRST_EPISODE = 1
"""The first loss of connection after the ramp, whose draws these are."""


def n_retries(policy: Policy, at_most: int) -> int:
    """How many retries in a row the policy makes, if so many are looked at."""
    return at_most if policy.max_attempts is None else min(at_most, policy.max_attempts)


def delay_bounds(policy: Policy, n_attempts: int) -> list[tuple[float, float]]:
    """Between what and what the delay before each attempt of an episode lies.

    A delay rises or falls with its draw all the way, and never falls as the one before it rises;
    so the extremes come from draws that are all 0 or all 1.

    Args:
        policy: The policy.
        n_attempts: From the first after the loss; fewer if the policy gives up before.

    Returns:
        (low, high) in seconds for each attempt.
    """
    steps = range(1, n_retries(policy, n_attempts) + 1)
    runs = []
    for u in (0.0, 1.0):
        waits: list[float] = []
        for step in steps:
            waits.append(delay(policy, step, u, waits[-1] if waits else None))
        runs.append(waits)
    return [(min(pair), max(pair)) for pair in zip(*runs, strict=True)]


def first_delays(
    policy: Policy, n_clients: int, n_attempts: int, *, seed: int, refused_after: float = 0.001
) -> NDArray[np.float64]:
    """The delays of many clients in their first episode, as a run with this seed draws them.

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
    columns = n_retries(policy, n_attempts)
    waits = np.zeros((n_clients, columns))
    clients = np.arange(n_clients)
    for column in range(columns):
        attempt = column + 1
        draws = uniforms(seed, Purpose.BACKOFF, clients, FIRST_EPISODE, attempt)
        previous = waits[:, column - 1] if column else None
        waits[:, column] = delays(policy, np.full(n_clients, attempt), draws, previous)
    if policy.count_from == "start":
        waits[:, 1:] = np.maximum(waits[:, 1:] - refused_after, 0.0)
    return waits
