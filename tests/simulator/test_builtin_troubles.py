"""The built-in scenarios of drains, brownouts, proxies and advice show what they claim."""

import pytest

from simulator.core.backoff import BASIC
from simulator.engines import virtual
from simulator.metrics import summarise
from simulator.scenario_files import load_scenario


def summary_of(name, path, *, policy=None, changes=()):
    """Of a run on the virtual clock."""
    scenario = load_scenario(name, changes=changes)
    if policy is not None:
        scenario = scenario.with_policy(BASIC[policy])
    return summarise(virtual.run(scenario, out=path / "run"))


def test_a_drain_is_jitter_for_a_policy_without(tmp_path):
    """A herd in lockstep comes back almost as fast as the server can take it."""
    summary = summary_of("drain", tmp_path, policy="exponential")
    assert summary["floor"] == 6.0
    assert summary["time_to_recovery_p95"] == pytest.approx(7.4, abs=0.05)
    assert summary["turned_away"]["backlog"] == 0


def test_a_brownout_wastes_service_on_a_queue_that_was_short_enough(tmp_path):
    """Which it does not while the server is as fast as it should be; a third of it is lost."""
    summary = summary_of("brownout", tmp_path, policy="exponential-full-jitter")
    assert summary["time_to_recovery_p95"] == pytest.approx(18.1, abs=0.05)
    assert 0.3 < summary["wasted_share"] < 0.4
    server = load_scenario("brownout").server
    assert server.backlog / server.capacity < load_scenario("brownout").client.connect_timeout


def test_a_proxy_forgets_those_who_ping_too_seldom(tmp_path):
    """And only those; they learn of it up to 50 s later."""
    cohorts = summary_of("idle-proxy", tmp_path)["cohorts"]
    assert cohorts["every-25-s"]["n_episodes"] == 0
    assert cohorts["every-60-s"]["disconnects_per_client"] > 1
    assert cohorts["every-60-s"]["detection_time_p99"] == pytest.approx(50.0)
    assert cohorts["every-60-s"]["recovered_share"] == 1.0


def test_advice_that_is_spread_turns_each_away_once(tmp_path):
    """All but those who found a worker or a place, and nobody twice: 6.9 s of at least 6."""
    summary = summary_of("retry-after", tmp_path, policy="fixed")
    scenario = load_scenario("retry-after")
    assert summary["turned_away"]["backlog"] == (
        scenario.n_clients - scenario.server.backlog - scenario.server.workers
    )
    assert summary["time_to_recovery_p95"] == pytest.approx(6.9, abs=0.05)
    assert summary["wasted_share"] == 0.0
