"""The figures of a plan are drawn from what is on disk."""

from reports.plan_figures import draw_plan
from simulator import load_plan, plan
from simulator.scenario_files import load_scenario


def test_a_capacity_curve_starts_from_today(tmp_path):
    """Its points come from the plan alone, and the file is there."""
    changes = ["n_clients=100", "server.workers=1", "server.service_time.mean=0.1", "horizon=30"]
    herd = load_scenario("restart", changes=changes)
    goal = ["time_to_recovery_p99 < 5"]
    plan(herd, objectives=goal, replications=2, workers=1, budget=4, out=tmp_path)
    draw_plan(load_plan(tmp_path), tmp_path)
    assert (tmp_path / "figures" / "capacity.png").stat().st_size > 10_000
