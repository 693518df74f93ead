"""`herd run` and `herd compare` from end to end."""

import json

import pytest

from simulator import experiment
from simulator.cli import running
from simulator.run_directory import load_run, save_run

FIGURES = {"storm.png", "recovery.png", "raster.png", "states.png"}


def test_live_run(herd_process, in_tmp, tiny):
    """A live run ends with its numbers, the verdict in words and where everything is."""
    done = herd_process("run", *tiny, "--policy", "fixed", "--seed", "7", "--out", "out")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["clients", "50"]
    assert any(line.startswith("The verdict is ") for line in lines)
    assert lines[-1] == "Report in out/report.html, figures in out/figures, records in out"
    result = load_run(in_tmp / "out")
    assert result.scenario.seed == 7
    assert result.scenario.client.policy.name == "fixed"
    assert {path.name for path in (in_tmp / "out" / "figures").iterdir()} == FIGURES


def test_live_compare(herd_process, in_tmp, tiny):
    """A comparison ends with its table, the conclusion and where everything is."""
    done = herd_process(
        *("compare", *tiny, "--policy", "fixed", "--policy", "exponential", "--out", "out"),
        *("--fail-if", "fixed:n_clients >= 50", "--fail-if", "n_clients > 50"),
        *("--junit", "junit.xml"),
    )
    assert done.returncode == 3, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["metric", "fixed", "exponential"]
    assert lines[-2].endswith(".")
    assert lines[-1] == "Report in out/report.html, figures in out/figures, records in out"
    assert done.stderr.splitlines() == ["herd: fixed:n_clients >= 50 (fixed): holds, measured 50"]
    assert {path.name for path in (in_tmp / "out" / "figures").iterdir()} == FIGURES
    assert load_run(in_tmp / "out" / "exponential").scenario.client.policy.name == "exponential"
    assert (in_tmp / "junit.xml").read_text().count("<testcase") == 3


@pytest.fixture
def staged(monkeypatch, recovered):
    """Every run is the one written down in `recovered`."""

    def conduct(scenario, *, out, watch):
        save_run(recovered, out)
        return recovered

    monkeypatch.setattr(experiment, "_engine", lambda name, target: conduct)


@pytest.fixture
def undrawn(monkeypatch):
    """Figures are left out, since they take their time."""
    monkeypatch.setattr(running, "publish_run", lambda result, directory: None)
    monkeypatch.setattr(running, "publish_comparison", lambda comparison: None)


@pytest.fixture
def saturated(monkeypatch):
    """Every summary finds that the machine could not keep up."""
    summarise = experiment.summarise

    def late(result):
        return {**summarise(result), "verdict": "saturated"}

    monkeypatch.setattr("simulator.experiment.summarise", late)
    monkeypatch.setattr(running, "summarise", late)


@pytest.mark.usefixtures("staged", "undrawn")
class TestStaged:
    """What becomes of a run that has ended."""

    def test_json(self, cli):
        """With --json the summary is all there is on stdout."""
        done = cli("run", "--json", "--out", "out")
        assert json.loads(done.stdout)["recovered_share"] == 1.0
        assert done.returncode == 0

    def test_compare_json(self, cli):
        """With --json compare prints the summaries by policy."""
        done = cli("compare", "--json", "--out", "out")
        summaries = json.loads(done.stdout)
        assert list(summaries) == ["fixed", "exponential", "exponential-full-jitter"]
        assert summaries["fixed"]["n_clients"] == 3

    def test_default_directory(self, cli, in_tmp):
        """Left to itself, a run goes into a new directory in herd-runs."""
        cli("run")
        cli("run")
        names = [path.name for path in (in_tmp / "herd-runs").iterdir()]
        assert len(names) == 2
        assert all(name.startswith("restart-live-") for name in names)

    def test_force(self, cli, in_tmp, recovered):
        """With --force an earlier run is replaced, and nothing of it stays."""
        save_run(recovered, in_tmp / "old")
        (in_tmp / "old" / "mark").touch()
        assert cli("run", "--out", "old", "--force").returncode == 0
        assert not (in_tmp / "old" / "mark").exists()
        assert [path.name for path in in_tmp.iterdir()] == ["old"]

    @pytest.mark.parametrize(
        ("conditions", "code"),
        [
            (["recovered_share < 1", "metastable == true"], 0),
            (["recovered_share < 1", "time_to_recovery_p95 >= 1"], 3),
            (["exponential:recovered_share == 1"], 3),
        ],
    )
    def test_fail_if(self, cli, conditions, code):
        """A condition that holds ends a comparison with 3, and is named with what was measured."""
        options = [part for condition in conditions for part in ("--fail-if", condition)]
        done = cli("compare", "--out", "out", *options)
        assert done.returncode == code
        assert ("holds, measured 1" in done.stderr) == (code == 3)

    def test_objective(self, cli, in_tmp):
        """An objective of the scenario that is not met ends a run with 3."""
        (in_tmp / "mine.toml").write_text(
            "[[outage]]\nstarts_at = 1.0\ndown_for = 1.0\n"
            '[[objective]]\nmetric = "time_to_recovery_p95"\nop = "<"\nvalue = 0.5\n'
        )
        done = cli("run", "mine.toml", "--out", "out")
        assert done.returncode == 3
        assert "time_to_recovery_p95 < 0.5" in done.stderr
        assert "not met, measured 1" in done.stderr

    def test_undecided(self, cli, in_tmp):
        """A condition on what this run happened not to measure is bad input, found out late."""
        (in_tmp / "mine.toml").write_text(
            "[[outage]]\nstarts_at = 1.0\ndown_for = 1.0\nevery = 2.0\ncount = 2\n"
        )
        done = cli(
            *("run", "mine.toml", "--out", "out", "--junit", "junit.xml"),
            *("--fail-if", "outages.1.floor > 0"),
        )
        assert done.returncode == 2
        assert "outages.1.floor" in done.stderr
        assert "<error" in (in_tmp / "junit.xml").read_text()

    def test_strict_and_ok(self, cli):
        """--strict asks nothing of a run whose verdict is ok."""
        assert cli("run", "--strict", "--out", "out").returncode == 0

    @pytest.mark.parametrize("command", ["run", "compare"])
    @pytest.mark.usefixtures("saturated")
    def test_strict(self, cli, command):
        """--strict ends with 4 if the verdict is not ok; without it the reader is told."""
        done = cli(command, "--out", "one")
        assert done.returncode == 0
        assert "own limits" in done.stdout or "this machine's limits" in done.stdout
        assert "fewer clients" in done.stdout
        assert cli(command, "--strict", "--out", "two").returncode == 4

    @pytest.mark.usefixtures("saturated")
    def test_fail_if_before_strict(self, cli):
        """A condition that holds goes before a verdict that is not ok."""
        done = cli("run", "--strict", "--fail-if", "n_clients > 0", "--out", "out")
        assert done.returncode == 3


@pytest.mark.usefixtures("staged")
def test_report(cli, in_tmp):
    """Figures and numbers come again from the records alone."""
    first = cli("compare", "--out", "out")
    figures = in_tmp / "out" / "figures"
    for figure in figures.iterdir():
        figure.unlink()
    again = cli("report", "out", "out/fixed")
    assert again.returncode == 0
    assert again.stdout.startswith(first.stdout)
    assert {path.name for path in figures.iterdir()} == FIGURES


def test_failed_run(cli, monkeypatch):
    """A process that dies ends a run with 1, and a line that says what was recorded."""

    def conduct(scenario, *, out, watch):
        raise experiment.RunFailedError("worker 1 died")

    monkeypatch.setattr(experiment, "_engine", lambda name, target: conduct)
    done = cli("run", "--out", "out")
    assert done.returncode == 1
    assert done.stderr == "herd: worker 1 died; nothing was recorded\n"
