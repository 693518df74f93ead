"""Which clients share an address."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from simulator.core.addresses import address_numbers, address_text


def test_clients_of_a_cohort_share_addresses_in_the_order_of_their_numbers():
    """Three to an address in the first cohort, each its own in the second."""
    cohort_of = np.array([0, 1, 0, 0, 1, 0], dtype=np.uint16)
    assert address_numbers(cohort_of, [3, 1]).tolist() == [0, 2, 0, 0, 3, 1]


@given(
    cohort_of=st.lists(st.integers(0, 2), max_size=60),
    together=st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5)),
)
def test_addresses_are_full_but_for_the_last_of_each_cohort(cohort_of, together):
    """And none is shared by two cohorts, nor left out."""
    cohorts = np.array(cohort_of, dtype=np.uint16)
    numbers = address_numbers(cohorts, together)
    assert set(numbers.tolist()) == set(range(len(set(numbers.tolist()))))
    for cohort, most in enumerate(together):
        _, counts = np.unique(numbers[cohorts == cohort], return_counts=True)
        assert all(counts[:-1] == most)
        assert not set(numbers[cohorts == cohort]) & set(numbers[cohorts != cohort])


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "10.0.0.0"), (255, "10.0.0.255"), (256, "10.0.1.0"), (2**24 - 1, "10.255.255.255")],
)
def test_addresses_are_private_ones(number, text):
    """16 million of them."""
    assert address_text(number) == text
