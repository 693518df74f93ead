"""Delays before anything runs."""

import numpy as np
import pytest

from server_stub.draws import Purpose, uniform
from simulator.core.backoff import BASIC, Policy
from simulator.core.lifecycle import Lifecycle
from simulator.core.outcomes import NoticedBy, Outcome
from simulator.core.preview import delay_bounds, first_delays

POLICIES = {
    **BASIC,
    "eager": Policy(cap=5.0, jitter="subtractive", spread=0.5, immediate_first=True),
    "impatient": Policy(cap=5.0, jitter="full", max_attempts=3),
    "punctual": Policy(base=0.5, cap=5.0, jitter="additive", spread=0.1, count_from="start"),
}


@pytest.mark.parametrize("name", POLICIES)
def test_as_lived(name):
    """The delays are those of a client whose every attempt is refused after 1 ms."""
    policy, client, seed = POLICIES[name], 4, 9
    lived = []
    life = Lifecycle(
        client,
        policy,
        lambda episode, attempt: uniform(seed, Purpose.BACKOFF, client, episode, attempt),
        due_at=0.0,
    )
    life.opened(0.0, 0.0)
    step = life.lost(0.0, NoticedBy.RESET, 1006, "")[-1]
    while len(lived) < 12 and hasattr(step, "delay"):
        lived.append(step.delay)
        life.dial()
        step = life.attempt_failed(step.due_at, step.due_at + 0.001, Outcome.REFUSED)[-1]
    drawn = first_delays(policy, 10, 12, seed=seed)[client]
    assert drawn == pytest.approx(lived, abs=1e-9)


@pytest.mark.parametrize("name", POLICIES)
def test_bounds(name):
    """Thousands of draws fill the bounds and stay within them."""
    drawn = first_delays(POLICIES[name], 20_000, 6, seed=1, refused_after=0.0)
    low, high = np.array(delay_bounds(POLICIES[name], 6)).T
    assert (drawn >= low).all()
    assert (drawn <= high).all()
    slack = 0.01 * (high - low)
    if POLICIES[name].jitter != "decorrelated":  # whose bounds are the ends of long tails
        assert (drawn.min(axis=0) <= low + slack).all()
        assert (drawn.max(axis=0) >= high - slack).all()
