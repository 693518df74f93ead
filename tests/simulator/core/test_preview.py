"""Delays before anything runs."""

import numpy as np
import pytest

from server_stub.draws import Purpose, uniform
from simulator.core.backoff import BASIC, Policy
from simulator.core.lifecycle import Lifecycle
from simulator.core.outcomes import NoticedBy, Outcome
from simulator.core.presets import PRESETS
from simulator.core.preview import delay_bounds, first_delays, longest_delay

POLICIES = {
    **BASIC,
    "eager": Policy(cap=5.0, jitter="subtractive", spread=0.5, immediate_first=True),
    "impatient": Policy(cap=5.0, jitter="full", max_attempts=3),
    **{name: preset.policy for name, preset in PRESETS.items()},
    "suspended": Policy(
        growth="constant", base=7.0, jitter="full", suspended_after=20.0, suspended_delay=3.0
    ),
    "punctual": Policy(base=0.5, cap=5.0, jitter="additive", spread=0.1, count_from="start"),
}

TAILS = {"actioncable", "ably", "suspended"} | {
    name for name, policy in POLICIES.items() if policy.jitter == "decorrelated"
}
"""Policies whose bounds are the ends of long tails."""


@pytest.mark.parametrize("name", POLICIES)
def test_as_lived(name):
    """The delays are those of a client whose every attempt is refused after 1 ms."""
    policy, client, seed = POLICIES[name], 4, 9
    lived = []
    life = Lifecycle(
        client,
        policy,
        lambda episode, attempt: uniform(seed, Purpose.BACKOFF, client, episode, attempt),
        due_at=-1000.0,
        own=uniform(seed, Purpose.OWN, client),
    )
    life.opened(-1000.0, -1000.0)
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
    assert (drawn >= low - 1e-9).all()
    assert (drawn <= high + 1e-9).all()
    slack = 0.01 * (high - low)
    if name not in TAILS:
        assert (drawn.min(axis=0) <= low + slack).all()
        assert (drawn.max(axis=0) >= high - slack).all()


@pytest.mark.parametrize(
    ("policy", "seconds"),
    [
        (BASIC["immediate"], 0.0),
        (BASIC["fixed"], 1.0),
        (BASIC["linear"], 10.0),
        (BASIC["exponential-proportional-jitter"], 13.0),
        (BASIC["exponential-decorrelated-jitter"], 10.0),
        (Policy(growth="linear"), None),
        (Policy(), None),
        (Policy(waits=(5.0, ((0.0, 1.0), (1.0, 8.0)), 2.0)), 8.0),
        (PRESETS["socket.io"].policy, 5.0),
        (PRESETS["signalr"].policy, 30.0),
        (Policy(function="anything:at_all"), None),
    ],
    ids=str,
)
def test_longest(policy, seconds):
    """The longest delay there is, jitter included; none where delays grow for ever."""
    assert longest_delay(policy) == (None if seconds is None else pytest.approx(seconds))
