"""Outage kinds and defences from end to end: clients and server, against closed forms."""

import math

import numpy as np
import pytest
from scipy import stats

from server_stub.draws import Purpose, uniform
from simulator.core.outcomes import Cause, NoticedBy, Outcome
from simulator.engines import virtual
from simulator.metrics import summarise
from simulator.scenario import parse

RTT = 0.02
IMMEDIATE = {"growth": "constant", "base": 0.0}
"""Comes back as soon as it is asked to."""
FAST = {"workers": 1000, "service_time": {"kind": "constant", "mean": 0.001}}


def run(path, *outages, server=None, n_clients=100, client=None, cohort=(), **fields):
    """A fleet that comes back at once to a server that serves at once, unless told otherwise."""
    scenario = {
        "n_clients": n_clients,
        "horizon": 60.0,
        "ramp_rate": 1000.0,
        "server": {**FAST, **(server or {})},
        "outage": outages,
        "client": {"policy": IMMEDIATE, "rtt": RTT, "heartbeat": "none", **(client or {})},
        "cohort": cohort,
        **fields,
    }
    return virtual.run(parse(scenario, source="test"), out=path / "run")


def connects(result):
    """When clients were connected again, in order."""
    attempts = result.attempts
    back = (attempts["outcome"] == Outcome.CONNECTED) & (attempts["episode"] > 0)
    return np.sort(attempts["ended_at"][back])


def causes(result):
    """What broke connections."""
    return {Cause(cause) for cause in result.disconnects["cause"]}


# Drain


def test_the_herd_comes_to_a_drained_server_as_it_was_sent_away(tmp_path):
    """So many per second as lose their connection: n / drain_over, each at its own instant."""
    result = run(
        tmp_path,
        {"kind": "drain", "starts_at": 2.0, "down_for": 12.0, "drain_over": 10.0},
        client={"policy": "fixed"},
    )
    losses = result.disconnects
    assert np.sort(losses["broke_at"]) == pytest.approx(2.0 + np.arange(100) / 10)
    assert losses["noticed_at"] == pytest.approx(losses["broke_at"])
    assert causes(result) == {Cause.DRAIN}
    assert set(losses["noticed_by"]) == {NoticedBy.CLOSE_FRAME}
    assert set(losses["close_code"]) == {1012}
    # Those that come back before the node does are refused, and none was let in meanwhile.
    assert connects(result).min() > 14.0
    assert summarise(result)["recovered_share"] == 1.0


# A window told in advance


@pytest.mark.parametrize("kind", ["graceful", "drain"])
def test_a_reconnect_window_spreads_arrivals_over_it(tmp_path, kind):
    """Uniformly from the moment at which the node is back: n / W of them per second."""
    drain = {"drain_over": 3.0} if kind == "drain" else {}
    result = run(
        tmp_path,
        {"kind": kind, "starts_at": 2.0, "down_for": 5.0, **drain},
        server={"reconnect_window": 20.0},
        n_clients=200,
    )
    at = connects(result) - RTT - 0.001
    assert stats.kstest(at, stats.uniform(7.0, 20.0).cdf).pvalue > 0.01
    assert summarise(result)["amplification"] == 1.0


# Retry-After


def turned_away_once(path, retry_after):
    """A server that turns the whole herd away, but one, when it is back at 5 s."""
    return run(
        path,
        {"kind": "crash", "starts_at": 2.0, "down_for": 3.0, "refuse": False},
        server={
            "admission": {"kind": "token_bucket", "rate": 1000.0, "burst": 1},
            "retry_after": retry_after,
        },
        n_clients=400,
        horizon=15.5,
    )


def test_with_a_fixed_retry_after_the_herd_comes_back_as_one(tmp_path):
    """Everybody turned away in one second returns in one second, at the time asked for."""
    result = turned_away_once(tmp_path, 10.0)
    attempts = result.attempts
    again = attempts["started_at"][attempts["attempt"] == 2]
    assert len(again) > 300
    assert again.max() - again.min() < 1.0
    assert again.min() >= 15.0


def test_with_a_spread_retry_after_arrivals_come_at_n_over_w(tmp_path):
    """In whole seconds, as HTTP has it: the same number, to chance, in each of W of them."""
    window = 10
    result = turned_away_once(tmp_path, {"spread": float(window)})
    attempts = result.attempts
    again = attempts["started_at"][attempts["attempt"] == 2]
    per_second = np.bincount(np.round(again - 5.0).astype(int), minlength=window + 1)
    assert per_second[0] == 0
    assert per_second.sum() == len(again)
    assert stats.chisquare(per_second[1 : window + 1]).pvalue > 0.01


# Slow, and cold


def makespan(path, *outages):
    """From the end of the crash until the last of 100 clients is served by 2 workers in 0.1 s."""
    result = run(
        path,
        {"kind": "crash", "starts_at": 2.0, "down_for": 3.0, "refuse": False},
        *outages,
        server={"workers": 2, "service_time": {"kind": "constant", "mean": 0.1}},
        client={"connect_timeout": "none"},
    )
    return connects(result).max() - 5.0


def test_a_slow_server_takes_exactly_so_many_times_as_long(tmp_path):
    """The makespan is multiplied by the factor."""
    assert makespan(tmp_path / "quick") == pytest.approx(5.0)
    slow = {"kind": "slow", "starts_at": 1.0, "down_for": 50.0, "slow_factor": 3.0}
    assert makespan(tmp_path / "slow", slow) == pytest.approx(15.0)


def test_a_slow_server_breaks_no_connection(tmp_path):
    """Nobody notices who is connected."""
    slow = {"kind": "slow", "starts_at": 1.0, "down_for": 5.0, "slow_factor": 3.0}
    result = run(tmp_path, slow)
    assert len(result.disconnects["client"]) == 0
    assert result.outages["starts_at"].tolist() == [1.0]
    assert result.outages["ends_at"].tolist() == [6.0]
    summary = summarise(result)
    assert summary["time_to_recovery_p100"] == 0.0
    assert summary["metastable"] is False


def test_a_crash_in_a_brownout_has_a_recovery_of_its_own(tmp_path):
    """Which the brownout's beginning and end do not cut short."""
    result = run(
        tmp_path,
        {"kind": "crash", "starts_at": 2.0, "down_for": 3.0, "refuse": False},
        {"kind": "slow", "starts_at": 7.5, "down_for": 1.0, "slow_factor": 2.0},
        server={"workers": 2, "service_time": {"kind": "constant", "mean": 0.1}},
        client={"connect_timeout": "none"},
    )
    outages = summarise(result)["outages"]
    assert outages["0"]["time_to_recovery_p100"] == pytest.approx(5.5)
    assert outages["1"]["time_to_recovery_p100"] == 0.0
    assert outages["1"]["n_episodes"] == 0


def test_a_cold_start_is_a_graceful_restart_that_is_slow_at_first(tmp_path):
    """100 clients, 2 workers, 0.1 s: the k-th of each worker's 50 is served in closed form."""
    factor, cold_for, service = 3.0, 40.0, 0.1
    result = run(
        tmp_path,
        {
            "kind": "cold",
            "starts_at": 2.0,
            "down_for": 3.0,
            "refuse": False,
            "slow_factor": factor,
            "cold_for": cold_for,
        },
        server={"workers": 2, "service_time": {"kind": "constant", "mean": service}},
        client={"connect_timeout": "none"},
    )
    a = service * (factor - 1) / cold_for
    last = service * factor * (1 - (1 - a) ** 50) / a
    assert connects(result).max() - 5.0 == pytest.approx(last)
    assert causes(result) == {Cause.GRACEFUL}


# Idle timeouts

IDLE_FOR, INTERVAL, PATIENCE = 10.0, 15.0, 2.0
FORGETS = {"kind": "idle_timeout", "starts_at": 0.0, "down_for": 40.0, "idle_for": IDLE_FOR}


def beating(interval):
    """A heartbeat with this interval."""
    return {"interval": interval, "timeout": PATIENCE}


@pytest.fixture(scope="module")
def forgotten(tmp_path_factory):
    """Half of the fleet pings more often than the middlebox forgets, half less often."""
    return run(
        tmp_path_factory.mktemp("forgotten"),
        FORGETS,
        cohort=[
            {"name": "brisk", "share": 0.5, "heartbeat": beating(8.0)},
            {"name": "slack", "share": 0.5, "heartbeat": beating(INTERVAL)},
        ],
        horizon=100.0,
    )


def test_a_heartbeat_that_is_shorter_saves_the_connection(forgotten):
    """Nobody of that cohort loses one."""
    assert forgotten.clients["cohort"].tolist().count(0) == 50
    cohorts = summarise(forgotten)["cohorts"]
    assert cohorts["brisk"]["n_episodes"] == 0
    assert cohorts["slack"]["n_episodes"] >= 50
    assert causes(forgotten) == {Cause.IDLE_TIMEOUT}


def test_a_forgotten_connection_is_noticed_by_the_next_heartbeat(forgotten):
    """The time from then is what is left of the heartbeat's interval, and its patience.

    A connection was last used when it was made, at phase u of the interval before its first ping,
    or by the ping before: it is forgotten after `idle_for`, the ping after is not answered.
    """
    losses = forgotten.disconnects
    detection = losses["noticed_at"] - losses["broke_at"]
    assert set(losses["noticed_by"]) == {NoticedBy.HEARTBEAT}
    regular = detection[np.isclose(detection, INTERVAL - IDLE_FOR + PATIENCE)]
    assert regular.size > 0
    assert (detection <= INTERVAL - IDLE_FOR + PATIENCE + 1e-6).all()
    assert (detection > PATIENCE - 1e-6).all()


def test_when_a_connection_is_forgotten_is_exact(forgotten):
    """`idle_for` after it was last used: after the connect, if the first ping comes too late."""
    attempts, losses = forgotten.attempts, forgotten.disconnects
    connected_at = {
        (client, episode): at
        for client, episode, at, outcome in zip(
            *(attempts[name].tolist() for name in ("client", "episode", "ended_at", "outcome")),
            strict=True,
        )
        if outcome == Outcome.CONNECTED
    }
    n_at_once = 0
    for client, episode, broke_at in zip(
        *(losses[name].tolist() for name in ("client", "episode", "broke_at")), strict=True
    ):
        before = episode - 1
        since = connected_at[client, before]
        phase = INTERVAL * uniform(1, Purpose.HEARTBEAT, client, before)
        last_used = since if phase > IDLE_FOR else since + phase
        assert broke_at == pytest.approx(max(0.0, last_used + IDLE_FOR), abs=0.2)
        n_at_once += phase > IDLE_FOR
    assert 0 < n_at_once < len(losses["client"])


def test_after_the_outage_nothing_is_forgotten(forgotten):
    """What was forgotten stays so, but those that are connected again stay connected."""
    assert forgotten.disconnects["broke_at"].max() < 40.0
    assert summarise(forgotten)["recovered_share"] == 1.0


def test_the_server_keeps_what_was_forgotten(forgotten):
    """Nobody tells it: it counts more connections than there are clients."""
    n_forgotten = len(forgotten.disconnects["client"])
    assert forgotten.server["connected"].max() == 100 + n_forgotten


def test_without_a_heartbeat_nobody_notices(tmp_path):
    """Though every connection is gone: not even the restart later on is heard of."""
    result = run(
        tmp_path, FORGETS, {"kind": "crash", "starts_at": 45.0, "down_for": 1.0}, horizon=80.0
    )
    assert len(result.disconnects["client"]) == 0


def test_a_server_that_speaks_keeps_connections_alive(tmp_path):
    """An event every five seconds is traffic as well, even for those who never ping."""
    result = run(tmp_path, FORGETS, server={"history": {"rate": 0.2}})
    assert len(result.disconnects["client"]) == 0


def test_a_middlebox_can_stand_before_one_cohort(tmp_path):
    """The other's path does not lead through it."""
    result = run(
        tmp_path,
        {**FORGETS, "cohort": "office"},
        cohort=[
            {"name": name, "share": 0.5, "heartbeat": beating(INTERVAL)}
            for name in ("office", "home")
        ],
    )
    cohorts = summarise(result)["cohorts"]
    assert cohorts["home"]["n_episodes"] == 0
    assert cohorts["office"]["n_episodes"] > 0


# One direction


@pytest.mark.parametrize("direction", ["both", "up", "down"])
def test_a_path_that_is_cut_one_way_is_cut_for_a_heartbeat(tmp_path, direction):
    """Whichever way the ping, or its answer, is lost."""
    result = run(
        tmp_path,
        {"kind": "network", "starts_at": 5.0, "down_for": 20.0, "direction": direction},
        client={"heartbeat": beating(4.0)},
    )
    assert len(result.disconnects["client"]) == 100
    assert causes(result) == {Cause.NETWORK}
    assert (result.disconnects["broke_at"] == 5.0).all()


@pytest.mark.parametrize(("direction", "notices"), [("up", False), ("down", True)])
def test_events_that_still_arrive_hide_that_nothing_leaves(tmp_path, direction, notices):
    """To a client that takes whatever it hears for a sign of life."""
    result = run(
        tmp_path,
        {"kind": "network", "starts_at": 5.0, "down_for": 20.0, "direction": direction},
        server={"history": {"rate": 1.0}},
        client={"heartbeat": beating(4.0)},
    )
    assert (len(result.disconnects["client"]) > 0) is notices


# Addresses


def test_clients_behind_one_address_share_its_limit(tmp_path):
    """One connect per second for each address: 10 clients to one take 10 s, one alone takes none.

    A 429 says when the next token comes; of those that then return together, one is let in.
    """
    result = run(
        tmp_path,
        {"kind": "crash", "starts_at": 2.0, "down_for": 1.0, "refuse": False},
        server={"max_per_address": {"rate": 1.0, "burst": 1}},
        cohort=[
            {"name": "office", "share": 0.5, "clients_per_address": 10},
            {"name": "home", "share": 0.5},
        ],
        n_clients=40,
    )
    summary = summarise(result)
    assert summary["cohorts"]["home"]["amplification"] == 1.0
    assert summary["cohorts"]["home"]["time_to_recovery_p100"] < 0.1
    assert summary["cohorts"]["office"]["time_to_recovery_p100"] == pytest.approx(9.0, abs=0.5)
    turned_away = summary["turned_away"]
    assert turned_away["max_per_address"] == summary["outcomes"]["rejected"] > 0
    assert sum(turned_away.values()) == turned_away["max_per_address"]


def test_without_limits_nobody_is_told_apart(tmp_path):
    """The summary counts nobody as turned away."""
    result = run(tmp_path, {"kind": "crash", "starts_at": 2.0, "down_for": 1.0})
    assert set(summarise(result)["turned_away"].values()) == {0}


@pytest.mark.parametrize("transport", ["wsproto", "trio-websocket"])
def test_both_transports_tell_addresses(tmp_path, transport):
    """In the header that a proxy would set."""
    result = run(
        tmp_path,
        {"kind": "crash", "starts_at": 2.0, "down_for": 1.0, "refuse": False},
        server={"max_per_address": {"connections": 2}, "retry_after": 60.0},
        client={"clients_per_address": 4},
        n_clients=12,
        horizon=10.0,
        transport=transport,
    )
    assert len(connects(result)) == 6
    assert summarise(result)["turned_away"]["max_per_address"] == 6


def test_a_quota_lets_the_herd_back_at_its_rate(tmp_path):
    """Burst at once, then one per 1 / rate: the floor of a gateway's quota."""
    rate, burst = 20.0, 10
    result = run(
        tmp_path,
        {"kind": "graceful", "starts_at": 2.0, "down_for": 3.0, "refuse": False},
        server={
            "admission": {"kind": "token_bucket", "rate": rate, "burst": burst},
            "overflow": "drop",
        },
        client={"connect_timeout": "none"},
    )
    at = connects(result) - 5.0 - 0.001
    expected = np.maximum(0.0, (np.arange(100) - burst + 1) / rate)
    assert at == pytest.approx(expected, abs=1e-6)
    assert math.isclose(at[-1], 4.5, abs_tol=1e-6)
