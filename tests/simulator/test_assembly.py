"""What clients and server wrote down becomes one record on one clock."""

import numpy as np
import pytest

from server_stub.outage import OutageKind
from simulator.assembly import assemble
from simulator.core.cohorts import deal_cohorts
from simulator.core.outcomes import Cause, NoticedBy, Outcome
from simulator.raw_tables import RawTables
from simulator.scenario import HeartbeatConfig

CLOCKS = pytest.mark.parametrize("origin", [0.0, 5000.0, 123456.789])


@CLOCKS
def test_instants_count_from_the_origin(herd, origin):
    """Whatever the absolute clock showed at t = 0."""
    run = herd(1, origin=origin).outage(2, 6).loses(0, 2, noticed_at=3).tries(0, 7).gives_up(0, 9)
    result = run.interval(1).service(4, 0.5).account(0, synced_at=8).result()
    assert result.clients["synced_at"] == pytest.approx([8])
    assert result.attempts["ended_at"] == pytest.approx([-1, 7])
    assert result.disconnects["broke_at"] == pytest.approx([2])
    assert result.disconnects["noticed_at"] == pytest.approx([3])
    assert result.clients["gave_up_at"] == pytest.approx([9])
    assert result.outages["ends_at"] == pytest.approx([6])
    assert result.server["at"] == pytest.approx([1])
    assert result.services["at"] == pytest.approx([4])
    assert result.services["lag"] == pytest.approx([0.5])


@pytest.mark.parametrize("kind", ["graceful", "crash", "freeze", "network"])
def test_a_loss_has_the_servers_instant_outage_and_cause(herd, kind):
    """The server knows when and why it broke the connection."""
    result = herd(1).outage(2, 6, kind=kind).loses(0, 2, noticed_at=5).result()
    assert result.disconnects["broke_at"].tolist() == [2]
    assert result.disconnects["outage"].tolist() == [0]
    assert result.disconnects["cause"].tolist() == [Cause[kind.upper()]]


def test_attempts_belong_to_the_outage_that_began_their_episode(herd):
    """The ramp to none; a client still down when the next outage starts to its first."""
    run = herd(2).outage(2, 6).loses(0, 2).loses(1, 2).tries(0, 7)
    run.outage(10, 14).loses(0, 10).tries(0, 15).tries(1, 16)
    attempts = run.result().attempts
    assert attempts["client"].tolist() == [0, 1, 0, 0, 1]
    assert attempts["episode"].tolist() == [0, 0, 1, 2, 1]
    assert attempts["outage"].tolist() == [-1, -1, 0, 1, 0]


def test_attempts_are_sorted_by_start_then_client(herd):
    """However the processes interleaved."""
    run = herd(3).tries(2, 5).tries(0, 5).tries(1, 4).tries(1, 9, started_at=3)
    attempts = run.result().attempts
    assert attempts["client"].tolist() == [0, 1, 2, 1, 1, 0, 2]
    assert attempts["started_at"].tolist() == [-1, -1, -1, 3, 4, 5, 5]


def test_without_a_servers_record_a_loss_counts_from_its_notice(herd):
    """As part of the outage that was the last to start, from a cause nobody knows."""
    run = herd(3).outage(2, 6).outage(20, 26)
    run.loses(0, 1, recorded=False).loses(1, 7, recorded=False).loses(2, 30, recorded=False)
    disconnects = run.result().disconnects
    assert disconnects["broke_at"].tolist() == [1, 7, 30]
    assert disconnects["outage"].tolist() == [-1, 0, 1]
    assert set(disconnects["cause"]) == {Cause.SERVER_LOST}


def test_a_loss_outside_every_outage_belongs_to_none(herd):
    """The server broke the connection, but not in an outage."""
    disconnects = herd(1).outage(2, 6).loses(0, 8, outage=-1).result().disconnects
    assert disconnects["outage"].tolist() == [-1]
    assert disconnects["cause"].tolist() == [Cause.LIFETIME]


def test_a_freeze_that_nobody_noticed_is_not_the_cause(herd):
    """The server recorded a freeze, then a crash of the same connection; the client saw one."""
    run = herd(1).outage(2, 3, kind="freeze").outage(10, 16, kind="crash")
    run.breaks(0, 2, outage=0)
    disconnects = run.loses(0, 10, noticed_at=10.1).result().disconnects
    assert disconnects["broke_at"].tolist() == [10]
    assert disconnects["outage"].tolist() == [1]
    assert disconnects["cause"].tolist() == [Cause.CRASH]


@pytest.mark.parametrize(
    ("noticed_at", "by", "broke_at", "cause"),
    [
        (18, NoticedBy.HEARTBEAT, 10, Cause.NETWORK),
        (18, NoticedBy.OFFLINE, 10, Cause.NETWORK),
        (20, NoticedBy.CLOSE_FRAME, 12, Cause.GRACEFUL),
        (21, NoticedBy.RESET, 12, Cause.GRACEFUL),
    ],
)
def test_a_restart_behind_a_cut_path_is_noticed_when_the_path_heals(
    herd, noticed_at, by, broke_at, cause
):
    """Before that there is silence, which began with the cut; then comes the close frame."""
    run = herd(1).outage(10, 20, kind="network").breaks(0, 10).outage(12, 16).breaks(0, 12)
    disconnects = run.notices(0, noticed_at, by).result().disconnects
    assert disconnects["broke_at"].tolist() == [broke_at]
    assert disconnects["cause"].tolist() == [cause]
    assert disconnects["outage"].tolist() == [int(broke_at == 12)]


def test_a_silence_began_with_the_first_of_overlapping_outages(herd):
    """A freeze, the path cut meanwhile, another freeze behind the cut: one silence."""
    run = herd(1).outage(5, 15, kind="freeze").breaks(0, 5)
    run.outage(8, 40, kind="network").breaks(0, 8).outage(20, 22, kind="freeze").breaks(0, 20)
    run.outage(30, 32, kind="freeze").breaks(0, 30).notices(0, 35, NoticedBy.HEARTBEAT)
    disconnects = run.result().disconnects
    assert disconnects["broke_at"].tolist() == [5]
    assert disconnects["cause"].tolist() == [Cause.FREEZE]


def test_a_cut_that_nobody_noticed_is_not_the_cause_of_a_later_silence(herd):
    """The path had healed, and everything sent meanwhile had arrived."""
    run = herd(2).outage(2, 3, kind="network").breaks(0, 2).breaks(1, 2)
    run.outage(10, 16, kind="freeze").breaks(0, 10).breaks(1, 10)
    run.notices(0, 14, NoticedBy.HEARTBEAT)
    run.outage(20, 30, kind="network").breaks(1, 20).notices(1, 25, NoticedBy.RESET)
    disconnects = run.result().disconnects
    assert disconnects["broke_at"].tolist() == [10, 20]
    assert disconnects["cause"].tolist() == [Cause.FREEZE, Cause.NETWORK]


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        ("graceful", Cause.GRACEFUL),
        ("crash", Cause.CRASH),
        ("freeze", Cause.FREEZE),
        ("network", Cause.NETWORK),
        ("drain", Cause.DRAIN),
        ("cold", Cause.GRACEFUL),
        ("idle_timeout", Cause.IDLE_TIMEOUT),
    ],
)
def test_each_kind_of_outage_is_a_cause(herd, kind, cause):
    """A cold start is a graceful restart, to the connections that it ends."""
    run = herd(1).outage(2, 6, kind=kind).breaks(0, 3)
    by = NoticedBy.HEARTBEAT if OutageKind(kind).is_on_the_way else NoticedBy.RESET
    disconnects = run.notices(0, 5, by).result().disconnects
    assert disconnects["cause"].tolist() == [cause]
    assert disconnects["broke_at"].tolist() == [3]


def test_a_connection_that_was_forgotten_is_never_well_again(herd):
    """The crash that hits it after the middlebox has stopped forgetting is not heard of."""
    run = herd(1).outage(2, 6, kind="idle_timeout").breaks(0, 5)
    run.outage(10, 12, kind="crash").breaks(0, 10).notices(0, 20, NoticedBy.HEARTBEAT)
    disconnects = run.result().disconnects
    assert disconnects["broke_at"].tolist() == [5]
    assert disconnects["cause"].tolist() == [Cause.IDLE_TIMEOUT]


def test_a_slow_server_is_where_a_loss_without_a_record_belongs(herd):
    """It broke nothing itself; but those that it starved count as its own."""
    run = herd(1).outage(2, 9, kind="slow").loses(0, 5, recorded=False)
    disconnects = run.result().disconnects
    assert disconnects["outage"].tolist() == [0]
    assert disconnects["cause"].tolist() == [Cause.SERVER_LOST]


def test_what_leaves_no_record_is_not_the_networks_doing(herd):
    """The fleet cuts the paths itself, and writes that down."""
    run = herd(1).outage(2, 6).outage(8, 9, kind="network").loses(0, 10, recorded=False)
    assert run.result().disconnects["outage"].tolist() == [0]


def test_a_connection_the_server_closed_unnoticed_changes_nothing(herd):
    """As when the server shuts down after the run."""
    run = herd(1).outage(2, 6).loses(0, 2).tries(0, 7)
    run.rows["losses"].append((0, 1, -1, 0, 101))
    assert run.result().disconnects["broke_at"].tolist() == [2]


def test_an_outage_under_way_when_the_server_was_killed_is_known_from_its_victims(herd):
    """Its kind stands in the schedule, its end in the future."""
    run = herd(2).outage(2, 6, kind="crash", recorded=False).loses(0, 2.1).loses(1, 2.2)
    result = run.result()
    assert result.outages["starts_at"].tolist() == [2.1]
    assert result.outages["ends_at"].tolist() == [np.inf]
    assert result.disconnects["cause"].tolist() == [Cause.CRASH, Cause.CRASH]


@CLOCKS
def test_a_run_cut_off_in_its_ramp_ends_at_zero(herd, origin):
    """Nobody had named t = 0 yet, so everything is ramp."""
    run = herd(2, origin=origin).tries(1, 30, Outcome.REFUSED)
    result = run.result(origin=None, observed_until=None)
    assert result.attempts["ended_at"] == pytest.approx([-31, -31, 0])
    assert result.attempts["outage"].tolist() == [-1, -1, -1]
    assert result.manifest.observed_until == 0


def test_without_an_end_the_observation_ends_with_the_records(herd):
    """As after a kill."""
    run = herd(1, origin=50.0).outage(2, 6).loses(0, 2).tries(0, 7.5)
    assert run.result(observed_until=None).manifest.observed_until == 7.5


def test_nothing_recorded_is_an_empty_result(herd):
    """A run killed at once still loads."""
    run = herd(3)
    result = assemble(
        RawTables(),
        manifest=run.result().manifest.model_copy(update={"origin": None}),
        scenario=run.scenario,
        cohort_of=deal_cohorts(1, [1.0], 3),
    )
    assert result.attempts["client"].size == 0
    assert result.clients["client"].tolist() == [0, 1, 2]


def test_cohorts_come_from_the_deal(herd):
    """In the attempts as among the clients."""
    run = herd(2, shares={"web": 0.5, "mobile": 0.5})
    run.cohort_of[:] = [1, 0]
    result = run.result()
    assert result.clients["cohort"].tolist() == [1, 0]
    assert result.attempts["cohort"].tolist() == [1, 0]


def test_what_nobody_observed_is_not_a_number(herd):
    """Neither the instants nor the counts of clients that left no account."""
    clients = herd(2).gives_up(1, 5).account(1, synced_at=7, n_operations=3).result().clients
    assert np.isnan(clients["gave_up_at"]).tolist() == [True, False]
    for name, value in (("synced_at", 7), ("n_operations", 3), ("n_delta_sync", 0)):
        assert np.array_equal(clients[name], [np.nan, value], equal_nan=True)


def test_tables_are_read_only(herd):
    """A result is a record, not a scratch pad."""
    attempts = herd(1).result().attempts
    with pytest.raises(ValueError, match="read-only"):
        attempts["client"][0] = 5
    with pytest.raises(TypeError):
        attempts["client"] = attempts["episode"]


# A server that is not ours


ELSEWHERE = {"target": "ws://localhost:8000/chat"}


def test_the_outages_of_a_foreign_server_are_inferred(herd):
    """The schedule says when a command was due; what the clients saw is what happened."""
    run = herd(4).outage(2, 6, recorded=False).outage(20, 26, recorded=False)
    for client in range(4):
        run.notices(client, 7.5).tries(client, 9 + client)
    result = run.result(**ELSEWHERE)
    assert result.to_pandas("outages").to_dict("records") == [
        {"outage": 0, "kind": "server_lost", "node": 0, "starts_at": 7.5, "ends_at": 9.0}
    ]
    assert result.disconnects["outage"].tolist() == [0] * 4
    assert result.attempts["outage"].tolist() == [-1] * 4 + [0] * 4


def test_what_a_foreign_server_broke_counts_from_its_notice(herd):
    """Nobody else knows; and from no cause but that the server was lost."""
    run = herd(4)
    for client in range(4):
        run.notices(client, 7.5 + client / 10)
    disconnects = run.result(**ELSEWHERE).disconnects
    assert disconnects["broke_at"].tolist() == disconnects["noticed_at"].tolist()
    assert set(disconnects["cause"]) == {Cause.SERVER_LOST}


def test_the_heartbeats_of_a_cohort_tell_how_long_its_silence_takes(herd):
    """Clients that ping every 30 s notice a hang over half a minute, and it is one outage."""
    beats = {"heartbeat": HeartbeatConfig(interval=30.0, timeout=5.0)}
    run = herd(4, **beats)
    for client in range(4):
        run.notices(client, 10 + 8 * client, by=NoticedBy.HEARTBEAT).tries(client, 40)
    assert run.result(**ELSEWHERE).outages["starts_at"].tolist() == [10]
    run = herd(4, heartbeat=None)
    for client in range(4):
        run.notices(client, 10 + 8 * client, by=NoticedBy.RESET).tries(client, 11 + 8 * client)
    assert run.result(**ELSEWHERE).outages["starts_at"].tolist() == []
