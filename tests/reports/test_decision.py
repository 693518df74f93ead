"""Which policy to ship."""

import pytest

from reports.decision import Kind, decide

QUICK = {
    "n_episodes": 1000,
    "recovered_share": 1.0,
    "time_to_recovery_p95": 15.0,
    "floor": 10.0,
    "peak_arrival_rate_up_1s": 190.0,
    "verdict": "ok",
    "unmeasured": ["time_to_sync_p95"],
}
SLOW = QUICK | {"time_to_recovery_p95": 25.0, "peak_arrival_rate_up_1s": 150.0}
NEVER = QUICK | {"time_to_recovery_p95": None, "recovered_share": 0.277}


def test_the_quickest_is_shipped():
    """A gentler one that takes longer is not."""
    found = decide({"slow": SLOW, "quick": QUICK, "never": NEVER})
    assert (found.kind, found.headline, found.about) == (Kind.SHIP, "Ship quick", "quick")
    assert found.reason == (
        "95 % of the clients are back 15.0 s after the outage, 1.5 times the fastest possible, and "
        "arrivals peak at 190/s; slow takes 25.0 s; with never only 28 % come back."
    )


def test_of_equals_the_gentlest_is_shipped():
    """A tenth in time is no difference that one run shows; in the peak there is one."""
    rough = QUICK | {"time_to_recovery_p95": 14.0, "peak_arrival_rate_up_1s": 1000.0}
    found = decide({"rough": rough, "gentle": QUICK, "alike": QUICK | {"floor": 10.0}})
    assert found.headline == "Ship gentle"
    assert "rough is about as fast, but sends 1,000/s; alike does about as well." in found.reason


def test_what_is_quick_but_rough_is_told():
    """Where capacity is ample, plain retries can be faster; the price is named."""
    gentle = SLOW | {"peak_arrival_rate_up_1s": 60.0}
    assert decide({"quick": QUICK, "gentle": gentle}).reason.endswith(
        "; gentle takes 25.0 s; the gentlest is gentle, with a peak of 60/s."
    )


def test_many_are_told_together():
    """The like in one clause, the slower in a range."""
    slower = {f"slow-{n}": SLOW | {"time_to_recovery_p95": 20.0 + n} for n in range(5)}
    lost = dict.fromkeys(("x", "y"), NEVER | {"recovered_share": 0.0})
    assert decide({"quick": QUICK, **slower, **lost}).reason.endswith(
        "; 5 others take 20.0 s to 24.0 s; with x and y nobody comes back."
    )


def test_who_gave_up_is_not_forgotten():
    """95 % may be back while some never come."""
    found = decide({"a": QUICK | {"recovered_share": 0.97}})
    assert found.headline == "a brings the herd back"
    assert "3 % never came back" in found.reason


def test_if_nothing_works_nothing_is_shipped():
    """One or several; the numbers shown are those of the least bad."""
    worse = NEVER | {"recovered_share": 0.1}
    found = decide({"worse": worse, "bad": NEVER})
    assert (found.kind, found.headline, found.about) == (Kind.NONE, "Ship none of these", "bad")
    assert decide({"bad": NEVER}).headline == "Do not ship bad"


@pytest.mark.parametrize(
    "flaw",
    [
        {"verdict": "strained", "generator_lag_p99": 0.2, "server_lag_p99": 0.0},
        {"cut_short": True},
        {"unmeasured": ["time_to_sync_p95", "time_to_recovery_p95"]},
    ],
    ids=str,
)
def test_one_flawed_run_is_enough_to_refuse(flaw):
    """Whatever the numbers say."""
    assert decide({"good": QUICK, "flawed": SLOW | flaw}).kind is Kind.REFUSED


def test_an_idle_fleet_decides_nothing():
    """Nobody had to come back."""
    assert decide({"idle": QUICK | {"n_episodes": 0}}).kind is Kind.REFUSED
