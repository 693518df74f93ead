"""A small herd stands for a large one."""

import pytest

from simulator.planning.changes import capacities, capacity_steps, with_outages, with_steps
from simulator.planning.scaling import at_full_size, can_scale, scaled
from simulator.planning.vulnerable import folded
from simulator.scenario_files import load_scenario
from simulator.trials import summary_of


@pytest.mark.parametrize("builtin", ["restart", "capacity", "auth-bottleneck"])
@pytest.mark.parametrize("n_clients", [300, 77])
def test_every_stage_is_narrower_by_the_same_factor(builtin, n_clients):
    """Exactly, though workers are whole; and a full queue takes as long as it did."""
    herd = load_scenario(builtin)
    small = scaled(herd, n_clients)
    for name, capacity in capacities(herd).items():
        assert capacities(small.scenario)[name] == pytest.approx(capacity / small.factor)
    assert small.scenario.n_clients * small.factor == pytest.approx(herd.n_clients)


def test_a_scaled_herd_recovers_as_the_large_one_does():
    """In the same time, at a peak that is as high once it is scaled up."""
    herd = load_scenario(
        "restart",
        changes=["n_clients=20000", "server.service_time.mean=0.001", "server.backlog=8000"],
    )
    small = scaled(herd, 4000)
    large = summary_of(herd, engine="model")
    found = at_full_size(summary_of(small.scenario, engine="model"), small.factor)
    assert found["n_clients"] == large["n_clients"]
    assert found["time_to_recovery_p95"] == pytest.approx(large["time_to_recovery_p95"], rel=0.05)
    assert found["peak_arrival_rate_up_1s"] == pytest.approx(
        large["peak_arrival_rate_up_1s"], rel=0.1
    )
    assert found["amplification"] == pytest.approx(large["amplification"], rel=0.05)


def test_nodes_with_a_fate_of_their_own_are_kept():
    """An outage of some of them has no sense with one."""
    herd = load_scenario("capacity", changes=["outage.nodes=[0, 1]"])
    assert scaled(herd, 1000).scenario.server.nodes == 40
    assert scaled(load_scenario("capacity"), 1000).scenario.server.nodes == 1


def test_what_depends_on_one_node_does_not_scale():
    """Its longest queue, say."""
    assert not can_scale("peak_backlog")
    assert can_scale("cohorts.all.time_to_recovery_p99")


def test_capacity_is_raised_where_it_is_short():
    """No stage takes less than what is asked for, and none is widened without need."""
    herd = load_scenario("capacity")
    steps = capacity_steps(herd, 6000.0)
    assert steps["server.stages.0.workers"] == 60
    assert min(capacities(with_steps(herd, steps)).values()) == pytest.approx(6000.0)


def test_folded_to_the_narrowest_stage():
    """One node, of the same capacity."""
    herd = load_scenario("capacity")
    alone = folded(herd)
    assert alone.server.stages == ()
    assert alone.capacity == pytest.approx(herd.capacity)


def test_longer_outages_leave_as_much_time_after_them():
    """Else what is late would be taken for lost."""
    herd = load_scenario("restart")
    longer = with_outages(herd, 12.0)
    assert longer.horizon - longer.last_outage_end == pytest.approx(
        herd.horizon - herd.last_outage_end
    )
