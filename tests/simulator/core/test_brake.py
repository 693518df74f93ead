"""The browser's brake holds dials back as Firefox does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.core.brake import FACTOR, LONGEST_DELAY, MEMORY, Brake

DRAWS = st.floats(0.001, 0.999)


def fail_repeatedly(n_failures, u, *, given_up=False):
    """The page dials at once after each failure; returns the delays that it meets."""
    brake, now, delays = Brake(), 100.0, []
    for _ in range(n_failures):
        brake.failed(now, now, u, given_up=given_up)
        delays.append(brake.dial_at(now) - now)
        now = brake.dial_at(now)
    return delays


def test_without_a_failure_nothing_is_held_back():
    """The first dial of all leaves at once."""
    assert Brake().dial_at(5.0) == 5.0


@given(DRAWS)
def test_delays_begin_at_200_to_400_ms_and_grow_by_half_up_to_a_minute(u):
    """The draw decides the first delay, and with it all that follow."""
    delays = fail_repeatedly(25, u)
    assert 0.2 < delays[0] < 0.4
    assert delays == pytest.approx([min(LONGEST_DELAY, delays[0] * FACTOR**n) for n in range(25)])
    assert delays[-1] == pytest.approx(LONGEST_DELAY)


@given(DRAWS, st.floats(0.0, 1.0))
def test_a_page_that_waits_anyway_is_not_held_back_further(u, waited):
    """The delay counts from the failure."""
    brake = Brake()
    brake.failed(10.0, 10.0, u)
    assert brake.dial_at(10.0 + waited) == max(10.0 + waited, brake.released_at)


def test_a_success_clears_the_record():
    """The next failure is a first one."""
    brake = Brake()
    for now in (10.0, 20.0, 30.0):
        brake.failed(now, now, 0.5)
    brake.opened()
    assert brake.dial_at(30.0) == 30.0
    brake.failed(40.0, 41.0, 0.5)
    assert brake.released_at == pytest.approx(41.3)


def test_a_failure_is_forgotten_a_minute_after_its_delay():
    """What counts is when the attempt started, not when it failed."""
    brake = Brake()
    brake.failed(0.0, 0.0, 0.5)
    forgotten_at = brake.released_at + MEMORY
    brake.failed(forgotten_at - 0.1, forgotten_at + 5.0, 0.5)
    assert brake.released_at == pytest.approx(forgotten_at + 5.0 + 0.45)
    brake.failed(brake.released_at + MEMORY, 200.0, 0.5)
    assert brake.released_at == pytest.approx(200.3)


@given(DRAWS)
def test_an_attempt_that_the_page_gives_up_does_not_worsen_the_record(u):
    """It can begin one."""
    delays = fail_repeatedly(3, u, given_up=True)
    assert 0.2 < delays[0] < 0.4
    assert delays[1:] == [0.0, 0.0]
