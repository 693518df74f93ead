"""`herd plan`: bad input, exit codes, what is printed."""

import json

import pytest

_SMALL = ("--clients=100", "--set=server.service_time.mean=0.2", "--set=server.backlog=40")
_QUICK = ("--replications=2", "--workers=1", "--budget=0.01")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--objective=recovery < 3",), "metric 'recovery'"),
        (("--objective=time_to_sync_p95 < 3",), "was not measured"),
        (("--objective=verdict < 3",), "is a word"),
        ((), "METRIC OP VALUE"),
        (("--objective=floor < 3", "--engine=live"), "engine of a plan 'live'"),
        (("--objective=floor < 3", "--replications=1"), "--replications = 1"),
        (("--objective=floor < 3", "--workers=0"), "--workers = 0"),
        (("--objective=floor < 3", "--budget=0"), "--budget = 0"),
        (("--objective=floor < 3", "--set=load.rate=5.0"), "load"),
    ],
)
def test_bad_input_is_one_line(cli, arguments, said):
    """It names what is wrong, and nothing is left behind."""
    ended = cli("plan", *_SMALL, *arguments)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert ended.stdout == ""


def test_the_exit_code_says_whether_today_meets_the_objective(cli, in_tmp):
    """3 if it does not; and what there was no time for is named."""
    met = cli(
        "plan", *_SMALL, *_QUICK, "--objective=recovered_share > 0", "--out=met", "--budget=3"
    )
    assert met.returncode == 0
    missed = cli(
        "plan",
        *_SMALL,
        *_QUICK,
        "--objective=time_to_recovery_p99 < 1",
        "--out=missed",
        "--budget=3",
        "--json",
    )
    assert missed.returncode == 3
    assert json.loads(missed.stdout)["objectives"] == ["time_to_recovery_p99 < 1"]
    assert (in_tmp / "missed" / "plan.json").is_file()
