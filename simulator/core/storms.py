"""The attempts of many clients in one outage, before anything runs: when each of them falls.

The clients lose their connections at one instant and notice at once; every attempt is refused a
fixed time after it starts. Whatever else a server does to a storm is left out.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.core.backoff import Policy
from simulator.core.preview import delay_bounds, first_delays

_SCOUTS = 32
"""Clients who show how many attempts there will be."""
_FIRST_LOOK = 16
"""Attempts of theirs that are drawn at first; they last most policies for half a minute."""
MOST_ATTEMPTS = 128
"""Of each client that are ever drawn. Whoever tries more often is in a loop, and a loop looks the
same however long one watches it."""
_FEW = 0.01
"""Share of the clients whose further attempts may be missing."""
_SHORTEST = 1.0
"""Seconds of a herd's attempts that are worth looking at."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Attempts:
    """When each client makes each of its attempts."""

    at: NDArray[np.float64]
    """Seconds after the loss, shape (n_clients, n_attempts); infinite for one that is not made
    within the time that was looked at."""
    until: float
    """Seconds after the loss that were looked at: all that was asked for, unless one in a hundred
    has made MOST_ATTEMPTS before."""

    @property
    def n_clients(self) -> int:
        """How many clients there are."""
        return len(self.at)

    @property
    def instants(self) -> NDArray[np.float64]:
        """Of all attempts that are made, client by client, shape (n,)."""
        return self.at[np.isfinite(self.at)]


def attempts_until(
    policy: Policy, n_clients: int, until: float, *, seed: int, refused_after: float
) -> Attempts:
    """The attempts of a herd during an outage.

    Args:
        policy: The policy of all.
        n_clients: Clients 0 to n - 1, with the draws of a run with this seed.
        until: Seconds after the loss; attempts at or after it do not count.
        seed: Of the draws.
        refused_after: Seconds from each attempt's start to its failure.

    Returns:
        At most MOST_ATTEMPTS of each client.
    """
    n_attempts = _FIRST_LOOK if n_clients <= _SCOUTS else _reach(policy, until, seed, refused_after)
    while True:
        at = _instants(policy, n_clients, n_attempts, seed, refused_after)
        gave_up = at.shape[1] < n_attempts
        if not gave_up and n_attempts >= MOST_ATTEMPTS:
            until = min(until, float(np.quantile(at[:, -1], _FEW)))
        if gave_up or n_attempts >= MOST_ATTEMPTS or (at[:, -1] >= until).all():
            return Attempts(at=np.where(at < until, at, np.inf), until=until)
        n_attempts = min(MOST_ATTEMPTS, n_attempts + n_attempts // 2 + 1)


def _reach(policy: Policy, until: float, seed: int, refused_after: float) -> int:
    """How many attempts of each client to look at first, as a few of them show."""
    scouts = attempts_until(policy, _SCOUTS, until, seed=seed, refused_after=refused_after)
    made = np.isfinite(scouts.at).sum(axis=1)
    return min(MOST_ATTEMPTS, int(made.max(initial=0)) + 2)


def _instants(
    policy: Policy, n_clients: int, n_attempts: int, seed: int, refused_after: float
) -> NDArray[np.float64]:
    """Seconds after the loss at which each attempt starts, shape (n_clients, n_attempts)."""
    waits = first_delays(policy, n_clients, n_attempts, seed=seed, refused_after=refused_after)
    return np.cumsum(waits, axis=1) + refused_after * np.arange(waits.shape[1])


def until_attempt(
    policy: Policy, n_attempts: int, *, at_most: float, refused_after: float
) -> float:
    """Seconds after the loss by which any client of a policy has made so many attempts.

    Args:
        policy: The policy.
        n_attempts: Fewer if the policy gives up before.
        at_most: Seconds; nor is it less than a second.
        refused_after: Seconds from each attempt's start to its failure.
    """
    latest = [high for _, high in delay_bounds(policy, n_attempts)]
    return min(at_most, max(_SHORTEST, sum(latest) + refused_after * len(latest)))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LoadCurve:
    """The attempts of a herd over time."""

    edges: NDArray[np.float64]
    """Seconds after the loss; of the bins, shape (n + 1,)."""
    per_second: NDArray[np.float64]
    """Attempts, shape (n,)."""


def load_curve(attempts: Attempts, width: float) -> LoadCurve:
    """How many attempts per second a herd makes.

    Args:
        attempts: Of the herd.
        width: Seconds; of a bin. The last one ends where the herd has still been looked at, or is
            the only one.
    """
    n_bins = max(1, math.floor(attempts.until / width))
    edges = width * np.arange(n_bins + 1, dtype=np.float64)
    counts, _ = np.histogram(attempts.instants, edges)
    return LoadCurve(edges=edges, per_second=counts / width)
