"""Searches: where an answer changes, and the least that will do."""

from hypothesis import given
from hypothesis import strategies as st

from simulator.planning.policies import pareto_front
from simulator.planning.search import edge, smallest


@given(threshold=st.integers(1, 5000), start=st.integers(1, 300))
def test_the_smallest_is_found_from_anywhere(threshold, start):
    """Whether the start already meets it or not; without a tolerance to the very number."""
    assert smallest(lambda n: n >= threshold, start=start, most=10_000) == threshold


def test_what_nothing_meets_has_no_smallest():
    """Not even the largest number does."""
    assert smallest(lambda n: False, start=3, most=50) is None


@given(threshold=st.floats(1.01, 15.0), up=st.booleans())
def test_an_edge_is_bracketed(threshold, up):
    """The last value with today's answer and the first with the other lie close to both sides."""
    at = threshold if up else 1 / threshold
    found = edge(lambda x: x < at, start=1.0, up=up, most=16.0, tolerance=0.03)
    low, high = sorted((found.last, found.first))
    assert low <= at <= high <= 1.0301 * low


def test_no_edge_as_far_as_was_looked():
    """Then the furthest value is told, and no first one."""
    found = edge(lambda x: True, start=2.0, up=True, most=8.0, tolerance=0.1)
    assert found == (16.0, None)


def test_the_front_has_whom_nobody_beats_in_both():
    """Of equals the first; who never got there is not on it."""
    points = [(1.0, 9.0), (2.0, 4.0), (3.0, 4.0), (2.0, 4.0), (5.0, 1.0), (float("inf"), 0.5)]
    assert pareto_front(points) == {0, 1, 4}
