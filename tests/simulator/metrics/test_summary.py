"""The summary: every metric of the contract, over the run, each outage and each cohort."""

import json

import pytest

from simulator.core.outcomes import Outcome
from simulator.metrics import METRICS, evaluate, summarise

OF_SYNCS = {"time_to_sync_p95", "time_to_sync_p100"}
OF_CLIENTS = {
    "n_full_refresh",
    "n_delta_sync",
    "n_events_missed",
    "n_operations",
    "n_operations_lost",
    "n_operations_duplicated",
}


@pytest.fixture
def restart(herd):
    """Four clients, capacity 10/s: one back at once, one at the third try, one gave up, one not."""
    run = herd(4, horizon=36.0).outage(2, 6)
    for client in range(4):
        run.loses(client, 2, noticed_at=2.5)
    run.tries(0, 8, started_at=7.5, due_at=7.25)
    run.tries(1, 3, Outcome.REFUSED).tries(1, 7, Outcome.REJECTED).tries(1, 9)
    run.tries(2, 3, Outcome.REFUSED).gives_up(2, 3)
    run.tries(3, 30, Outcome.TIMED_OUT, started_at=20)
    run.interval(-1, arrivals=50, backlog=50, completed=50, wasted=50)
    run.interval(7, arrivals=3, backlog=2, completed=4, wasted=1)
    return run.service(-1, 9.0).service(7, 0.25)


def test_the_whole_run(restart):
    """Counts, times and rates; the ramp is in none of it."""
    summary = summarise(restart.result())
    expected = {
        "n_clients": 4,
        "n_episodes": 4,
        "disconnects_per_client": 1.0,
        "n_recovered": 2,
        "n_censored": 1,
        "n_gave_up": 1,
        "recovered_share": 0.5,
        "n_attempts": 6,
        "amplification": 1.5,
        "peak_attempt_rate_100ms": 20.0,
        "peak_attempt_rate_1s": 2.0,
        "peak_arrival_rate_up_1s": 3.0,
        "peak_connect_rate_1s": 1.0,
        "reconnect_time_p50": 7.0,
        "reconnect_time_p95": None,
        "reconnect_time_max": None,
        "time_to_recovery_p50": 3.0,
        "time_to_recovery_p100": None,
        "floor": 0.4,
        "detection_time_p50": 0.5,
        "peak_backlog": 2,
        "wasted_share": 0.25,
        "goodput_after_outage": pytest.approx(2 / 30),
        "binding_stage": "handshake",
        "metastable": False,
        "generator_lag_p99": 0.25,
        "generator_lag_max": 0.25,
        "server_lag_p99": 0.25,
        "verdict": "strained",
    }
    assert {name: summary[name] for name in expected} == expected
    assert {name: n for name, n in summary["outcomes"].items() if n} == {
        "connected": 2,
        "refused": 2,
        "rejected": 1,
        "timed_out": 1,
    }
    assert set(summary["unmeasured"]) == OF_CLIENTS | OF_SYNCS


def test_every_scope_has_every_metric(restart):
    """Under the names of METRICS, and it is JSON as it stands."""
    summary = summarise(restart.result())
    assert [*METRICS, "unmeasured", "cut_short", "stages", "outages", "cohorts"] == list(summary)
    assert [*METRICS, "unmeasured"] == list(summary["outages"]["0"])
    assert [*METRICS, "unmeasured"] == list(summary["cohorts"]["all"])
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_with_one_outage_it_is_the_whole_run(restart):
    """Nothing else happened."""
    summary = summarise(restart.result())
    assert summary["outages"]["0"] == {name: summary[name] for name in [*METRICS, "unmeasured"]}


def test_each_outage_has_its_own_stretch(herd):
    """The run takes the worse figure; who is still down stays in the first outage's episode."""
    run = (
        herd(2, capacity=1).outage(2, 6).loses(0, 2).loses(1, 2).tries(0, 7).interval(7, backlog=5)
    )
    run.outage(10, 14).loses(0, 10).tries(0, 15).tries(1, 17).interval(15, backlog=9)
    summary = summarise(run.result())
    first, second = summary["outages"]["0"], summary["outages"]["1"]
    assert (first["n_episodes"], second["n_episodes"]) == (2, 1)
    assert (first["peak_backlog"], second["peak_backlog"]) == (5, 9)
    assert (first["floor"], second["floor"], summary["floor"]) == (2, 1, 2)
    assert first["time_to_recovery_p50"] == 1
    assert second["time_to_recovery_p50"] == summary["time_to_recovery_p50"] == 1
    assert second["time_to_recovery_p100"] == 3
    assert summary["time_to_recovery_p100"] is None
    assert first["goodput_after_outage"] == summary["goodput_after_outage"] == 0.25
    assert "metastable" in first["unmeasured"]
    assert "metastable" not in second["unmeasured"]


def test_each_cohort_has_its_own_clients(herd):
    """What only the server knows is not told apart."""
    run = herd(4, shares={"web": 0.5, "mobile": 0.5}).outage(2, 6).interval(7, arrivals=1)
    run.cohort_of[:] = [0, 0, 1, 1]
    for client in range(4):
        run.loses(client, 2)
    run.tries(0, 7).tries(1, 8).tries(2, 9)
    cohorts = summarise(run.result())["cohorts"]
    assert list(cohorts) == ["web", "mobile"]
    assert cohorts["web"]["recovered_share"] == 1.0
    assert cohorts["web"]["time_to_recovery_p100"] == 2
    assert cohorts["mobile"]["recovered_share"] == 0.5
    assert cohorts["mobile"]["time_to_recovery_p50"] == 3
    assert cohorts["mobile"]["n_clients"] == 2
    assert {"peak_backlog", "wasted_share", "metastable"} < set(cohorts["web"]["unmeasured"])


@pytest.fixture
def busy(herd):
    """One client of each cohort; events, sync and operations."""
    run = herd(
        2, shares={"web": 0.5, "mobile": 0.5}, sync="delta", operation_rate=1.0, event_rate=1.0
    )
    run.cohort_of[:] = [0, 1]
    run.account(0, n_operations=5, n_delta_sync=2, n_full_refresh=1).applied(0, 4, 3)
    return run.applied(1, 7).outage(2, 6)


def test_accounts_add_up(busy):
    """Over the run and over each cohort; what an outage did to them is not told apart."""
    busy.account(1, n_operations=8, n_unanswered=1, n_delta_sync=1)
    summary = summarise(busy.result())
    expected = {
        "n_full_refresh": (1, 1, 0),
        "n_delta_sync": (3, 2, 1),
        "n_events_missed": (0, 0, 0),
        "n_operations": (13, 5, 8),
        "n_operations_lost": (1, 1, 0),
        "n_operations_duplicated": (3, 3, 0),
    }
    scopes = (summary, summary["cohorts"]["web"], summary["cohorts"]["mobile"])
    assert {name: tuple(scope[name] for scope in scopes) for name in expected} == expected
    assert all(type(scope[name]) is int for scope in scopes for name in expected)
    assert set(summary["outages"]["0"]["unmeasured"]) >= OF_CLIENTS


def test_accounts_that_lack_a_client_do_not_add_up(busy):
    """Its process was killed; the cohort that is complete still does."""
    summary = summarise(busy.result())
    assert set(summary["unmeasured"]) >= OF_CLIENTS
    assert set(summary["cohorts"]["mobile"]["unmeasured"]) >= OF_CLIENTS
    assert not OF_CLIENTS & set(summary["cohorts"]["web"]["unmeasured"])
    assert summary["cohorts"]["web"]["n_operations"] == 5


@pytest.mark.parametrize(
    ("client", "measured"),
    [
        ({}, set()),
        ({"event_rate": 1.0}, {"n_events_missed"}),
        ({"sync": "full"}, {"n_full_refresh", "n_delta_sync"}),
        (
            {"operation_rate": 0.1},
            {"n_operations", "n_operations_lost", "n_operations_duplicated"},
        ),
    ],
)
def test_what_nobody_does_is_unmeasured(herd, client, measured):
    """Rather than none of it: a client without operations loses none, which says nothing."""
    summary = summarise(herd(1, **client).account(0).result())
    assert OF_CLIENTS - set(summary["unmeasured"]) == measured


def test_an_early_end_of_the_run_censors_like_the_horizon(restart):
    """Client 1 connects at 9 s, which nobody was there to see."""
    summary = summarise(restart.result(observed_until=8.5))
    assert (summary["n_recovered"], summary["n_censored"]) == (1, 2)
    assert summary["time_to_recovery_p50"] is None


def test_without_the_servers_record_its_metrics_are_unmeasured(herd):
    """Detection too: the loss counts from its notice."""
    run = herd(1).outage(2, 6).loses(0, 3, recorded=False).tries(0, 7)
    summary = summarise(run.result())
    assert set(summary["unmeasured"]) - OF_CLIENTS - OF_SYNCS == {
        "n_arrivals",
        "peak_arrival_rate_up_1s",
        "detection_time_p50",
        "detection_time_p99",
        "peak_backlog",
        "wasted_share",
        "turned_away",
        "metastable",
        "server_lag_p99",
    }
    assert summary["reconnect_time_p50"] == 4


def test_those_turned_away_are_counted_by_the_rule_that_did_it(herd):
    """Over all intervals from t = 0 on; an outage's own scope has its stretch."""
    run = herd(1).outage(2, 6).interval(-1, turned_away={"backlog": 9})
    run.interval(1, turned_away={"outage": 4})
    run.interval(7, turned_away={"backlog": 3, "admission": 2}).interval(
        8, turned_away={"backlog": 1}
    )
    summary = summarise(run.result())
    counts = {
        "backlog": 4,
        "max_connections": 0,
        "admission": 2,
        "max_per_address": 0,
        "stage": 0,
        "outage": 4,
    }
    assert summary["turned_away"] == counts
    assert summary["outages"]["0"]["turned_away"] == {**counts, "outage": 0}
    assert evaluate("turned_away.backlog == 4", summary)


def test_a_run_without_an_outage_has_no_recovery_to_measure(herd):
    """Its counts are zero, its verdict stands."""
    summary = summarise(herd(2).interval(1).service(1, 0.0).result())
    assert summary["n_episodes"] == summary["n_attempts"] == summary["peak_attempt_rate_1s"] == 0
    assert summary["verdict"] == "ok"
    assert summary["metastable"] is False
    assert {"time_to_recovery_p50", "floor", "amplification"} < set(summary["unmeasured"])
    assert summary["outages"] == {}


def test_a_herd_served_at_capacity_has_the_percentiles_of_a_ramp(herd):
    """All N break at once and the k-th connects k/C later: p is pN/C (P6)."""
    run = herd(200, capacity=10).outage(2, 2.001)
    for client in range(200):
        run.loses(client, 2).tries(client, 2 + (client + 1) / 10)
    summary = summarise(run.result())
    assert summary["reconnect_time_p50"] == pytest.approx(10.0)
    assert summary["reconnect_time_p95"] == pytest.approx(19.0)
    assert summary["reconnect_time_max"] == pytest.approx(summary["floor"]) == pytest.approx(20.0)
    assert summary["peak_connect_rate_1s"] == pytest.approx(10, abs=1)


def test_collapse_shows_in_the_summary(herd):
    """The load outlives the outage and nobody gets in."""
    run = herd(30, horizon=36.0, capacity=10).outage(2, 6)
    for client in range(30):
        run.loses(client, 2)
        for second in range(7, 36):
            run.tries(client, second + 0.9, Outcome.TIMED_OUT, started_at=second)
    for second in range(7, 36):
        run.interval(second, arrivals=30, completed=10, wasted=10)
    summary = summarise(run.result())
    assert summary["metastable"] is summary["outages"]["0"]["metastable"] is True
    assert summary["recovered_share"] == 0
    assert summary["wasted_share"] == 1
    assert summary["goodput_after_outage"] == 0
    assert summary["amplification"] == 29


def test_of_a_foreign_server_only_its_clients_are_known(herd):
    """What rests on a server's record, or on its capacity, is unmeasured; the rest is not."""
    run = herd(4, event_rate=1.0, sync="delta", operation_rate=1.0)
    for client in range(4):
        run.notices(client, 2.0).tries(client, 7.0 + client).account(client)
    summary = summarise(run.result(target="ws://localhost:8000/"))
    assert set(summary["unmeasured"]) - OF_CLIENTS == {
        *("peak_arrival_rate_up_1s", "detection_time_p50", "detection_time_p99", "peak_backlog"),
        *("wasted_share", "metastable", "server_lag_p99", "floor", "binding_stage"),
        *("n_arrivals", "turned_away"),
    }
    assert set(summary["unmeasured"]) >= OF_CLIENTS
    assert summary["recovered_share"] == 1.0
    assert summary["time_to_recovery_p100"] == 3.0
    assert summary["goodput_after_outage"] == pytest.approx(4 / 3)
    assert summary["verdict"] == "ok"
    assert summary["outages"]["0"]["floor"] is None


def test_at_a_foreign_server_the_clients_lag_decides(herd):
    """Attempts that a ceiling holds back start late, and that is the verdict."""
    run = herd(4)
    for client in range(4):
        run.notices(client, 2.0).tries(client, 7.0, started_at=6.0, due_at=3.0)
    summary = summarise(run.result(target="ws://localhost:8000/"))
    assert (summary["generator_lag_p99"], summary["verdict"]) == (3.0, "saturated")
