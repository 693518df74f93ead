"""`herd report` and `herd export`: what they write, and how they end."""

import json

import pytest

from simulator.cli.command_line import command_line
from simulator.cli.options import Aim, Asked
from simulator.run_directory import load_run, save_run

SIX = ("fixed", "exponential", "exponential-full-jitter", "socket.io", "signalr", "phoenix")


@pytest.fixture
def saved(recovered, in_tmp):
    """A recorded run in the directory `run`."""
    save_run(recovered, in_tmp / "run")
    return in_tmp / "run"


@pytest.mark.usefixtures("saved")
class TestReport:
    """`herd report`."""

    def test_writes_a_page_and_says_where(self, cli, saved):
        """One file, and the figures beside it."""
        done = cli("report", "run")
        assert done.returncode == 0
        last = done.stdout.splitlines()[-1]
        assert last == "Report in run/report.html, figures in run/figures, records in run"
        assert (saved / "report.html").read_text().startswith("<!doctype html>")

    def test_writes_markdown(self, cli, saved):
        """For a wiki."""
        assert cli("report", "run", "--format", "md").returncode == 0
        assert (saved / "report.md").read_text().startswith("# ")
        assert not (saved / "report.html").exists()

    def test_draws_figures_only(self, cli, saved):
        """In either format, and names them."""
        done = cli("report", "run", "--figures-only", "--format", "svg")
        paths = [saved.parent / line for line in done.stdout.splitlines()]
        assert all(path.read_bytes().startswith(b"<?xml") for path in paths)
        assert not (saved / "report.html").exists()

    @pytest.mark.parametrize(
        ("options", "line"),
        [
            (("--format", "pdf"), "--format 'pdf': valid: html, md"),
            (("--format", "svg"), "--format 'svg': valid: html, md"),
            (("--figures-only", "--format", "md"), "--format 'md': valid: png, svg"),
            (("--figures-only", "--baseline", "run"), "--baseline: has no effect beside"),
            (("--baseline", "nothing"), "nothing: not a run directory"),
        ],
    )
    def test_refuses_what_makes_no_sense(self, cli, options, line):
        """In one line."""
        done = cli("report", "run", *options)
        assert done.returncode == 2
        assert line in done.stderr
        assert done.stderr.count("\n") == 1

    def test_holds_a_run_against_an_earlier_one(self, cli, herd, in_tmp):
        """Exit code 3 if anything got worse, 0 otherwise."""
        late = herd(3, horizon=30.0).outage(1.0, 2.0)
        for client in range(3):
            late.loses(client, 1.0).tries(client, 9.0)
        for at in range(30):
            late.interval(float(at), arrivals=1, completed=1)
        save_run(late.result(), in_tmp / "late")
        done = cli("report", "late", "--baseline", "run")
        assert done.returncode == 3
        assert "worse than run: " in done.stdout
        assert "reconnect time p95 was 2.0 s, is 8.0 s" in done.stdout
        done = cli("report", "run", "--baseline", "late")
        assert done.returncode == 0
        assert done.stdout.splitlines()[-1] == "Nothing got worse than in late, beyond the noise."


@pytest.mark.usefixtures("saved")
class TestExport:
    """`herd export`."""

    def test_writes_a_file_per_table(self, cli, saved):
        """Into the run's directory, which still loads; or elsewhere."""
        done = cli("export", "run")
        assert "run/csv/attempts.csv" in done.stdout.splitlines()
        assert load_run(saved).attempts["client"].size
        done = cli("export", "run", "--format", "jsonl", "--out", "there")
        assert "there/attempts.jsonl" in done.stdout.splitlines()

    def test_prints_one_table(self, herd_process):
        """On stdout, and nothing else there."""
        done = herd_process("export", "run", "--table", "clients", "--format", "jsonl")
        assert [json.loads(line)["client"] for line in done.stdout.splitlines()] == [0, 1, 2]

    @pytest.mark.parametrize(
        ("options", "line"),
        [
            (("--format", "xml"), "--format 'xml': valid: csv, jsonl"),
            (("--table", "attempt"), "table 'attempt'"),
            (("--table", "clients", "--out", "x"), "--out: has no effect beside --table"),
        ],
    )
    def test_refuses_what_makes_no_sense(self, cli, options, line):
        """In one line."""
        done = cli("export", "run", *options)
        assert done.returncode == 2
        assert line in done.stderr


def test_a_comparison_ends_with_a_small_report(cli, in_tmp):
    """Six policies with 5,000 clients: under 5 MB, with the command that repeats it."""
    policies = [word for policy in SIX for word in ("--policy", policy)]
    arguments = ("compare", "--engine", "model", "--clients", 5000, *policies)
    done = cli(*arguments, "--set", "server.workers=10", "--out", "six", "--quiet")
    assert done.stdout.splitlines()[-1].startswith("Report in six/report.html, ")
    page = (in_tmp / "six" / "report.html").read_text()
    assert len(page.encode()) < 5_000_000
    assert "<h1" in page
    command = "herd compare --engine model --clients 5000 --policy fixed"
    assert load_run(in_tmp / "six" / "fixed").manifest.command.startswith(command)
    assert command in page
    assert cli("export", "six", "--table", "clients").returncode == 2
    assert cli("export", "six").stdout.count("attempts.csv") == len(SIX)


def test_the_command_on_record_keeps_no_secret():
    """Headers by name alone, addresses without their query; where records go is left out."""
    asked = Asked(
        scenario="my file.toml",
        engine="live",
        clients=5,
        policy=["fixed"],
        seed=3,
        changes=["outage=[]"],
        out=None,
        force=True,
        fail_if=["n_clients > 1"],
        junit=None,
        strict=True,
        quiet=True,
        json=True,
        aim=Aim(
            target="ws://localhost:1/x?token=abc", header=["Authorization: abc"], insecure=True
        ),
    )
    assert command_line("run", asked) == (
        "herd run 'my file.toml' --engine live --clients 5 --policy fixed --seed 3 "
        "--set 'outage=[]' --target ws://localhost:1/x --header 'Authorization: ...' --insecure"
    )
