"""What objectives ask for."""

import math

import pytest

from simulator.errors import InputError
from simulator.planning.objective import goals_of, parse_goal
from simulator.scenario import Objective


def test_strain_is_the_part_of_the_limit_that_is_taken():
    """Upper and lower limits alike: at most 1 where it is met; never is beyond all limits."""
    upper, lower = parse_goal("time_to_recovery_p99 < 30"), parse_goal("recovered_share >= 0.9")
    assert upper.strain(15.0) == 0.5
    assert upper.strain(math.inf) == math.inf
    assert lower.strain(1.0) == pytest.approx(0.9)
    assert lower.strain(0.0) == math.inf


def test_named_objectives_take_the_place_of_the_scenarios():
    """Its own are held to where none are named."""
    own = [Objective(metric="time_to_recovery_p99", op="<", value=30.0)]
    assert [goal.text for goal in goals_of([], own)] == ["time_to_recovery_p99 < 30"]
    assert [goal.text for goal in goals_of(["amplification < 5"], own)] == ["amplification < 5"]


@pytest.mark.parametrize("text", ["time_to_recover < 3", "time_to_recovery_p99 30"])
def test_what_makes_no_sense_is_refused(text):
    """With the option, what was given and what is allowed, in one line."""
    with pytest.raises(InputError, match="--objective") as caught:
        goals_of([text], [])
    assert "\n" not in str(caught.value)


def test_without_any_there_is_nothing_to_plan():
    """And how to give one is said."""
    with pytest.raises(InputError, match="METRIC OP VALUE"):
        goals_of([], [])
