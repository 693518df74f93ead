"""Which client belongs to which cohort (RULES.md, 2)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from server_stub.draws import permutation


def deal_cohorts(seed: int, shares: Sequence[float], n_clients: int) -> NDArray[np.uint16]:
    """Deal clients to cohorts in a seeded order, so that no cohort has the lowest numbers.

    Args:
        seed: Of the run.
        shares: Relative size of each cohort.
        n_clients: Size of the fleet.

    Returns:
        The index of each client's cohort, shape (n_clients,).
    """
    if len(shares) == 1:
        return np.zeros(n_clients, dtype=np.uint16)
    cohort_of = np.empty(n_clients, dtype=np.uint16)
    cohorts = np.arange(len(shares), dtype=np.uint16)
    cohort_of[permutation(seed, n_clients)] = np.repeat(cohorts, cohort_sizes(shares, n_clients))
    return cohort_of


def cohort_sizes(shares: Sequence[float], n_clients: int) -> NDArray[np.intp]:
    """Whole numbers of clients, by the largest remainder; of equal remainders the first wins.

    Args:
        shares: Relative size of each cohort.
        n_clients: What the sizes add up to.

    Returns:
        Clients per cohort, shape (n_cohorts,).
    """
    quotas = n_clients * np.asarray(shares, dtype=np.float64) / sum(shares)
    sizes = np.floor(quotas).astype(np.intp)
    by_remainder = np.argsort(sizes - quotas, kind="stable")
    sizes[by_remainder[: n_clients - sizes.sum()]] += 1
    return sizes
