"""How connections are spread over nodes."""

import pytest

from server_stub.deploy import Deploy
from simulator.core.outcomes import Outcome
from simulator.metrics import summarise
from simulator.metrics.nodes import connections_by_node, serving_nodes
from simulator.rehearsal import rehearse
from simulator.scenario import Scenario

SURGE = Deploy(starts_at=10.0, max_surge=1, max_unavailable=0, ready_after=5.0)


def imbalance(run, **manifest):
    """Of the whole run."""
    return summarise(run.result(**manifest))["connection_imbalance"]


def test_clients_stand_where_they_were_sent(herd):
    """Four clients on two nodes; one moves."""
    result = herd(4, nodes=2).outage(2, 6, nodes=[1]).loses(1, 2).tries(1, 3, node=0).result()
    held = connections_by_node(result)
    assert held.edges.tolist() == [0, 2, 3, 100]
    assert held.counts.tolist() == [[2, 2, 3], [2, 1, 1]]
    assert result.disconnects["node"].tolist() == [1]


def test_an_attempt_that_failed_stands_nowhere(herd):
    """Though it was sent somewhere."""
    run = herd(2, nodes=2).outage(2, 6).loses(1, 2).tries(1, 3, Outcome.REFUSED, node=0)
    assert connections_by_node(run.result()).counts[:, -1].tolist() == [1, 0]


def test_imbalance_is_the_most_over_the_mean(herd):
    """Three, one and none on three nodes: 3 / (4/3)."""
    run = herd(4, nodes=3).outage(2, 6)
    for client, node in ((1, 0), (2, 1)):
        run.loses(client, 2).tries(client, 7, node=node)
    assert imbalance(run) == 3 / (4 / 3)


def test_imbalance_of_an_outage_is_that_before_the_next(herd):
    """The whole run's is that at the end."""
    run = herd(4, nodes=2).outage(2, 6, nodes=[1])
    for client in (1, 3):
        run.loses(client, 2).tries(client, 7, node=0)
    run.outage(20, 26, nodes=[0]).loses(0, 20).tries(0, 30, node=1).loses(1, 20)
    run.tries(1, 30, node=1)
    summary = summarise(run.result())
    assert summary["outages"]["0"]["connection_imbalance"] == 2.0
    assert summary["outages"]["1"]["connection_imbalance"] == 1.0
    assert summary["connection_imbalance"] == 1.0


def test_imbalance_of_a_cohort_is_that_of_its_own_connections(herd):
    """One cohort sits on one node, the other on the other."""
    run = herd(4, nodes=2, shares={"even": 0.5, "odd": 0.5})
    run.cohort_of[:] = [0, 1, 0, 1]
    cohorts = summarise(run.result())["cohorts"]
    assert [cohorts[name]["connection_imbalance"] for name in ("even", "odd")] == [2.0, 2.0]


def test_a_node_that_is_down_does_not_count(herd):
    """It could hold nothing: with it left out the others are even."""
    run = herd(4, nodes=2).outage(2, 60, nodes=[1])
    for client in (1, 3):
        run.loses(client, 2).tries(client, 7, node=0)
    assert imbalance(run, observed_until=50.0) == 1.0
    assert imbalance(run, observed_until=70.0) == 2.0


def test_a_place_counts_while_somebody_is_in_it(herd):
    """Before the surge and after the end of the deploy there are two nodes, though not the same."""
    result = herd(2, nodes=2, deploy=(SURGE,)).result()
    assert [serving_nodes(result, at) for at in (14.0, 15.0, 22.0)] == [(0, 1), (1, 2), (0, 2)]


def test_one_node_is_in_balance(herd):
    """With itself."""
    assert imbalance(herd(3)) == 1.0


def test_nobody_connected_is_no_balance(herd):
    """It is unmeasured, rather than infinite."""
    summary = summarise(herd(1).outage(2, 6).loses(0, 2).result())
    assert summary["connection_imbalance"] is None
    assert "connection_imbalance" in summary["unmeasured"]


def test_a_connection_from_an_unknown_node_is_left_out(herd):
    """As of a client whose ramp nobody has recorded."""
    run = herd(2, nodes=2).outage(2, 6).loses(0, 2).tries(0, 7, node=0)
    raw = run.rows["attempts"]
    run.rows["attempts"] = [row for row in raw if row[0] != 1]
    result = run.result()
    assert connections_by_node(result).counts[:, -1].tolist() == [1, 0]
    assert summarise(result)["connection_imbalance"] == 2.0


@pytest.mark.parametrize("nodes", [1, 3])
def test_a_deploy_can_be_rehearsed(nodes):
    """Whatever is measured in a run with one is measured there."""
    scenario = Scenario(
        server={"nodes": nodes}, deploy=(SURGE, SURGE.model_copy(update={"starts_at": 40.0}))
    )
    summary = rehearse(scenario)
    assert set(summary["outages"]) == {"0", "1"}
    assert "connection_imbalance" not in summary["unmeasured"]
    assert "time_to_recovery_p95" not in summary["outages"]["0"]["unmeasured"]
