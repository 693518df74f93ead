"""Timers of hidden pages run late, as browsers have it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.core.visibility import HIDDEN_FOR_LONG, LONG_WAKE_UP, SHORT_WAKE_UP, throttled

INSTANTS = st.floats(0.0, 1e5)
PHASES = st.floats(0.0, 1.0, exclude_max=True)


@pytest.mark.parametrize(
    ("due_at", "hidden_since", "runs_at"),
    [
        (10.25, None, 10.25),
        (10.25, 0.0, 11.0),
        (11.0, 0.0, 11.0),
        (10.25, 10.5, 10.25),
        (299.0, 0.0, 299.0),
        (299.5, 0.0, 300.0),
        (300.5, 0.0, 360.0),
        (360.0, 0.0, 360.0),
        (360.5, 0.0, 420.0),
        (319.5, 20.0, 360.0),
    ],
)
def test_hidden_timers_run_once_a_second_and_later_once_a_minute(due_at, hidden_since, runs_at):
    """Five minutes after the page was hidden the long interval begins."""
    assert throttled(due_at, hidden_since) == runs_at


def test_a_timer_that_is_not_chained_is_only_throttled_to_a_second():
    """A delay that is set when a connection closes is one."""
    assert throttled(1000.25, 0.0, chained=False) == 1001.0
    assert throttled(1000.25, 0.0) == 1020.0


def test_wake_ups_are_shifted_by_the_phase():
    """So that the hidden pages of a herd do not wake together."""
    assert throttled(1000.25, 0.0, phase=0.5) == 1050.0
    assert throttled(10.25, 0.0, phase=0.01) == pytest.approx(10.6)


@given(INSTANTS, INSTANTS, PHASES, st.booleans())
def test_a_timer_runs_late_by_less_than_a_wake_up(due_at, hidden_since, phase, chained):
    """Never early."""
    at = throttled(due_at, hidden_since, phase=phase, chained=chained)
    long = chained and at >= hidden_since + HIDDEN_FOR_LONG
    assert 0 <= at - due_at <= LONG_WAKE_UP + SHORT_WAKE_UP if long else at - due_at < 1.0001


@given(INSTANTS, INSTANTS, PHASES, st.booleans())
def test_a_wake_up_is_its_own_wake_up(due_at, hidden_since, phase, chained):
    """A shell that asks again at the instant it was told does not wait again."""
    at = throttled(due_at, hidden_since, phase=phase, chained=chained)
    assert throttled(at, hidden_since, phase=phase, chained=chained) == at


@pytest.mark.parametrize("hidden_for", [0.0, HIDDEN_FOR_LONG])
def test_rounding_loses_no_wake_up(hidden_for):
    """A tick is its own tick, and an instant just after it waits for the next."""
    for number in range(2000):
        phase, hidden_since = (number % 97) / 97, 12.3 * number
        at = throttled(hidden_since + hidden_for, hidden_since, phase=phase)
        assert throttled(at, hidden_since, phase=phase) == at
        after = math.nextafter(at, math.inf)
        assert throttled(after, hidden_since, phase=phase) > after


@given(INSTANTS, st.floats(0.0, 1000.0), INSTANTS, PHASES, st.booleans())
def test_timers_keep_their_order(due_at, gap, hidden_since, phase, chained):
    """What is due later never runs earlier."""
    first, second = (
        throttled(at, hidden_since, phase=phase, chained=chained) for at in (due_at, due_at + gap)
    )
    assert first <= second


@given(INSTANTS, INSTANTS, PHASES)
def test_after_five_minutes_a_page_wakes_on_whole_minutes_of_its_clock(late, hidden_since, phase):
    """All timers that are due between two wake-ups run together."""
    at = throttled(hidden_since + HIDDEN_FOR_LONG + late, hidden_since, phase=phase)
    minutes = at / LONG_WAKE_UP - phase
    assert math.isclose(minutes, round(minutes), abs_tol=1e-6)
