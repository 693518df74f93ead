"""What a rehearsal knows before a run."""

import pytest

from simulator.metrics import METRICS
from simulator.rehearsal import rehearse
from simulator.scenario import Cohort, Scenario
from simulator.scenario_files import load_scenario


def test_everything_happens():
    """Of the default scenario, all is measured that any run measures."""
    summary = rehearse(load_scenario())
    assert summary["unmeasured"] == []
    assert set(METRICS) <= set(summary)
    assert summary["recovered_share"] == 1.0


def test_shape():
    """There is a part for every outage and every cohort."""
    scenario = load_scenario(changes=["outage.every=10", "outage.count=2"]).model_copy(
        update={"cohort": (Cohort(name="old", share=0.25), Cohort(name="new", share=0.75))}
    )
    summary = rehearse(scenario)
    assert list(summary["outages"]) == ["0", "1"]
    assert list(summary["cohorts"]) == ["old", "new"]
    assert summary["cohorts"]["old"]["n_episodes"] == 2


def test_what_nobody_does_is_not_measured():
    """No events, no sync and no operations; in an outage nobody counts them."""
    of_clients = {
        "n_full_refresh", "n_delta_sync", "n_events_missed",
        "n_operations", "n_operations_lost", "n_operations_duplicated",
    }  # fmt: skip
    changes = ["server.history.rate=none", "client.sync=none", "client.operation_rate=none"]
    assert set(rehearse(load_scenario(changes=changes))["unmeasured"]) == of_clients
    assert set(rehearse(load_scenario())["outages"]["0"]["unmeasured"]) == of_clients


@pytest.mark.parametrize("metric", ["time_to_recovery_p95", "floor", "recovered_share"])
def test_nothing_breaks(metric):
    """Without an outage there is nothing to recover from."""
    assert metric in rehearse(Scenario(n_clients=10))["unmeasured"]


def test_a_foreign_server_leaves_no_record():
    """What no run against it measures is known beforehand."""
    summary = rehearse(load_scenario("own-server"), target="ws://localhost:8000/")
    assert {"floor", "wasted_share", "server_lag_p99"} <= set(summary["unmeasured"])
    assert summary["recovered_share"] == 1.0
    assert list(summary["outages"]) == ["0"]
