"""Token buckets against closed forms, and against one that counts its tokens."""

import math
from fractions import Fraction

import hypothesis.strategies as st
import pytest
from hypothesis import given

from server_stub.bucket import Bucket


def admitted(bucket, instants):
    """When each token was taken."""
    return [at for at in instants if bucket.take(at)]


@pytest.mark.parametrize(("rate", "burst"), [(10.0, 1), (10.0, 7), (0.5, 3), (3.0, 100)])
@pytest.mark.parametrize("seconds", [0, 1, 4, 30])
def test_it_admits_rate_times_t_plus_burst(rate, burst, seconds):
    """Of many more that come, from a full bucket on, rounded down."""
    instants = [step / 1000 for step in range(1000 * seconds + 1) for _ in range(5)]
    expected = min(math.floor(rate * seconds + burst + 1e-9), len(instants))
    assert len(admitted(Bucket(rate, burst), instants)) == expected


def test_it_fills_up_to_its_burst_and_no_further():
    """However long the silence."""
    bucket = Bucket(2.0, 3)
    assert len(admitted(bucket, [0.0] * 9)) == 3
    assert len(admitted(bucket, [1000.0] * 9)) == 3


def test_who_is_not_admitted_takes_nothing():
    """A hundred in vain do not put the next token off."""
    bucket = Bucket(1.0, 1)
    assert admitted(bucket, [0.0, *(0.5 for _ in range(100)), 1.0, 1.5, 2.0]) == [0.0, 1.0, 2.0]


def test_it_says_when_the_next_tokens_come():
    """One, two and three of them; four it does not hold."""
    bucket = Bucket(2.0, 3)
    assert [bucket.next_at(5.0, n) for n in (1, 3, 4)] == [5.0, 5.0, math.inf]
    admitted(bucket, [5.0] * 3)
    assert [bucket.next_at(5.0, n) for n in (1, 2, 3, 4)] == [5.5, 6.0, 6.5, math.inf]


@given(
    rate=st.integers(1, 20),
    burst=st.integers(1, 6),
    gaps=st.lists(st.integers(0, 40), max_size=60),
)
def test_it_is_a_bucket_with_tokens_in_it(rate, burst, gaps):
    """The same are admitted by one that counts, exactly, in fractions; instants are eighths."""
    bucket, level, at, last = Bucket(rate, burst), Fraction(burst), Fraction(0), Fraction(0)
    for gap in gaps:
        at += Fraction(gap, 32)
        level = min(Fraction(burst), level + (at - last) * rate)
        last = at
        assert bucket.n_tokens(float(at)) == math.floor(level)
        assert bucket.take(float(at)) is (level >= 1)
        level -= level >= 1
