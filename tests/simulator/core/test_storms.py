"""The attempts of many clients in one outage."""

import numpy as np
import pytest

from simulator.core.backoff import BASIC, Policy
from simulator.core.preview import first_delays
from simulator.core.storms import MOST_ATTEMPTS, attempts_until, load_curve, until_attempt


def test_attempts_follow_the_delays_and_the_refusals():
    """An attempt starts its delay after the one before it was refused."""
    policy = BASIC["exponential-full-jitter"]
    storm = attempts_until(policy, 5, 12.0, seed=3, refused_after=0.5)
    waits = first_delays(policy, 5, 3, seed=3, refused_after=0.5)
    assert storm.at[:, 0] == pytest.approx(waits[:, 0])
    assert storm.at[:, 2] == pytest.approx(waits[:, :3].sum(axis=1) + 1.0)


def test_attempts_after_the_outage_are_not_made():
    """The outage is a half-open interval: an attempt at its very end does not count."""
    storm = attempts_until(BASIC["fixed"], 2, 4.0, seed=1, refused_after=0.0)
    assert storm.instants.tolist() == [1.0, 2.0, 3.0] * 2
    assert storm.n_clients == 2


@pytest.mark.parametrize("n_steps", [1, 20, 40])
def test_long_outages_are_followed_to_their_end(n_steps):
    """However many attempts that takes."""
    storm = attempts_until(BASIC["fixed"], 1, n_steps + 0.5, seed=1, refused_after=0.0)
    assert storm.instants.size == n_steps
    assert storm.until == n_steps + 0.5


def test_clients_that_give_up_make_no_more_attempts():
    """Nobody tries a fourth time after three retries are used up."""
    policy = Policy(growth="constant", base=2.0, max_attempts=3)
    storm = attempts_until(policy, 4, 30.0, seed=1, refused_after=0.0)
    assert storm.instants.tolist() == [2.0, 4.0, 6.0] * 4
    assert storm.until == 30.0


def test_loops_are_cut_short_and_say_so():
    """A client in a loop is watched for so many attempts, and the time ends there for all."""
    storm = attempts_until(BASIC["immediate"], 3, 1e6, seed=1, refused_after=0.02)
    assert storm.at.shape == (3, MOST_ATTEMPTS)
    assert storm.until == pytest.approx(0.02 * (MOST_ATTEMPTS - 1))
    assert storm.instants.max() < storm.until


def test_a_few_clients_in_haste_do_not_cut_it_short():
    """The time ends where one in a hundred has been watched for long enough."""
    eager = Policy(base=0.01, cap=2.0, jitter="decorrelated")
    storm = attempts_until(eager, 500, 1e6, seed=1, refused_after=0.02)
    ended = np.isinf(storm.at[:, -1]).mean()
    assert 0.97 <= ended < 1.0


def test_load_is_attempts_per_second():
    """Every attempt of whole bins is counted once, whatever the width."""
    storm = attempts_until(BASIC["exponential-full-jitter"], 200, 10.0, seed=1, refused_after=0.02)
    for width in (0.1, 2.5):
        curve = load_curve(storm, width)
        assert curve.edges[-1] == pytest.approx(10.0)
        assert (curve.per_second * width).sum() == pytest.approx(storm.instants.size)


def test_lockstep_is_one_bin():
    """A herd without jitter is a spike as wide as a bin."""
    curve = load_curve(attempts_until(BASIC["fixed"], 50, 1.5, seed=1, refused_after=0.0), 0.1)
    assert np.flatnonzero(curve.per_second).tolist() == [10]
    assert curve.per_second.max() == pytest.approx(500.0)


@pytest.mark.parametrize(
    ("policy", "seconds"),
    [
        (BASIC["fixed"], 12 * 1.5),
        (BASIC["exponential-full-jitter"], 1 + 2 + 4 + 8 + 8 * 10 + 12 * 0.5),
        (Policy(growth="constant", base=2.0, max_attempts=3), 3 * 2.5),
        (Policy(growth="constant", base=90.0), 150.0),
        (BASIC["immediate"], 6.0),
        (Policy(max_attempts=0), 1.0),
    ],
)
def test_how_long_the_first_attempts_take(policy, seconds):
    """The time by which the slowest client has made them, or the most that is asked for."""
    assert until_attempt(policy, 12, at_most=150.0, refused_after=0.5) == pytest.approx(seconds)
