"""Clients are dealt to cohorts by the largest remainder, in a seeded order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.core.cohorts import cohort_sizes, deal_cohorts


@pytest.mark.parametrize(
    ("shares", "n_clients", "sizes"),
    [
        ([1.0], 7, [7]),
        ([0.5, 0.5], 5, [3, 2]),
        ([0.6, 0.25, 0.15], 10, [6, 3, 1]),
        ([0.29, 0.71], 100, [29, 71]),
        ([1 / 3, 1 / 3, 1 / 3], 3, [1, 1, 1]),
    ],
)
def test_sizes_follow_the_largest_remainder(shares, n_clients, sizes):
    """Whole clients first, then one each for the largest remainders, the first of equal ones."""
    assert cohort_sizes(shares, n_clients).tolist() == sizes


@given(
    st.lists(st.floats(0.01, 1.0), min_size=1, max_size=8),
    st.integers(1, 500),
    st.integers(0, 2**32),
)
def test_every_client_is_dealt_once(shares, n_clients, seed):
    """The cohorts make up the fleet, each within one client of its share."""
    counts = np.bincount(deal_cohorts(seed, shares, n_clients), minlength=len(shares))
    assert counts.sum() == n_clients
    assert np.all(np.abs(counts - n_clients * np.array(shares) / sum(shares)) < 1 + 1e-9)


def test_the_seed_decides_who_is_in_which():
    """The same seed deals the same cohorts, and neither has all the low numbers."""
    dealt = deal_cohorts(1, [0.5, 0.5], 1000)
    assert np.array_equal(dealt, deal_cohorts(1, [0.5, 0.5], 1000))
    assert not np.array_equal(dealt, deal_cohorts(2, [0.5, 0.5], 1000))
    assert 200 < np.count_nonzero(dealt[:500] == 0) < 300
