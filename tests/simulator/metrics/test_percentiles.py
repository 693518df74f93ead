"""Percentile p of n values is the ceil(p * n)-th smallest."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.metrics.percentiles import percentile, rank

VALUES = st.lists(st.floats(0, 100) | st.just(math.inf), min_size=1, max_size=50)


@given(VALUES, st.integers(1, 100))
def test_is_the_value_at_that_rank(values, percent):
    """In exact arithmetic, of the sorted values; "never" sorts last."""
    position = math.ceil(Fraction(percent, 100) * len(values)) - 1
    assert percentile(np.array(values), percent / 100) == sorted(values)[position]


@pytest.mark.parametrize(
    ("share", "n", "expected"), [(0.07, 100, 7), (0.99, 100, 99), (0.5, 3, 2), (1.0, 10**8, 10**8)]
)
def test_rank_has_no_rounding_error(share, n, expected):
    """0.07 * 100 is a little more than 7 in floating point."""
    assert rank(share, n) == expected


def test_is_infinite_once_too_many_never_came_back():
    """95 of 100 are back: p95 is the slowest of them, p96 is never."""
    values = np.append(np.arange(1.0, 96.0), np.full(5, np.inf))
    assert percentile(values, 0.95) == 95.0
    assert percentile(values, 0.96) == math.inf


def test_of_nothing_is_nan():
    """There is nothing to measure it by."""
    assert math.isnan(percentile(np.empty(0), 0.5))
