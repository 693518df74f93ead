"""The built-in scenarios of stages and cascades make their points; at a quarter of their size."""

import pytest

from simulator.core.backoff import BASIC
from simulator.engines import virtual
from simulator.metrics import summarise
from simulator.metrics.stages import binding_stage, stage_capacities
from simulator.scenario_files import load_scenario

QUARTER = {
    "auth-bottleneck": ["n_clients=150", "server.stages.1.service_time.mean=0.064"],
    "full-refresh-meltdown": [
        "n_clients=100",
        "server.stages.1.workers=1",
        "server.stages.1.service_time.mean=0.04",
        "server.stages.1.per_item=0.002",
    ],
    "cascade": [
        "n_clients=152",
        "server.service_time.mean=0.16",
        "server.backlog=62",
        "server.work.heartbeats.service_time.mean=0.008",
    ],
}
"""Fewer clients, and workers that are as much slower."""


def summary_of(name, path, *, policy="exponential-full-jitter", changes=()):
    """Of a run on the virtual clock."""
    scenario = load_scenario(name, changes=[*QUARTER[name], *changes])
    return summarise(virtual.run(scenario.with_policy(BASIC[policy]), out=path / "run"))


@pytest.mark.parametrize("name", QUARTER)
def test_a_quarter_of_a_scenario_is_as_long_as_the_whole(name):
    """The same herd for the narrowest stage, in seconds of its work."""
    seconds = []
    for scenario in (load_scenario(name), load_scenario(name, changes=QUARTER[name])):
        narrowest = stage_capacities(scenario)[binding_stage(scenario)]
        seconds.append(scenario.n_clients / narrowest)
    assert seconds[0] == pytest.approx(seconds[1], rel=0.02)


def test_the_queue_is_behind_a_server_that_has_nothing_to_do(tmp_path):
    """And the database that it stands in front of works for clients that have left."""
    summary = summary_of("auth-bottleneck", tmp_path, policy="fixed")
    assert summary["binding_stage"] == "auth-database"
    assert summary["floor"] == pytest.approx(9.6)
    assert summary["metastable"] is True
    assert summary["stages"]["auth-database"]["mean_wait"] > 4.0
    assert summary["stages"]["handshake"]["mean_wait"] < 0.1
    assert summary["wasted_share"] > 0.6
    assert summary["turned_away"]["backlog"] == 0


def test_jitter_brings_everybody_back_as_fast_as_the_database_can(tmp_path):
    """Nothing is done in vain."""
    summary = summary_of("auth-bottleneck", tmp_path)
    assert summary["time_to_recovery_p95"] == pytest.approx(summary["floor"], rel=0.1)
    assert summary["wasted_share"] == 0.0


def test_full_refreshes_never_end_though_everybody_gets_connected(tmp_path):
    """Each client loses several connections that were no use, whatever its policy."""
    summary = summary_of("full-refresh-meltdown", tmp_path)
    assert summary["binding_stage"] == "full-refresh"
    assert summary["time_to_sync_p95"] is None
    assert summary["metastable"] is True
    assert summary["causes"]["overload"] == summary["n_healthy_lost"] > 2 * summary["n_clients"]
    assert summary["wasted_share"] > 0.75


def test_asking_only_for_what_was_missed_is_the_cure(tmp_path):
    """The same herd, told a few events instead of sixty items."""
    summary = summary_of("full-refresh-meltdown", tmp_path, changes=["client.sync=delta"])
    assert summary["time_to_sync_p95"] < 8.0
    assert summary["disconnects_per_client"] == 1.0
    assert summary["n_healthy_lost"] == 0


def test_under_a_fixed_delay_those_who_come_back_bring_down_the_others(tmp_path):
    """The half that lost nothing loses its connections as well, and nobody is back."""
    summary = summary_of("cascade", tmp_path, policy="fixed")
    assert summary["causes"]["network"] == 76
    assert summary["causes"]["starved"] == summary["n_healthy_lost"] >= 70
    assert summary["cohorts"]["home"]["disconnects_per_client"] >= 0.9
    assert summary["recovered_share"] < 0.3


def test_with_jitter_the_herd_does_not_grow(tmp_path):
    """Those at home never learn that the office was away."""
    summary = summary_of("cascade", tmp_path)
    assert summary["causes"]["network"] == summary["n_episodes"] == 76
    assert summary["recovered_share"] == 1.0
