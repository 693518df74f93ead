"""Conditions: METRIC OP VALUE on a summary."""

import pytest

from simulator.errors import InputError
from simulator.metrics import Condition, evaluate, holds, parse_condition
from simulator.scenario import Objective

SUMMARY = {
    "recovered_share": 0.9,
    "reconnect_time_p99": None,
    "peak_backlog": 400,
    "metastable": True,
    "verdict": "ok",
    "outcomes": {"connected": 9, "rejected": 1},
    "n_operations": None,
    "unmeasured": ["n_operations"],
    "cohorts": {
        "web": {"recovered_share": 0.5, "peak_backlog": None, "unmeasured": ["peak_backlog"]}
    },
}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("recovered_share < 1", True),
        ("recovered_share<0.9", False),
        ("recovered_share <= 0.9", True),
        ("recovered_share > 9e-1", False),
        ("peak_backlog >= 400", True),
        ("peak_backlog == 400", True),
        ("peak_backlog != 400", False),
        ("metastable == true", True),
        ("metastable != True", False),
        ("verdict == ok", True),
        ("verdict != 'ok'", False),
        ("outcomes.rejected > 0", True),
        ("cohorts.web.recovered_share < 0.9", True),
    ],
)
def test_compares(expression, expected):
    """Numbers by order, words and truths by equality, dots into tables."""
    assert evaluate(expression, SUMMARY) is expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("reconnect_time_p99 > 1e9", True),
        ("reconnect_time_p99 < 1e9", False),
        ("reconnect_time_p99 == null", True),
        ("reconnect_time_p99 != inf", False),
    ],
)
def test_null_is_infinite(expression, expected):
    """It did not happen within the horizon."""
    assert evaluate(expression, SUMMARY) is expected


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("recovered_shar > 1", "did you mean 'recovered_share'"),
        ("outcomes.rejectd > 1", "did you mean 'rejected'"),
        ("n_operations > 1", "'n_operations' was not measured"),
        ("cohorts.web.peak_backlog > 1", "was not measured"),
        ("outcomes > 1", "outcomes.NAME"),
        ("verdict > 1", "is a word, but 1.0 is a number"),
        ("verdict < ok", "only == and !="),
        ("metastable == yes", "is true or false"),
        ("peak_backlog == many", "is a number"),
        ("peak_backlog > nan", "nothing compares with it"),
        ("peak_backlog 5", "METRIC OP VALUE"),
        ("peak_backlog => 5", "METRIC OP VALUE"),
        ("peak_backlog >", "METRIC OP VALUE"),
        ("", "METRIC OP VALUE"),
        ("peak_backlog.x > 1", "peak_backlog.x"),
    ],
)
def test_nonsense_is_one_clear_line(expression, message):
    """It names what is wrong and what would be right."""
    with pytest.raises(InputError) as caught:
        evaluate(expression, SUMMARY)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_typo_is_found_before_there_is_a_summary():
    """A long run must not end with one."""
    with pytest.raises(InputError, match="did you mean 'verdict'"):
        parse_condition("verdikt != ok")
    assert parse_condition("verdict!=ok") == Condition(metric="verdict", op="!=", value="ok")


def test_objectives_hold_alike():
    """A scenario's objective is a condition."""
    assert holds(Objective(metric="recovered_share", op=">=", value=0.9), SUMMARY)
    assert not holds(Objective(metric="reconnect_time_p99", op="<", value=30.0), SUMMARY)
