"""A recorded storm beside its forecast by settings that were fitted to another one."""

import json

import pytest

from server_stub.outage import OutageKind
from simulator import run
from simulator.calibration import backtest, fit_run
from simulator.calibration.backtest import scenario_to_forecast
from simulator.cli import main
from simulator.errors import InputError
from simulator.scenario_files import load_scenario

SMALL = ["n_clients=400", "client.sync=none", "client.operation_rate=none", "server.backlog=150"]
POLICY = "client.policy=exponential"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """One storm to fit to, and another one to forecast."""
    base = tmp_path_factory.mktemp("runs")
    return {
        name: run(load_scenario("restart", changes=changes), engine="virtual", out=base / name)
        for name, changes in {
            "fitted": [*SMALL, POLICY],
            "another": [*SMALL, "n_clients=800", "seed=7", "outage.0.down_for=9.0"],
        }.items()
    } | {"base": base}


def test_a_storm_it_was_not_fitted_to_is_foretold(runs):
    """Other policy, other outage, other seed: the recovery is right within a tenth."""
    server = fit_run(runs["fitted"], source="fitted").server
    found = backtest(runs["another"], server)
    errors = {one.metric: one.error for one in found.forecasts}
    assert abs(errors["time_to_recovery_p95"]) < 0.1
    assert abs(errors["reconnect_time_p50"]) < 0.1
    assert abs(errors["peak_attempt_rate_1s"]) < 0.1
    assert found.share_inside > 0.25  # The range is over seeds; the fitted capacity is 4 % low.


def test_a_wrong_server_is_noticed(runs):
    """One half as fast foretells a recovery that the record does not bear out."""
    right = fit_run(runs["fitted"], source="fitted").server
    slow = right.service_time.model_copy(update={"mean": 2 * right.service_time.mean})
    found = backtest(
        runs["another"], right.model_copy(update={"service_time": slow}), replications=3
    )
    assert found.share_inside < 0.1


def test_outages_are_forecast_as_they_really_happened(runs):
    """The record's own instants, not the schedule's."""
    scenario = scenario_to_forecast(runs["another"], runs["fitted"].scenario.server)
    (outage,) = scenario.outage
    assert outage.kind is OutageKind.GRACEFUL
    assert outage.down_for == pytest.approx(9.0)
    assert outage.close_code == 1012


@pytest.mark.parametrize(
    ("options", "says"),
    [({"replications": 1}, "allowed: at least 2"), ({"engine": "live"}, "allowed: model or")],
)
def test_what_cannot_be_forecast_is_one_line(runs, options, says):
    """It names the option and what is allowed."""
    with pytest.raises(InputError, match=says):
        backtest(runs["another"], runs["fitted"].scenario.server, **options)


# The commands


def test_calibrate_prints_a_table_that_backtest_takes(runs, tmp_path, capsys):
    """From one command to the next by a file."""
    file = tmp_path / "server.toml"
    assert main(["calibrate", str(runs["base"] / "fitted"), "--out", str(file)]) == 0
    command = ["backtest", str(runs["base"] / "another"), "--scenario", str(file)]
    assert main([*command, "--replications", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["replications"] == 2
    assert main([*command, "--replications", "2"]) == 0
    assert "time_to_recovery_p95" in capsys.readouterr().out


def test_calibrate_says_what_it_rests_on(runs, capsys):
    """On stdout, as comments of the table."""
    assert main(["calibrate", str(runs["base"] / "fitted")]) == 0
    printed = capsys.readouterr().out
    assert "[server]" in printed
    assert "connects of a busy server" in printed


@pytest.mark.parametrize("arguments", [[], ["DIR", "--from", "FILE"]])
def test_calibrate_takes_one_source(arguments, capsys):
    """Neither none nor two."""
    assert main(["calibrate", *arguments]) == 2
    assert "either RUN_DIR or --from FILE" in capsys.readouterr().err
