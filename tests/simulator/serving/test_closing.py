"""When serving is over."""

import pytest

from simulator.scenario import Scenario
from simulator.serving.closing import Closing, Look

RESTART = {"starts_at": 1.0, "down_for": 2.0}


def reasons(*looks, outages=(RESTART,), **fields):
    """What is said at each look: (at, connected, expected) or with False for down."""
    scenario = Scenario(**{"horizon": 30.0, "settle": 3.0, **fields}, outage=outages)
    closing = Closing(scenario)
    return [
        closing.reason(Look(at=at, n_connected=connected, n_expected=expected, is_up=not is_down))
        for at, connected, expected, *is_down in looks
    ]


def test_it_is_over_when_everybody_has_been_back_for_a_while():
    """After the last outage, and without a break."""
    said = reasons((0.5, 9, 9), (4.0, 8, 9), (5.0, 9, 9), (7.0, 8, 9), (8.0, 9, 9), (11.0, 9, 9))
    assert said[:-1] == [None] * 5
    assert said[-1] == "everybody is back or has left, and it stays so"


def test_it_is_not_over_while_an_outage_is_on():
    """Scheduled or not."""
    assert reasons((4.0, 9, 9), (6.0, 0, 9, True), (7.5, 9, 9), (10.4, 9, 9))[-1] is None


def test_it_is_over_when_everybody_has_left():
    """Nobody is expected any more."""
    assert reasons((4.0, 0, 0), (7.0, 0, 0))[-1] is not None


def test_it_ends_at_the_horizon_at_the_latest():
    """Whoever is still missing."""
    assert reasons((29.9, 3, 9), (30.0, 3, 9)) == [None, "the horizon has come"]


@pytest.mark.parametrize("at", [4.0, 1000.0])
def test_without_a_schedule_it_is_never_over_by_itself(at):
    """There is nothing to wait for."""
    assert reasons((1.0, 9, 9), (at, 9, 9), outages=()) == [None, None]


@pytest.mark.parametrize(
    ("at", "is_up", "outages", "is_cut_short"),
    [
        (None, True, (RESTART,), True),
        (0.5, True, (RESTART,), True),
        (2.9, False, (RESTART,), True),
        (3.1, True, (RESTART,), False),
        (9.0, False, (RESTART,), True),
        (None, True, (), False),
        (9.0, False, (), False),
    ],
)
def test_it_is_cut_short_while_more_of_a_schedule_would_come(at, is_up, outages, is_cut_short):
    """Without a schedule, Ctrl-C is how it ends."""
    closing = Closing(Scenario(horizon=30.0, outage=outages))
    assert closing.is_cut_short(at, is_up=is_up) is is_cut_short
