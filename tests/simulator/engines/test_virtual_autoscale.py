"""Nodes that are added while a run lasts, from end to end."""

import numpy as np
import pytest

from simulator.core.outcomes import Outcome
from simulator.engines import virtual
from simulator.errors import ScenarioError
from simulator.metrics import summarise
from simulator.metrics.nodes import connections_by_node, serving_nodes
from simulator.run_directory import load_run
from simulator.scenario import parse

AUTOSCALE = {"target_connections": 20, "most": 4, "every": 2.0, "ready_after": 5.0}


def scenario(*, autoscale=AUTOSCALE, server=None, **fields):
    """Sixty clients of one node."""
    return parse(
        {
            "n_clients": 60,
            "horizon": 30.0,
            "server": {
                "nodes": 1,
                "workers": 4,
                "service_time": {"kind": "constant", "mean": 0.001},
                "autoscale": autoscale,
                **(server or {}),
            },
            "client": {
                "policy": {"growth": "constant", "base": 0.5},
                "heartbeat": "none",
                "rtt": 0.001,
            },
            **fields,
        },
        source="test",
    )


def run(path, **fields):
    """The result of such a run."""
    return virtual.run(scenario(**fields), out=path / "run")


def test_as_many_nodes_are_started_as_the_load_asks_for(tmp_path):
    """Three times the target at the first look, after 2 s: two more, ready 5 s later."""
    result = run(tmp_path)
    assert result.manifest.nodes_added == ((1, 2.0, 7.0), (2, 2.0, 7.0))
    assert [serving_nodes(result, at) for at in (6.9, 7.0)] == [(0,), (0, 1, 2)]
    assert load_run(tmp_path / "run").manifest.nodes_added == result.manifest.nodes_added


def test_a_new_node_does_nothing_for_connections_that_stay(tmp_path):
    """They are where they were put; so all sixty are at the first one to the end."""
    result = run(tmp_path)
    assert connections_by_node(result).counts[:, -1].tolist() == [60, 0, 0, 0]
    assert summarise(result)["connection_imbalance"] == 3.0


def test_an_age_brings_them_to_the_new_nodes(tmp_path):
    """As they end and come back, the balancer spreads them."""
    age = {"mean": 6.0, "dither": 5.0}
    result = run(tmp_path, server={"max_connection_age": age})
    assert min(connections_by_node(result).counts[:3, -1]) > 10
    went = result.attempts["node"] > 0
    assert result.attempts["started_at"][went].min() >= 7.0


def test_a_storm_is_over_before_help_comes(tmp_path):
    """Busy workers ask for more nodes at once, which are ready when everybody is back."""
    autoscale = {"target_utilisation": 0.3, "most": 3, "every": 1.0, "ready_after": 10.0}
    outage = {"kind": "crash", "starts_at": 1.0, "down_for": 1.0}
    result = run(
        tmp_path,
        autoscale=autoscale,
        server={"workers": 1, "service_time": {"kind": "constant", "mean": 0.05}},
        outage=[outage],
        settle=20.0,
    )
    ((_, decided_at, ready_at), *_) = result.manifest.nodes_added
    assert 2.0 < decided_at <= 4.0
    assert ready_at == decided_at + 10.0
    connects = result.attempts["ended_at"][result.attempts["outcome"] == Outcome.CONNECTED]
    assert connects.max() < ready_at


def test_an_outage_of_all_nodes_is_one_of_the_new_ones_as_well(tmp_path):
    """Those who came to them are disconnected, too, and a row of the record says so."""
    outages = [
        {"kind": "crash", "starts_at": 8.0, "down_for": 1.0, "nodes": [0]},
        {"kind": "crash", "starts_at": 15.0, "down_for": 1.0},
    ]
    check = {"unhealthy_after": 0.1, "healthy_after": 5.0}
    result = run(tmp_path, outage=outages, server={"health_check": check})
    assert result.outages["node"].tolist() == [0, 0, 1, 2]
    lost = result.disconnects
    assert set(lost["node"][lost["outage"] == 1]) == {1, 2}
    assert np.count_nonzero(lost["outage"] == 1) == 60


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"autoscale": {**AUTOSCALE, "most": 2}, "server": {"nodes": 3}}, "at least server.nodes"),
        ({"deploy": [{"starts_at": 1.0}]}, "not with server.autoscale"),
        ({"autoscale": {"most": 2}}, "one of target_connections and target_utilisation"),
    ],
)
def test_what_does_not_fit_is_refused(fields, line):
    """In one line."""
    with pytest.raises(ScenarioError, match=line):
        scenario(**fields)
