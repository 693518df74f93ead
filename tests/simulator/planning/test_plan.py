"""A plan from an objective to what it writes."""

import pytest

from simulator import load_plan, plan
from simulator.planning import plan as planner
from simulator.planning.runs import Runs
from simulator.scenario_files import load_scenario

_SMALL = ("n_clients=200", "server.service_time.mean=0.1", "server.backlog=80")


@pytest.fixture(scope="module")
def small():
    """The storm of `restart`, with a fifth of its clients and capacity."""
    return load_scenario("restart", changes=_SMALL)


@pytest.fixture(scope="module")
def found(small, tmp_path_factory):
    """A plan for it, and where it is."""
    out = tmp_path_factory.mktemp("plan") / "out"
    return plan(
        small,
        objectives=["time_to_recovery_p99 < 16"],
        replications=2,
        workers=1,
        budget=16.0,
        out=out,
    ), out


def test_it_finds_a_policy_at_the_present_capacity(found):
    """Which meets what today's does not."""
    result, _ = found
    assert not result.met
    assert result.advice.kind == "policy"
    assert result.advice.confirmation.meets
    assert any(choice.on_front for choice in result.policies.choices)


def test_all_of_it_is_on_disk(found):
    """What is read back is what was found."""
    result, out = found
    assert load_plan(out) == result


def test_the_recommended_changes_give_the_recommended_scenario(found):
    """As they stand, after --set."""
    result, _ = found
    changed = load_scenario("restart", changes=[*_SMALL, *result.advice.changes])
    assert changed.to_toml() == result.advice.scenario


def test_an_infeasible_objective_says_what_binds(small, tmp_path, monkeypatch):
    """And how near one can get to it."""
    monkeypatch.setattr("simulator.planning.capacity._MOST", 2)
    result = plan(
        small,
        objectives=["time_to_recovery_p99 < 0.5", "recovered_share > 0.5"],
        replications=2,
        workers=1,
        budget=8.0,
        out=tmp_path / "out",
    )
    assert result.advice.kind == "none"
    assert result.advice.binding_objective == "time_to_recovery_p99 < 0.5"
    assert result.advice.nearest > 0.5


def test_an_interrupted_plan_keeps_what_it_has(small, tmp_path, monkeypatch):
    """And says that it is not all."""

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(planner, "compare_policies", interrupted)
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        plan(small, objectives=["recovered_share == 1"], replications=2, workers=1, out=out)
    kept = load_plan(out)
    assert kept.interrupted
    assert kept.today.meets


def test_the_same_run_is_made_once(small):
    """Whoever asks for it again gets what it was."""
    goals = planner.goals_of(["recovered_share > 0"], ())
    with Runs(goals, engine="model", workers=1, replications=2, seed=1, until=float("inf")) as runs:
        first = runs.evidence(small)
        assert runs.evidence(small) == first
        assert runs.n_runs == 2
