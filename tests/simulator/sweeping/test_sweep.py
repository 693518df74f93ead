"""A sweep: what is kept, what is run again, and what it says."""

import json
import math

import pyarrow.parquet as pq
import pytest

from simulator import load_scenario, load_sweep, sweep
from simulator.cli import main
from simulator.errors import InputError
from simulator.sweeping import runs
from simulator.sweeping.crew import Done, WorkerDiedError
from simulator.sweeping.outcome import outcome_of, recovered
from simulator.trials import summary_of

VARY = ["n_clients=20,40"]


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """Two sizes under two policies, three seeds each."""
    return sweep(
        "restart",
        vary={"n_clients": [20, 1500]},
        policies=["fixed", "exponential-full-jitter"],
        changes=["horizon=30.0", "client.sync=none", "client.operation_rate=none"],
        replications=3,
        workers=2,
        out=tmp_path_factory.mktemp("sweep") / "out",
    )


def test_there_is_a_row_for_every_cell_and_replication(swept):
    """With its values as numbers, its seed and its metrics."""
    table = pq.read_table(swept.directory / "sweep.parquet").to_pylist()
    assert len(table) == 12
    assert {(row["n_clients"], row["policy"], row["seed"]) for row in table} == {
        (n, policy, seed)
        for n in (20, 1500)
        for policy in ("fixed", "exponential-full-jitter")
        for seed in (1, 2, 3)
    }
    assert len(swept.to_pandas()) == 12


def test_a_row_is_what_the_run_alone_gives(swept):
    """Nothing depends on where and in which order it was run."""
    row = next(
        row
        for row in swept.rows
        if (row["n_clients"], row["policy"], row["seed"]) == (20, "fixed", 2)
    )
    scenario = load_scenario(
        "restart",
        changes=[
            *("horizon=30.0", "client.sync=none", "client.operation_rate=none"),
            *("n_clients=20", "seed=2", "client.policy=fixed"),
        ],
    )
    summary = summary_of(scenario, engine="model")
    assert {name: row[name] for name in ("time_to_recovery_p95", "n_attempts", "peak_backlog")} == {
        name: summary[name] for name in ("time_to_recovery_p95", "n_attempts", "peak_backlog")
    }


def test_the_share_that_recovered_comes_first(swept):
    """Fixed delays keep 1,500 clients from coming back, in every replication."""
    shares = {tuple(cell["values"].values()): cell for cell in swept.outcome["cells"]}
    lost, back = shares[1500, "fixed"], shares[20, "fixed"]
    assert (lost["n_recovered"], lost["n"]) == (0, 3)
    assert (lost["recovered"]["low"], lost["recovered"]["high"]) == pytest.approx(
        (0, 0.5615), abs=1e-4
    )
    assert lost["metrics"]["time_to_recovery_p95"] == {
        "estimate": None,
        "low": None,
        "high": None,
        "n": 0,
    }
    assert back["n_recovered"] == 3
    assert back["metrics"]["time_to_recovery_p95"]["n"] == 3


def test_policies_are_compared_over_the_same_seeds():
    """What the seeds have in common cancels out; who never came back is in no difference."""
    rows = [
        {
            "cell": cell, "replication": n, "seed": n, "policy": policy, "n_episodes": 5,
            **dict.fromkeys(
                (
                    "time_to_recovery_p50", "time_to_recovery_p99", "reconnect_time_p95",
                    "peak_attempt_rate_100ms", "peak_attempt_rate_1s", "amplification",
                    "wasted_share",
                ),
                1.0,
            ),
            "time_to_recovery_p95": 10.0 * n + 2.0 * cell,
        }
        for cell, policy in enumerate(("a", "b"))
        for n in range(4)
    ]  # fmt: skip
    rows[0]["time_to_recovery_p99"] = None
    (found,) = outcome_of(rows, axes={"policy": ("a", "b")})["differences"]
    assert (found["from"], found["to"], found["n_pairs"]) == ("a", "b", 4)
    assert found["n_recovered"] == [3, 4]
    assert found["metrics"]["time_to_recovery_p95"] == {
        "estimate": 2.0, "low": 2.0, "high": 2.0, "n": 3,
    }  # fmt: skip


def test_a_herd_that_never_left_counts_as_recovered():
    """There was nothing to recover from."""
    assert recovered({"n_episodes": 0, "time_to_recovery_p99": None})
    assert not recovered({"n_episodes": 3, "time_to_recovery_p99": None})


def test_what_is_finished_is_not_run_again(tmp_path, small, monkeypatch):
    """A sweep that was interrupted goes on where it stood; half a line is no row."""
    ran = []

    def counted(crew, work, tasks):
        ran.extend(tasks)
        for task in tasks[:3]:
            yield Done(task=task, result=work(task), error=None)
        if len(tasks) > 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(runs, "results", counted)
    options = {"vary": VARY, "changes": small[1:], "replications": 3, "out": tmp_path / "out"}
    with pytest.raises(KeyboardInterrupt):
        sweep(**options)
    assert len(load_sweep(tmp_path / "out").rows) == 3
    with (tmp_path / "out" / "rows.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"cell": 0, "repl')
    found = sweep(**options)
    assert [len(found.rows), len(ran)] == [6, 6 + 3]
    more = sweep(**{**options, "replications": 4})
    assert [len(more.rows), len(ran)] == [8, 6 + 3 + 2]
    fewer = sweep(**{**options, "replications": 2})
    assert [len(fewer.rows), len(ran)] == [4, 6 + 3 + 2]


def test_another_grid_is_not_mixed_in(tmp_path, small):
    """Nor is a directory of something else taken."""
    options = {"changes": small[1:], "replications": 1, "out": tmp_path / "out"}
    sweep(vary=VARY, **options)
    with pytest.raises(InputError, match="holds a sweep of another grid"):
        sweep(vary=["n_clients=20,50"], **options)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").touch()
    with pytest.raises(InputError, match="holds no sweep"):
        sweep(vary=VARY, **{**options, "out": tmp_path / "other"})


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"workers": 0}, "--workers = 0: allowed: 1 or more"),
        ({"engine": "live", "workers": 2}, "--workers = 2: live runs side by side"),
        ({"engine": "live", "dask": "tcp://x:1"}, "--dask = tcp://x:1: live runs"),
        ({"workers": 2, "dask": "tcp://x:1"}, "--workers = 2: contradicts --dask"),
    ],
)
def test_who_runs_it_can_be_asked_wrongly(tmp_path, options, says):
    """One line, and nothing is left behind."""
    with pytest.raises(InputError, match=says):
        sweep(vary=VARY, out=tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_the_command(tmp_path, small, capsys):
    """A table that begins with who recovered, or all of it as JSON."""
    settings = [text for change in small[1:] for text in ("--set", change)]
    command = ["sweep", "--vary", "n_clients=20,30", "--policy", "fixed", "--policy", "linear"]
    command += [*settings, "--replications", "2", "--out", str(tmp_path / "out")]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "2 of 2" in printed
    assert "policy fixed -> linear (n_clients 20)" in printed
    assert "n_clients 20 -> 30" not in printed
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["cells"]) == 4
    assert math.isclose(found["cells"][0]["recovered"]["estimate"], 1.0)


def test_a_cell_that_cannot_be_run_is_told(tmp_path, small, capsys, monkeypatch):
    """The others are kept; exit code 1."""

    def some(crew, work, tasks):
        for task in tasks:
            if task.cell == 1:
                yield Done(task=task, result=None, error=WorkerDiedError("its worker died"))
            else:
                yield Done(task=task, result=work(task), error=None)

    monkeypatch.setattr(runs, "results", some)
    settings = [text for change in small[1:] for text in ("--set", change)]
    command = ["sweep", "--vary", "n_clients=20,30", *settings, "--replications", "2"]
    assert main([*command, "--out", str(tmp_path / "out")]) == 1
    assert "cell 1, replication 0: its worker died" in capsys.readouterr().err
    assert len(load_sweep(tmp_path / "out").rows) == 2
