"""Confidence intervals: against published values, and against what they promise."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.intervals import mean_of, paired_difference, wilson


def test_wilson_against_a_published_table():
    """Newcombe (1998), table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29."""
    for successes, n, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        found = wilson(successes, n)
        assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)
        assert found.estimate == successes / n


@given(n=st.integers(0, 500), share=st.floats(0, 1))
def test_wilson_lies_between_nothing_and_everything(n, share):
    """And holds what was seen."""
    found = wilson(round(share * n), n)
    assert 0 <= found.low <= found.high <= 1
    if n:
        assert found.low - 1e-12 <= found.estimate <= found.high + 1e-12


@pytest.mark.parametrize("successes", [-1, 6])
def test_more_successes_than_trials_are_none(successes):
    """A mistake, not a share."""
    with pytest.raises(ValueError, match="in 5 trials"):
        wilson(successes, 5)


def test_a_mean_is_inside_its_interval_as_often_as_promised():
    """95 % of 2,000 samples of ten, within the binomial error of that."""
    generator = np.random.default_rng(1)
    samples = generator.normal(3.0, 2.0, (2000, 10))
    inside = sum(found.low <= 3.0 <= found.high for found in map(mean_of, samples))
    assert inside / 2000 == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / 2000))


@pytest.mark.parametrize(("values", "estimate"), [([], math.nan), ([2.0], 2.0)])
def test_one_observation_says_nothing_of_the_spread(values, estimate):
    """Nor does none."""
    found = mean_of(values)
    assert found.estimate == pytest.approx(estimate, nan_ok=True)
    assert (found.low, found.high) == (-math.inf, math.inf)


@given(st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=30), st.floats(-10, 10))
def test_what_pairs_have_in_common_cancels_out(values, shift):
    """However far they scatter, the difference is exact."""
    found = paired_difference(values, [value + shift for value in values])
    assert (found.low, found.high) == pytest.approx((shift, shift), abs=1e-9)


def test_pairs_of_which_one_never_came_back_do_not_count():
    """Infinite less infinite is no difference."""
    found = paired_difference([1.0, math.inf, 3.0, math.inf], [2.0, math.inf, 4.0, 1.0])
    assert (found.estimate, found.n) == (1.0, 2)
