"""Several nodes from end to end, against closed forms: deploys, outages of some, ages."""

import math

import numpy as np
import pytest

from simulator.core.outcomes import Cause, NoticedBy, Outcome
from simulator.engines import virtual
from simulator.metrics import summarise
from simulator.metrics.nodes import connections_by_node
from simulator.scenario import parse

N_NODES = 20
FOUR_SIGMA = 4.0
IN_PLACE = {"max_surge": 0, "max_unavailable": 1}
SURGE = {"max_surge": 1, "max_unavailable": 0}
AT_ONCE = {"max_surge": 0, "max_unavailable": "100%"}


def run(path, *, server=None, client=None, deploy=(), **fields):
    """Clients that come back half a second after a loss, to servers that are never busy."""
    scenario = {
        "n_clients": 300,
        "horizon": 200.0,
        "settle": 1.0,
        "seed": 5,
        "server": {
            "nodes": 3,
            "workers": 4,
            "service_time": {"kind": "constant", "mean": 0.001},
            **(server or {}),
        },
        "client": {
            "policy": {"growth": "constant", "base": 0.5},
            "heartbeat": "none",
            "rtt": 0.001,
            **(client or {}),
        },
        "deploy": [
            {"starts_at": 1.0, "ready_after": 2.0, "endpoint_removal_lag": 0.0, "close_code": 1001}
            | one
            for one in deploy
        ],
        **fields,
    }
    return virtual.run(parse(scenario, source="test"), out=path / "run")


def at_the_end(result):
    """Connections by node."""
    return connections_by_node(result).counts[:, -1]


def just_before(result, at):
    """Connections by node."""
    connections = connections_by_node(result)
    return connections.counts[:, np.searchsorted(connections.edges, at, side="left") - 1]


# Rolling deploys: a node that goes spreads its clients evenly over the n that serve at that moment,
# so that the k-th to go holds r**(k-1) / N of all, r = 1 + 1/n: with n = N - 1 in place and n = N
# with a surge of one. Added up over the N nodes that is N * (r**N - 1) * n / N**2 per client, which
# tends to e - 1 for many nodes.


@pytest.fixture(scope="module", params=["in place", "with a surge"])
def rolled(request, tmp_path_factory):
    """A deploy of one node after the other over randomly chosen ones, and its r."""
    deploy = IN_PLACE if request.param == "in place" else SURGE
    result = run(
        tmp_path_factory.mktemp("rolled"),
        server={"nodes": N_NODES, "balance": "random"},
        deploy=[deploy],
    )
    n_others = N_NODES - 1 if deploy is IN_PLACE else N_NODES
    return result, n_others, 1 + 1 / n_others


def test_a_rolling_deploy_disconnects_each_client_often_enough_to_tend_to_e_less_1(rolled):
    """Within four standard errors of the mean over 300 clients."""
    result, n_others, r = rolled
    expected = (r**N_NODES - 1) * n_others / N_NODES
    assert 1.6 < expected < math.e - 1
    n_losses = np.bincount(result.disconnects["client"], minlength=300)
    error = n_losses.std() / math.sqrt(300)
    assert error < 0.06
    assert abs(n_losses.mean() - expected) < FOUR_SIGMA * error
    assert summarise(result)["disconnects_per_client"] == n_losses.mean()


def test_each_node_loses_as_many_as_it_has_inherited(rolled):
    """The last to go holds about e times as many as the first."""
    result, _, r = rolled
    expected = 300 / N_NODES * r ** np.arange(N_NODES)
    lost = np.bincount(result.disconnects["node"], minlength=N_NODES)[:N_NODES]
    assert np.all(np.abs(lost - expected) < FOUR_SIGMA * np.sqrt(expected))
    assert abs(lost[10:].sum() - expected[10:].sum()) < FOUR_SIGMA * math.sqrt(expected[10:].sum())


def test_the_first_to_be_replaced_ends_up_with_most(rolled):
    """And in place the last one with nothing at all: it came back when all was over."""
    result, n_others, r = rolled
    held = at_the_end(result)
    new = [N_NODES, *range(N_NODES - 1)] if n_others == N_NODES else list(range(N_NODES))
    # The k-th new one gets its part of whoever goes after it, or with it.
    first = 0 if n_others == N_NODES else 1
    inherited = [
        sum(r ** (k - 1) for k in range(place + first, N_NODES)) for place in range(N_NODES)
    ]
    expected = 300 / N_NODES / n_others * r * np.array(inherited)
    assert np.all(np.abs(held[new] - expected) <= FOUR_SIGMA * np.sqrt(expected))
    assert held.sum() == 300
    if n_others < N_NODES:
        assert held[N_NODES - 1] == 0


@pytest.mark.parametrize(
    ("deploy", "per_client", "imbalance"),
    [
        (IN_PLACE, 2 / 3 * (1.5**3 - 1), 1.5**3 - 1.5),
        (SURGE, (4 / 3) ** 3 - 1, (4 / 3) ** 3 - 1),
        (AT_ONCE, 1.0, 1.0),
    ],
)
def test_three_nodes_in_turn(tmp_path, deploy, per_client, imbalance):
    """A balancer that takes them in turn scatters less than chance: within a hundredth or two."""
    summary = summarise(run(tmp_path, deploy=[deploy]))
    assert summary["disconnects_per_client"] == pytest.approx(per_client, rel=0.02)
    assert summary["connection_imbalance"] == pytest.approx(imbalance, rel=0.02)
    assert summary["outages"]["0"]["connection_imbalance"] == summary["connection_imbalance"]


def test_a_surge_spares_everybody_the_wait(tmp_path):
    """Whoever is disconnected finds a node at its first attempt; at once, nobody finds one."""
    rolling, at_once = (
        run(
            tmp_path / name, deploy=[deploy], client={"policy": {"growth": "constant", "base": 0.5}}
        )
        for name, deploy in (("rolling", SURGE), ("at-once", AT_ONCE))
    )
    assert summarise(rolling)["reconnect_time_max"] < 0.6
    assert summarise(at_once)["reconnect_time_p50"] > 2.0


# The moment of going


def outcomes(result):
    """How many attempts after the ramp ended how."""
    return summarise(result)["outcomes"]


@pytest.mark.parametrize(("pre_stop", "are_refused"), [(0.0, True), (2.0, False)])
def test_a_pause_covers_the_lag_of_the_balancer(tmp_path, pre_stop, are_refused):
    """Without it the balancer goes on sending clients to a node that listens no longer."""
    deploy = {**SURGE, "endpoint_removal_lag": 1.5, "pre_stop": pre_stop}
    found = outcomes(run(tmp_path, deploy=[deploy]))
    assert (found["refused"] > 0) is are_refused
    assert {outcome for outcome, n in found.items() if n} <= {"connected", "refused"}


def test_a_drain_spreads_the_goodbyes(tmp_path):
    """A node's connections go one after the other, and with them the reconnects."""
    result = run(tmp_path, deploy=[{**SURGE, "drain_over": 4.0}])
    broke_at = result.disconnects["broke_at"][result.disconnects["node"] == 0]
    assert broke_at.size == 100
    assert np.allclose(np.diff(np.sort(broke_at)), 0.04)
    assert set(result.disconnects["cause"]) == {Cause.DRAIN}


def test_a_drain_that_outlasts_the_grace_ends_in_a_kill(tmp_path):
    """Who has not been told by then is reset: three quarters of the node's connections."""
    deploy = {**SURGE, "drain_over": 40.0, "pre_stop": 1.0, "grace": 11.0}
    result = run(tmp_path, deploy=[deploy])
    of_the_first = result.disconnects["node"] == 0
    told = result.disconnects["noticed_by"][of_the_first] == NoticedBy.CLOSE_FRAME
    assert np.count_nonzero(told) == 25
    assert np.count_nonzero(~told) == 75
    killed_at = result.disconnects["broke_at"][of_the_first][~told]
    assert np.allclose(killed_at, 1.0 + 2.0 + 11.0)


def test_a_place_that_is_empty_refuses(tmp_path):
    """Before the surge, and where a node is gone for good, nobody listens; and no row says so."""
    result = run(tmp_path, deploy=[SURGE])
    assert result.outages["node"].tolist() == [0, 1, 2]
    assert result.outages["starts_at"].tolist() == [3.0, 5.0, 7.0]
    assert result.outages["ends_at"].tolist() == [5.0, 7.0, 7.0]
    attempts = result.attempts
    to_the_new = attempts["started_at"][attempts["node"] == 3]
    assert to_the_new.min() > 3.0
    to_the_last = attempts["started_at"][attempts["node"] == 2]
    assert to_the_last.max() < 7.0


# Outages of some nodes


def crash(**fields):
    """Node 1 of three is down from 1 to 11 s."""
    return {"kind": "crash", "starts_at": 1.0, "down_for": 10.0, "nodes": [1], **fields}


def test_a_node_that_crashes_sends_its_clients_to_the_others(tmp_path):
    """Nobody else notices anything, and the node is empty when it is back."""
    result = run(tmp_path, outage=[crash()])
    assert set(result.disconnects["node"]) == {1}
    assert result.disconnects["client"].size == 100
    assert at_the_end(result).tolist() == [150, 0, 150]
    assert result.outages["node"].tolist() == [1]
    assert summarise(result)["connection_imbalance"] == 1.5


def test_until_the_check_fails_the_dead_node_gets_its_share(tmp_path):
    """For two seconds a third of the attempts is refused; after that, none."""
    attempts = run(tmp_path, outage=[crash()]).attempts
    refused = attempts["started_at"][attempts["outcome"] == Outcome.REFUSED]
    assert refused.size > 30
    assert refused.max() < 3.0
    assert set(attempts["node"][attempts["outcome"] == Outcome.REFUSED]) == {1}


def test_without_a_check_it_always_does(tmp_path):
    """As long as it is down."""
    check = {"health_check": "none"}
    trickle = {"max_connection_age": {"mean": 3.0, "dither": 2.0}}
    attempts = run(
        tmp_path, n_clients=60, outage=[crash()], server=check | trickle, horizon=14.0
    ).attempts
    refused = attempts["started_at"][attempts["outcome"] == Outcome.REFUSED]
    assert refused.max() > 10.0


def test_a_hash_brings_clients_back_to_their_node(tmp_path):
    """Those who connect while it is away go elsewhere; once they connect again they are home."""
    crashes = [crash(), crash(starts_at=20.0, nodes=[0, 2])]
    result = run(tmp_path, outage=crashes, server={"balance": "hash"})
    attempts = result.attempts
    ramp = attempts["episode"] == 0
    home = dict(zip(attempts["client"][ramp], attempts["node"][ramp], strict=True))
    last = attempts["episode"] == 2
    assert np.count_nonzero(last) > 30
    for client, node, outcome in zip(
        attempts["client"][last], attempts["node"][last], attempts["outcome"][last], strict=True
    ):
        if outcome == Outcome.CONNECTED and home[client] == 1:
            assert node == 1


def test_least_connections_makes_a_dead_node_a_pit(tmp_path):
    """It holds the fewest connections, so every attempt falls into it until the check fails."""
    server = {"balance": "least_connections"}
    attempts = run(tmp_path, outage=[crash(down_for=5.0)], server=server).attempts
    before = (attempts["started_at"] > 1.0) & (attempts["started_at"] < 3.0)
    assert set(attempts["node"][before]) == {1}
    assert set(attempts["outcome"][before]) == {Outcome.REFUSED}
    assert set(attempts["node"][attempts["started_at"] >= 3.0]) == {0, 2}


def test_least_connections_heaps_all_newcomers_on_an_empty_node(tmp_path):
    """Until it holds as many as the others."""
    crashes = [crash(down_for=5.0), crash(starts_at=20.0, nodes=[0])]
    server = {"balance": "least_connections", "health_check": {"unhealthy_after": 0.1}}
    result = run(tmp_path, outage=crashes, server=server)
    assert just_before(result, 19.0).tolist() == [150, 0, 150]
    assert at_the_end(result).tolist() == [0, 150, 150]


def test_history_lives_as_long_as_any_node(tmp_path):
    """Clients that sync replay what they missed, unless all nodes were down at the same time."""
    server = {"history": {"rate": 2.0, "survives_restart": False}}
    client = {"sync": "delta"}
    one_by_one = [crash(down_for=2.0, nodes=[0]), crash(starts_at=5.0, down_for=2.0, nodes=[1, 2])]
    together = [crash(down_for=2.0, nodes=[0, 1, 2])]
    replayed, refreshed = (
        summarise(run(tmp_path / name, n_clients=60, outage=outages, server=server, client=client))
        for name, outages in (("one", one_by_one), ("all", together))
    )
    assert replayed["n_full_refresh"] == 0
    assert replayed["n_delta_sync"] > 60
    assert refreshed["n_full_refresh"] == 60
    assert replayed["n_events_missed"] == 0


# The age of connections


def test_connections_end_at_their_age(tmp_path):
    """With the close code that was set, and the server's own accord as the cause."""
    age = {"mean": 20.0, "dither": 5.0, "close_code": 4000}
    result = run(tmp_path, server={"max_connection_age": age}, horizon=30.0)
    losses = result.disconnects
    assert set(losses["cause"]) == {Cause.LIFETIME}
    assert set(losses["close_code"]) == {4000}
    assert set(losses["outage"]) == {-1}
    connects = result.attempts["outcome"] == Outcome.CONNECTED
    made = dict(
        zip(
            zip(
                result.attempts["client"][connects],
                result.attempts["episode"][connects],
                strict=True,
            ),
            result.attempts["ended_at"][connects],
            strict=True,
        )
    )
    ages = [
        broke_at - made[client, episode - 1]
        for client, episode, broke_at in zip(
            losses["client"], losses["episode"], losses["broke_at"], strict=True
        )
    ]
    assert 15.0 <= min(ages) < 15.3
    assert 24.7 < max(ages) <= 25.0


def test_a_dither_makes_a_wall_of_reconnects_a_trickle(tmp_path):
    """P5 at a hundredth: N clients come back at about N / mean per second, dither a tenth of it."""
    mean, dither, horizon = 18.0, 1.8, 185.0
    result = run(
        tmp_path,
        n_clients=100,
        horizon=horizon,
        ramp_rate=1000.0,
        server={"nodes": 1, "max_connection_age": {"mean": mean, "dither": dither}},
    )
    at = np.sort(result.disconnects["broke_at"])
    # A client's next connection begins half a second after the last one has ended.
    assert at.size / horizon == pytest.approx(100 / (mean + 0.5), rel=0.03)
    first = at[:100]
    assert 1.8 * dither < first.max() - first.min() < 2.0 * dither + 0.2
    # After n turns their spread has grown by the square root of n, here three times.
    last = at[at > horizon - mean]
    busiest = np.histogram(last, bins=10)[0].max()
    assert busiest < 3 * last.size / 10


def test_ages_even_out_what_a_deploy_has_left(tmp_path):
    """Within two ages the nodes hold equal numbers again, give or take chance."""
    age = {"mean": 20.0, "dither": 10.0}
    server = {"max_connection_age": age}
    result = run(tmp_path, n_clients=120, deploy=[SURGE], server=server, horizon=70.0)
    assert just_before(result, 8.5).max() > 1.25 * 40
    assert summarise(result)["connection_imbalance"] < 1.2
    without = run(tmp_path / "without", n_clients=120, deploy=[SURGE])
    assert summarise(without)["connection_imbalance"] > 1.35


@pytest.mark.parametrize(("shared", "capacity"), [(False, 200.0), (True, 100.0)])
def test_a_stage_is_one_for_all_nodes_or_one_for_each(tmp_path, shared, capacity):
    """After a crash of all the whole herd stands in front of it: the k-th is back at k/C."""
    database = {"name": "db", "workers": 1, "service_time": {"kind": "constant", "mean": 0.01}}
    result = run(
        tmp_path,
        server={"nodes": 2, "stages": [{**database, "shared": shared}], "health_check": "none"},
        outage=[{"kind": "crash", "starts_at": 1.0, "down_for": 0.4}],
        horizon=10.0,
    )
    back = np.sort(result.attempts["ended_at"][result.attempts["outcome"] == Outcome.CONNECTED])
    of_the_herd = back[back > 1.0] - back[back > 1.0][0]
    assert of_the_herd[-1] == pytest.approx(300 / capacity, abs=0.02)
    assert summarise(result)["floor"] == pytest.approx(300 / capacity)
    assert len(np.unique(result.stages["node"][result.stages["stage"] == 1])) == 1 + (not shared)


@pytest.mark.parametrize("shared", [True, False])
def test_a_shared_stage_works_for_the_connects_of_a_node_that_died(tmp_path, shared):
    """It does not know; a stage of the node's own dies with it."""
    database = {"name": "db", "workers": 1, "service_time": {"kind": "constant", "mean": 0.1}}
    crash = {"kind": "crash", "down_for": 0.4}
    result = run(
        tmp_path,
        server={
            "nodes": 2,
            "stages": [{**database, "shared": shared}],
            "health_check": "none",
            "balance": "hash",
        },
        n_clients=100,
        outage=[
            {**crash, "starts_at": 1.0, "nodes": [0]},
            {**crash, "starts_at": 1.65, "nodes": [0]},
        ],
        horizon=30.0,
    )
    of_node_0 = (result.disconnects["outage"] == 0).sum()
    wasted = result.stages["wasted"][result.stages["stage"] == 1].sum()
    assert wasted == (of_node_0 - 1 if shared else 0)
