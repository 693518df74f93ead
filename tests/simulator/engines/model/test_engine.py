"""The model engine as users meet it: runs on disk, digests of large ones, what it refuses."""

import pytest

from simulator.engines.model import scope
from simulator.errors import ScenarioError
from simulator.experiment import run
from simulator.metrics import summarise
from simulator.metrics.series import attempt_rate
from simulator.run_directory import load_run
from simulator.scenario_files import load_scenario

_BY_WINDOW = ("peak_attempt_rate_100ms", "peak_attempt_rate_1s")
"""A digest knows its windows to 10 ms only."""
_RUNS = {
    "restart": (),
    "flapping": (),
    "mixed-fleet": ("cohort.network_monitor=none", "cohort.visible_share=1.0"),
}


def model(name, directory, *changes):
    """A small run of a built-in scenario."""
    scenario = load_scenario(name, changes=["n_clients=200", *_RUNS[name], *changes])
    return run(scenario, engine="model", out=directory)


def test_what_is_on_disk_is_what_was_returned(tmp_path):
    """Every table, whole."""
    result = model("restart", tmp_path / "run")
    loaded = load_run(tmp_path / "run")
    assert loaded.manifest.model_dump(mode="json") == result.manifest.model_dump(mode="json")
    assert loaded.to_pandas().equals(result.to_pandas())
    assert summarise(loaded) == summarise(result)


def test_a_run_repeats_byte_for_byte(tmp_path):
    """The seed decides everything."""
    files = []
    for turn in ("first", "second"):
        model("flapping", tmp_path / turn)
        files.append([path.read_bytes() for path in sorted((tmp_path / turn).glob("*.parquet"))])
    assert files[0] == files[1]


@pytest.mark.parametrize("name", _RUNS)
def test_a_digest_says_the_same_as_every_attempt_does(tmp_path, name):
    """But for the peaks, whose windows it can only move in steps of 10 ms."""
    whole, digest = (
        model(name, tmp_path / label, f"attempts_limit={limit}")
        for label, limit in (("whole", 10**6), ("digest", 3))
    )
    assert whole.digest is None
    assert digest.digest is not None
    assert digest.attempts["client"].size == 0
    expected, found = summarise(whole), summarise(load_run(tmp_path / "digest"))
    for scope_of in _scopes(expected):
        there, here = scope_of(expected), scope_of(found)
        for peak in _BY_WINDOW:
            assert there[peak] * 0.9 <= here.pop(peak) <= there.pop(peak)
        assert {**here, "outages": 0, "cohorts": 0} == {**there, "outages": 0, "cohorts": 0}
    totals = [attempt_rate(result).by_outcome.sum(axis=1) for result in (whole, digest)]
    assert totals[0] == pytest.approx(totals[1])


def _scopes(summary):
    yield lambda whole: whole
    for table in ("outages", "cohorts"):
        for name in summary[table]:
            yield lambda whole, table=table, name=name: whole[table][name]


def test_in_a_digest_the_tables_of_attempts_and_losses_are_empty(tmp_path):
    """Their place is taken by `rates` and `episodes`."""
    result = model("restart", tmp_path / "run", "attempts_limit=0")
    assert not result.manifest.attempts_recorded
    rates, episodes = result.to_pandas("rates"), result.to_pandas("episodes")
    assert rates["n"].sum() == summarise(result)["n_attempts"]
    assert len(episodes) == 200
    assert (tmp_path / "run" / "rates.parquet").is_file()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("client.network_monitor={}", "network_monitor = a table: not modelled"),
        ("client.visible_share=0.5", "visible_share = 0.5: not modelled; allowed: 1"),
        ("client.brake=firefox", "brake = 'firefox': not modelled"),
        ("client.connect_timeout=0.01", "connect_timeout = 0.01: not modelled; allowed: more than"),
    ],
)
def test_what_it_does_not_model_it_refuses(change, message):
    """In one clear line, rather than ignore it."""
    with pytest.raises(ScenarioError, match="restart, engine = 'model'") as caught:
        scope.check(load_scenario("restart", changes=[change]))
    assert message in str(caught.value)


def test_it_refuses_to_follow_a_million_clients_one_by_one():
    """What the arrays cannot express has a limit, which the message names."""
    scenario = load_scenario("restart", changes=["n_clients=1000000", "server.abandoned=skip"])
    with pytest.raises(ScenarioError, match=r"at most 200000 with server\.abandoned"):
        scope.check(scenario)


def test_it_says_what_it_leaves_out(tmp_path):
    """Operations and events flow in the built-in scenarios; the model has none."""
    result = model("restart", tmp_path / "run", "server.abandoned=skip")
    assert any("not modelled" in note for note in result.manifest.notes)
    assert any("one event at a time" in note for note in result.manifest.notes)
    assert {"n_operations", "time_to_sync_p95"} <= set(summarise(result)["unmeasured"])


def test_nobody_is_disturbed_without_an_outage(tmp_path):
    """Then there is nothing to tell."""
    scenario = load_scenario("restart")
    quiet = scenario.model_copy(update={"outage": (), "n_clients": 50})
    summary = summarise(run(quiet, engine="model", out=tmp_path / "run"))
    assert summary["n_attempts"] == summary["n_episodes"] == 0
