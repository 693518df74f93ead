"""Each preset waits as its library's rule says, stated here a second time and independently."""

import itertools
import random

import numpy as np
import pytest
from scipy import stats

from simulator.core.backoff import most_retries
from simulator.core.presets import PRESETS
from simulator.core.preview import delay_bounds, first_delays

from .rules import REFUSED_AFTER, RULES

N_CLIENTS, N_ATTEMPTS = 8000, 12
SAME = 0.032
"""Largest distance between two empirical distributions of N_CLIENTS draws each: one pair in two
thousand of the same distribution is further apart."""


def drawn(name):
    """As herd draws the preset's delays, shape (clients, attempts)."""
    policy = PRESETS[name].policy
    return first_delays(policy, N_CLIENTS, N_ATTEMPTS, seed=5, refused_after=REFUSED_AFTER)


def stated(name):
    """As the rule says, shape (clients, attempts)."""
    rng = random.Random(name)
    rows = [list(itertools.islice(RULES[name](rng), N_ATTEMPTS)) for _ in range(N_CLIENTS)]
    return np.array(rows)


def test_each_preset_has_a_rule():
    """No preset goes unchecked."""
    assert RULES.keys() == PRESETS.keys()


@pytest.mark.parametrize("name", RULES)
def test_delays_are_distributed_as_the_rule_says(name):
    """At every quantile of each of the first twelve attempts, or until the library gives up."""
    ours, theirs = np.round(drawn(name), 3), np.round(stated(name), 3)
    assert ours.shape == theirs.shape
    for attempt, (our, their) in enumerate(zip(ours.T, theirs.T, strict=True), start=1):
        if np.ptp(their) == 0:
            assert set(our) == set(their), attempt
        else:
            assert stats.ks_2samp(our, their).statistic < SAME, attempt


@pytest.mark.parametrize("name", RULES)
def test_delays_stay_within_what_the_rule_allows(name):
    """The bounds that are listed hold for what the rule itself draws, to the millisecond."""
    theirs = stated(name)
    for attempt, (low, high) in enumerate(delay_bounds(PRESETS[name].policy, N_ATTEMPTS)):
        slack = 0.0021 if PRESETS[name].policy.suspended_after is None else 0.5
        assert theirs[:, attempt].min() >= low - slack - REFUSED_AFTER
        assert theirs[:, attempt].max() <= high + slack


@pytest.mark.parametrize(
    ("name", "n_retries"),
    [
        ("signalr", 4),
        ("robust-websocket", 3),
        ("graphql-ws", 1),
        ("graphql-ws-retrying", 5),
        ("nats", 10),
        ("stamina", 9),
    ],
)
def test_some_give_up(name, n_retries):
    """And nobody else ever does."""
    assert most_retries(PRESETS[name].policy) == n_retries


def test_nobody_else_gives_up():
    """Thirty of them retry for as long as it takes."""
    forever = [name for name, preset in PRESETS.items() if most_retries(preset.policy) is None]
    assert len(forever) == len(PRESETS) - 6


def test_later_delays_of_a_base_drawn_once_follow_from_the_first():
    """Not only their distributions: reconnecting-websocket's delays are one number's multiples."""
    rows = drawn("reconnecting-websocket")
    unbounded = rows[:, 3] < 10
    assert rows[unbounded, 3] == pytest.approx(rows[unbounded, 0] * 1.3**3, abs=0.004)
