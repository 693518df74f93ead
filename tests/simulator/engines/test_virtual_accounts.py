"""Events, operations and cut paths, from end to end, against closed forms."""

import math

import numpy as np
import pytest

from simulator.conversation import operation_phase
from simulator.core.outcomes import Cause, NoticedBy, Outcome
from simulator.engines import virtual
from simulator.metrics import summarise
from simulator.run_directory import prepare_directory
from simulator.scenario import parse
from simulator.scenario_files import load_scenario

EVENT_RATE, OPERATION_RATE = 2.0, 0.5
INTERVAL, TIMEOUT = 4.0, 2.0
CRASH_AT, CUT_AT, HEALED_AT = 10.25, 30.25, 50.25


def run(path, *outages, server=None, **fields):
    """Half of the clients sync, the other half are deaf to what they missed."""
    cohort = {
        "policy": "fixed",
        "operation_rate": OPERATION_RATE,
        "heartbeat": {"interval": INTERVAL, "timeout": TIMEOUT},
    }
    scenario = {
        "n_clients": 20,
        "horizon": 120.0,
        "ramp_rate": 64.0,
        "seed": 3,
        "server": {
            "workers": 10,
            "service_time": {"kind": "constant", "mean": 0.01},
            "history": {"rate": EVENT_RATE},
            **(server or {}),
        },
        "cohort": [
            {"name": "deaf", "share": 0.5, "sync": "none", **cohort},
            {"name": "keen", "share": 0.5, "sync": "delta", **cohort},
        ],
        "outage": outages,
        **fields,
    }
    return virtual.run(parse(scenario, source="test"), out=path / "run")


@pytest.fixture(scope="module", params=[True, False], ids=["kept", "lost"])
def eventful(request, tmp_path_factory):
    """A crash, which the history survives or not; then everybody's path is cut for a while."""
    return run(
        tmp_path_factory.mktemp("eventful"),
        {"kind": "crash", "starts_at": CRASH_AT, "down_for": 5.0},
        {"kind": "network", "starts_at": CUT_AT, "down_for": HEALED_AT - CUT_AT},
        server={"history": {"rate": EVENT_RATE, "survives_restart": request.param}},
    )


def downtimes(result, client):
    """From when to when a client was without connection; it always came back."""
    losses, attempts = result.disconnects, result.attempts
    mine = (attempts["client"] == client) & (attempts["outcome"] == Outcome.CONNECTED)
    back_at = dict(zip(attempts["episode"][mine], attempts["ended_at"][mine], strict=True))
    rows = np.flatnonzero(losses["client"] == client)
    return [(losses["broke_at"][row], back_at[losses["episode"][row]]) for row in rows]


def operations_at(result, client, *, until):
    """When a client's user did something, on the run's clock."""
    first = client / result.scenario.ramp_rate
    first += operation_phase(result.scenario.seed, client, OPERATION_RATE)
    first -= result.manifest.origin
    return [
        first + number / OPERATION_RATE
        for number in range(math.ceil((until - first) * OPERATION_RATE))
    ]


def test_who_syncs_none_misses_what_is_published_while_it_is_away(eventful):
    """An event at k/rate is missed if it falls between a loss and the next connect."""
    published_at = np.arange(0.0, eventful.manifest.observed_until, 1 / EVENT_RATE)
    clients = eventful.clients
    for client in np.flatnonzero(clients["cohort"] == 0).tolist():
        away = downtimes(eventful, client)
        assert len(away) == 2
        missed = sum(
            np.count_nonzero((published_at >= broke) & (published_at < back))
            for broke, back in away
        )
        assert clients["n_events_missed"][client] == missed > 0
    assert summarise(eventful)["cohorts"]["keen"]["n_events_missed"] == 0


def test_who_syncs_fetches_what_it_missed_or_everything(eventful):
    """Each of ten comes back twice; a history that was lost in the crash leaves no delta."""
    survives = eventful.scenario.server.history.survives_restart
    keen = summarise(eventful)["cohorts"]["keen"]
    assert (keen["n_delta_sync"], keen["n_full_refresh"]) == ((20, 0) if survives else (10, 10))
    members = eventful.clients["cohort"] == 1
    back_at = [downtimes(eventful, client)[-1][1] for client in np.flatnonzero(members)]
    np.testing.assert_allclose(eventful.clients["synced_at"][members], back_at)
    assert np.isnan(eventful.clients["synced_at"][~members]).all()


def test_operations_are_issued_steadily_and_applied_once(eventful):
    """Connected or not; none is lost, and none applied twice."""
    end = eventful.manifest.observed_until
    n_issued = [len(operations_at(eventful, client, until=end)) for client in range(20)]
    assert eventful.clients["n_operations"].tolist() == n_issued
    summary = summarise(eventful)
    assert summary["n_operations"] == sum(n_issued)
    assert summary["n_operations_lost"] == summary["n_operations_duplicated"] == 0
    assert summary["unmeasured"] == []


def test_a_cut_path_is_noticed_by_the_heartbeat(eventful):
    """Between the timeout and the interval and the timeout after the cut (RULES 19)."""
    losses = eventful.disconnects
    cut = losses["cause"] == Cause.NETWORK
    assert np.count_nonzero(cut) == 20
    assert set(losses["outage"][cut]) == {1}
    assert set(losses["broke_at"][cut]) == {CUT_AT}
    assert set(losses["noticed_by"][cut]) == {NoticedBy.HEARTBEAT}
    blind = summarise(eventful)["outages"]["1"]
    assert TIMEOUT <= blind["detection_time_p50"] <= blind["detection_time_p99"]
    assert blind["detection_time_p99"] <= INTERVAL + TIMEOUT


@pytest.mark.parametrize("survives", [True, False])
def test_an_operation_is_applied_twice_only_where_its_answer_was_lost(tmp_path, survives):
    """Sent along a cut path it arrives when that heals, but its client has left; then a crash.

    A ledger that the crash wipes out applies the copy again: one per client that had sent an
    operation between the cut and its notice, and was not back before the crash.
    """
    result = run(
        tmp_path,
        {"kind": "network", "starts_at": CUT_AT, "down_for": 20.0, "cohort": "deaf"},
        {"kind": "crash", "starts_at": HEALED_AT + 0.5, "down_for": 5.0},
        server={"ledger": {"survives_restart": survives}},
    )
    expected = []
    for client, cohort in enumerate(result.clients["cohort"].tolist()):
        away = result.disconnects["client"] == client
        noticed_at = result.disconnects["noticed_at"][away][0]
        sent = [at for at in operations_at(result, client, until=noticed_at) if at >= CUT_AT]
        back_at = downtimes(result, client)[0][1]
        answered = cohort == 1 or not sent or back_at < HEALED_AT + 0.5
        expected.append(0 if survives or answered else 1)
    assert result.clients["n_operations_duplicated"].tolist() == expected
    assert (sum(expected) > 0) is not survives
    assert summarise(result)["n_operations_lost"] == 0


def test_a_close_frame_behind_a_cut_path_arrives_when_it_heals(tmp_path):
    """Without a heartbeat nothing else tells; the restart is the cause, the cut the delay."""
    result = run(
        tmp_path,
        {"kind": "network", "starts_at": 10.0, "down_for": 10.0, "cohort": "deaf"},
        {"kind": "graceful", "starts_at": 12.0, "down_for": 4.0},
        cohort=[
            {"name": name, "share": 0.5, "heartbeat": "none", "policy": "fixed"}
            for name in ("deaf", "keen")
        ],
    )
    losses, cohort_of = result.disconnects, result.clients["cohort"]
    assert set(losses["cause"]) == {Cause.GRACEFUL}
    assert set(losses["noticed_by"]) == {NoticedBy.CLOSE_FRAME}
    assert set(losses["broke_at"]) == {12.0}
    assert losses["noticed_at"].tolist() == [12.0] * 10 + [20.0] * 10
    assert cohort_of[losses["client"]].tolist() == [1] * 10 + [0] * 10
    outages = summarise(result)["outages"]
    assert (outages["0"]["n_episodes"], outages["1"]["n_episodes"]) == (0, 20)
    assert outages["1"]["recovered_share"] == 1.0


def test_an_outbox_on_disk_changes_nothing(tmp_path):
    """Where operations wait has no say in what becomes of them."""
    tables = {}
    for outbox in ("memory", "sqlite"):
        scenario = load_scenario(
            "crash", changes=[f"outbox={outbox}", "n_clients=40", "horizon=15", "settle=1"]
        )
        prepare_directory(tmp_path / outbox)
        result = virtual.run(scenario, out=tmp_path / outbox)
        tables[outbox] = result.table("clients")
    assert tables["sqlite"]["n_operations"].sum() > 0
    for name, column in tables["memory"].items():
        np.testing.assert_array_equal(column, tables["sqlite"][name])
