"""Presets in whole runs of the virtual engine: libraries side by side in one outage."""

import numpy as np
import pytest

from simulator import compare
from simulator.core.presets import PRESETS
from simulator.engines import virtual
from simulator.metrics import summarise
from simulator.scenario import parse

NAMES = ("socket.io", "signalr", "ably", "actioncable", "pusher", "graphql-ws", "sockette", "nats")
N_CLIENTS = 6
OUTAGE_STARTS, OUTAGE_LASTS = 10.0, 130.0


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    """Eight libraries in an outage of more than two minutes, none of whose habits are set."""
    scenario = parse(
        {
            "name": "zoo",
            "n_clients": N_CLIENTS,
            "horizon": 230.0,
            "server": {"history": {"rate": 0.1}},
            "outage": [
                {
                    "starts_at": OUTAGE_STARTS,
                    "down_for": OUTAGE_LASTS,
                    "kind": "graceful",
                    "close_code": 1001,
                }
            ],
            "client": {"sync": "delta"},
        },
        source="test",
    )
    return compare(
        scenario, policies=NAMES, engine="virtual", out=tmp_path_factory.mktemp("zoo") / "out"
    )


def retries(comparison, name):
    """Attempts after the loss: each client's, in order."""
    table = comparison.results[name].attempts
    lost = table["episode"] == 1
    return table["client"][lost], table["started_at"][lost] - OUTAGE_STARTS


def test_who_comes_back(comparison):
    """Four do; three have given up by then, and sockette takes 1001 for a goodbye."""
    back = {name: summary["n_recovered"] for name, summary in comparison.summaries.items()}
    assert back == {
        **dict.fromkeys(("socket.io", "ably", "actioncable", "pusher"), N_CLIENTS),
        **dict.fromkeys(("signalr", "graphql-ws", "sockette", "nats"), 0),
    }
    gave_up = {name: summary["n_gave_up"] for name, summary in comparison.summaries.items()}
    assert gave_up == {name: N_CLIENTS - n for name, n in back.items()}


def test_signalr_is_gone_after_42_s(comparison):
    """Four attempts each, at 0, 2, 12 and 42 s; a refused dial costs a round trip."""
    client, at = retries(comparison, "signalr")
    for number in range(N_CLIENTS):
        assert at[client == number] == pytest.approx([0, 2, 12, 42], abs=0.15)


def test_ably_is_in_step_once_suspended(comparison):
    """All come back with one and the same attempt, 150 s after the loss."""
    client, at = retries(comparison, "ably")
    last = np.array([at[client == number].max() for number in range(N_CLIENTS)])
    assert last == pytest.approx(np.full(N_CLIENTS, 150.0), abs=0.05)


def test_pusher_keeps_to_its_slots(comparison):
    """From start to start."""
    client, at = retries(comparison, "pusher")
    assert at[client == 0] == pytest.approx([1, 16, 46, 106, 166], abs=0.05)


def busy(preset, changes, path):
    """The summary of one library's herd at a server that cannot take it all in at once."""
    scenario = parse(
        {
            "name": "busy",
            "n_clients": 12,
            "ramp_rate": 1.0,
            "horizon": 60.0,
            "outage": [{"starts_at": 10.0, "down_for": 5.0, "kind": "crash"}],
            "client": {"policy": preset, **changes.pop("client", {})},
            **changes,
        },
        source="test",
    )
    return summarise(virtual.run(scenario, out=path))


@pytest.mark.parametrize(("name", "is_lost"), [("mqtt", True), ("stompjs", False)])
def test_mqtt_clients_are_lost_at_a_broker_that_is_too_busy(name, is_lost, tmp_path):
    """It opens their sockets and then refuses the session, which others try for again."""
    session = {
        "name": "session",
        "when": "after",
        "workers": 1,
        "service_time": {"kind": "constant", "mean": 0.5},
        "backlog": 2,
    }
    summary = busy(name, {"server": {"stages": [session]}}, tmp_path / "run")
    assert (summary["n_gave_up"] > 0) is is_lost
    assert summary["n_recovered"] + summary["n_gave_up"] >= 12


@pytest.mark.parametrize(
    ("name", "is_lost"), [("python-websockets", True), ("python-websockets-legacy", False)]
)
def test_python_websockets_clients_are_lost_at_a_limit(name, is_lost, tmp_path):
    """It answers 429 to all but one of an address, which the older API took for a wait."""
    changes = {
        "server": {"max_per_address": {"rate": 1.5}},
        "client": {"clients_per_address": 12},
    }
    summary = busy(name, changes, tmp_path / "run")
    assert summary["outcomes"]["rejected"] > 0
    assert summary["n_gave_up"] == (summary["outcomes"]["rejected"] if is_lost else 0)


def test_phoenix_channels_join_all_at_once_when_the_socket_reopens(tmp_path):
    """Thirty channels a page: a join storm of thirty times the connects."""
    joins = {
        "name": "joins",
        "when": "after",
        "workers": 400,
        "service_time": {"kind": "constant", "mean": 0.01},
        "per_connect": 30,
    }
    summary = busy("phoenix", {"server": {"stages": [joins]}}, tmp_path / "run")
    assert summary["n_recovered"] == 12
    assert summary["stages"]["joins"]["arrivals"] == 30 * summary["outcomes"]["connected"]


def test_each_run_says_what_its_clients_were_like(comparison):
    """The scenario beside the tables has the library's habits spelt out."""
    for name, result in comparison.results.items():
        client = result.scenario.client
        assert client.policy == PRESETS[name].policy
        assert client.close_codes == PRESETS[name].client["close_codes"]
        assert client.connect_timeout == PRESETS[name].client["connect_timeout"]
