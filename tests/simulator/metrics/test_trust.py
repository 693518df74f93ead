"""The verdict: the worse of the two lags, beside the policy's first delay."""

import math

import numpy as np
import pytest

from simulator.core.backoff import BASIC, first_delay
from simulator.metrics.load import EveryAttempt
from simulator.metrics.trust import thresholds, verdict
from simulator.results import Thresholds
from simulator.scenario import Cohort, Scenario

LIMITS = Thresholds(ok=0.1, strained=0.3)


def cohort(name, policy, share=1.0):
    """Some clients with this policy."""
    return Cohort(name=name, share=share, policy=policy)


def limits(*cohorts):
    """The thresholds of a scenario with these."""
    return thresholds(Scenario(n_clients=10, horizon=10.0, cohort=cohorts))


def test_thresholds_are_a_tenth_and_three_tenths_of_the_first_delay():
    """A lag smears a burst as jitter would."""
    slow = BASIC["fixed"].model_copy(update={"base": 5.0})
    assert limits(cohort("all", slow)).ok == pytest.approx(0.1 * first_delay(slow))
    assert limits(cohort("all", slow)).strained == pytest.approx(0.3 * first_delay(slow))


def test_thresholds_are_never_tighter_than_50_and_150_ms():
    """No machine could meet them."""
    assert limits(cohort("all", BASIC["immediate"])) == Thresholds(ok=0.05, strained=0.15)


def test_the_shortest_delay_of_all_cohorts_counts():
    """The most hurried clients are the first whose figures blur."""
    slow = BASIC["fixed"].model_copy(update={"base": 5.0})
    mixed = limits(cohort("slow", slow, 0.5), cohort("hurried", BASIC["immediate"], 0.5))
    assert mixed == Thresholds(ok=0.05, strained=0.15)


@pytest.mark.parametrize(
    ("lags", "expected"),
    [
        ((0.0, 0.0), "ok"),
        ((0.1, 0.0), "ok"),
        ((0.11, 0.0), "strained"),
        ((0.0, 0.3), "strained"),
        ((0.2, 0.31), "saturated"),
        ((math.nan, math.nan), "ok"),
        ((math.nan, 0.2), "strained"),
    ],
)
def test_the_worse_lag_decides(lags, expected):
    """A side without samples was not late."""
    assert verdict(lags, LIMITS) == expected


def test_generator_lag_is_from_due_to_started():
    """Latency counts from when a thing was owed."""
    attempts = {"due_at": np.array([1.0, 2.0]), "started_at": np.array([1.0, 2.5])}
    assert EveryAttempt(attempts).lag(0.5) == 0.0
    assert EveryAttempt(attempts).lag(0.99) == 0.5
