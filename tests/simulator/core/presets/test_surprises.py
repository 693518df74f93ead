"""What real libraries do that their users did not expect, each told by a test's name."""

import numpy as np
import pytest

from simulator.core.backoff import most_retries
from simulator.core.close_codes import Kind, disposition
from simulator.core.presets import PRESETS
from simulator.core.preview import first_delays

N_CLIENTS = 5000


def waits_of(name, n_attempts=12, n_clients=N_CLIENTS):
    """Delays of many clients that lost a connection which had lasted, shape (clients, attempts)."""
    return first_delays(PRESETS[name].policy, n_clients, n_attempts, seed=2)


def instants(name, n_attempts):
    """When these clients make their attempts, in seconds after the loss."""
    return np.cumsum(waits_of(name, n_attempts) + 0.001, axis=1) - 0.001


def kind_after(name, code):
    """What a library does after a close with this code."""
    return disposition(code, "", PRESETS[name].client["close_codes"]).kind


# socket.io


def test_socket_io_jitter_is_a_comb_of_ten_bands():
    """Sign and size come from one random number: half of the range is never used."""
    first = waits_of("socket.io", 1)[:, 0]
    bands, counts = np.unique(np.floor((first + 0.0005) / 0.05), return_counts=True)
    assert (bands * 50).tolist() == [550, 650, 750, 850, 950, 1050, 1150, 1250, 1350, 1450]
    assert counts == pytest.approx(np.full(10, N_CLIENTS / 10), rel=0.15)


def test_socket_io_jitter_vanishes_at_the_cap():
    """The cap comes after the jitter: from the fifth attempt on everybody waits 5.000 s."""
    spreads = 1000 * waits_of("socket.io").std(axis=0)
    assert spreads[0] == pytest.approx(290, abs=15)
    assert spreads[3] == pytest.approx(126, abs=40)
    assert spreads[4:].tolist() == [0.0] * 8


def test_socket_io_retries_at_once_after_a_thousand_failures():
    """Infinity less infinity is no number, and the timer takes it for 0: every second time."""
    waits = waits_of("socket.io", 1100, n_clients=200)
    assert (waits[:, 4:1015] == 5.0).all()
    beyond = waits[:, 1015:]
    assert set(np.unique(beyond)) == {0.0, 5.0}
    assert (beyond == 0).mean() == pytest.approx(0.5, abs=0.02)
    first_zero = 1016 + np.argmax(beyond == 0, axis=1)
    assert first_zero.min() == 1016
    assert np.quantile(first_zero, 0.95) < 1022


# Jitter that is lost, or was never there


def test_ably_clients_retry_together_once_suspended():
    """Dropped together, spread for two minutes, and back in step at 150, 180, 210 s."""
    at = instants("ably", 12)
    assert np.ptp(at[:, 3]) > 10.0
    for column in at.T[-4:]:
        assert np.isin(np.round(column, 1), np.arange(150.0, 400.0, 30.0)).all()
    suspended = at[at > 120.001]
    assert suspended.min() == pytest.approx(150.0)
    assert np.unique(np.round(suspended, 1)).size < 10


@pytest.mark.parametrize(
    ("name", "attempt"),
    [("reconnecting-websocket", 10), ("stamina", 7), ("finagle", 8), ("socket.io", 5)],
)
def test_a_cap_after_jitter_ends_in_lockstep(name, attempt):
    """From that attempt on, every client waits the same."""
    waits = waits_of(name)
    assert np.ptp(waits[:, attempt - 2]) > 0
    assert np.ptp(waits[:, attempt - 1 :], axis=0).tolist() == [0.0] * (
        waits.shape[1] - attempt + 1
    )


@pytest.mark.parametrize("name", ["python-websockets", "python-websockets-legacy"])
def test_python_websockets_jitters_once(name):
    """Whoever drew the same second delay retries in the same instants ever after."""
    spread = np.ptp(waits_of(name), axis=0)
    assert spread[1] > 4.9
    assert np.delete(spread, 1).tolist() == [0.0] * 11


def test_python_websockets_waits_90_s_in_the_end():
    """Its documentation says 60."""
    assert waits_of("python-websockets")[:, -1].max() == 90.0


NO_JITTER = [
    *("partysocket", "phoenix", "supabase", "signalr", "sockette", "robust-websocket"),
    *("stompjs", "mqtt", "pusher", "slack-socket-mode", "discordjs"),
]


@pytest.mark.parametrize("name", NO_JITTER)
def test_eleven_libraries_have_no_jitter_at_all(name):
    """Five thousand clients make their attempts in one and the same instant each."""
    assert np.unique(waits_of(name), axis=0).shape[0] == 1


def test_partysocket_lost_the_jitter_of_what_it_was_made_from():
    """reconnecting-websocket drew a base, the fork has a constant."""
    assert np.ptp(waits_of("reconnecting-websocket")[:, 0]) > 3.9
    assert np.ptp(waits_of("partysocket")[:, 0]) == 0


def test_sockets_of_one_page_share_the_base_of_reconnecting_websocket():
    """It is drawn once: who waits longest at first waits longest each time."""
    waits = waits_of("reconnecting-websocket")
    below = waits[:, 2] < 10
    assert np.corrcoef(waits[below, 0], waits[below, 2])[0, 1] > 0.999999


AT_ONCE = [
    *("signalr", "ably", "firebase", "nats", "robust-websocket"),
    *("python-websockets", "python-websockets-legacy", "grpc", "grpc-go"),
]


@pytest.mark.parametrize("name", PRESETS)
def test_some_make_the_first_retry_at_once(name):
    """Without any delay, all of them together, and without any jitter."""
    first = waits_of(name, 1)[:, 0]
    assert (first.max() == 0) == (name in AT_ONCE)


def test_nats_jitter_leans_towards_its_end():
    """It is drawn anew at each look at the clock: its mean is 72 ms of 100, not 50."""
    jitter = waits_of("nats", 2)[:, 1] + 0.001 - 2.0
    assert 1000 * jitter.mean() == pytest.approx(71.8, abs=1.0)
    assert -1e-9 <= jitter.min() < jitter.max() <= 0.1 + 1e-9


# Users who are lost


def test_signalr_gives_up_42_s_after_the_drop():
    """0, 2, 10 and 30 s: an outage longer than that needs a reload of the page."""
    at = instants("signalr", 12)
    assert at.shape[1] == 4
    assert at[:, -1] == pytest.approx(np.full(N_CLIENTS, 42.0), abs=0.01)


def test_graphql_ws_gives_up_after_one_refused_retry():
    """A refused connect is an error, and its default retries close events alone."""
    assert waits_of("graphql-ws").shape[1] == 1
    assert most_retries(PRESETS["graphql-ws-retrying"].policy) == 5


def test_graphql_ws_takes_the_loss_of_an_open_socket_for_no_error(client):
    """So a server that accepts and drops is asked five times."""
    one = client("graphql-ws")
    waits = [one.lose()]
    while waits[-1] is not None:
        one.dial()
        one.open(answered=False)
        waits.append(one.lose())
    assert len(waits) == 6


def test_graphql_ws_meets_a_close_with_1000_at_once():
    """And counts it not as a retry: a server that does so in a loop gets a loop."""
    assert kind_after("graphql-ws", 1000) is Kind.AT_ONCE


def test_sockette_stays_away_after_a_polite_restart():
    """1001 is what a server says that goes away; those users are lost."""
    assert kind_after("sockette", 1001) is Kind.END
    polite = {
        name
        for name, preset in PRESETS.items()
        if preset.client and kind_after(name, 1001) is not Kind.RETRY
    }
    assert polite == {"sockette"}


def test_phoenix_comes_back_after_a_normal_closure():
    """It did not before 1.8.16."""
    assert kind_after("phoenix", 1000) is Kind.RETRY


def test_python_websockets_gives_up_on_429():
    """And on every status but four; its older API on none."""
    rules = PRESETS["python-websockets"].client["statuses"]
    retried = [status for status in range(200, 600) if not rules.ends(status)]
    assert retried == [500, 502, 503, 504]
    legacy = PRESETS["python-websockets-legacy"].client["statuses"]
    assert not any(map(legacy.ends, range(200, 600)))


def test_no_other_library_looks_at_the_status():
    """A browser does not even tell it."""
    looks = {
        name
        for name, preset in PRESETS.items()
        if preset.client.get("statuses", None) and preset.client["statuses"].end
    }
    assert looks == {"python-websockets"}


def test_mqtt_stops_for_good_when_the_broker_is_too_busy():
    """A socket that opens and is closed with 1013, in the place of a CONNACK that says no."""
    assert kind_after("mqtt", 1013) is Kind.END
    others = {name for name, preset in PRESETS.items() if preset.client} - {"mqtt"}
    kept_away = {name for name in others if kind_after(name, 1013) is Kind.END}
    assert kept_away == set()


@pytest.mark.parametrize(
    ("name", "code", "kind"),
    [
        ("robust-websocket", 1008, Kind.END),
        ("robust-websocket", 1012, Kind.RETRY),
        ("pusher", 4000, Kind.AT_ONCE),
        ("pusher", 4250, Kind.AT_ONCE),
        ("pusher", 4099, Kind.END),
        ("pusher", 4100, Kind.RETRY),
        ("pusher", 4300, Kind.END),
        ("centrifuge", 1009, Kind.END),
        ("centrifuge", 3500, Kind.END),
        ("centrifuge", 4499, Kind.RETRY),
        ("discordjs", 4014, Kind.END),
        ("discordjs", 4005, Kind.RETRY),
        ("graphql-ws", 1012, Kind.RETRY),
        ("graphql-ws", 4400, Kind.END),
        ("socket.io", 1000, Kind.RETRY),
    ],
)
def test_close_codes_mean_what_each_library_makes_of_them(name, code, kind):
    """From the table of codes that end reconnecting, its edges included."""
    assert kind_after(name, code) is kind


# Sockets that open, and sockets that hang


def test_robust_websocket_loops_without_delay_at_a_proxy_that_accepts_and_closes(flaps):
    """It starts over on a bare open socket, and its first delay is none."""
    assert flaps("robust-websocket", 20, answered=False) == [0.0] * 20


def test_signalr_and_ably_loop_without_delay_at_a_server_that_answers_and_closes(flaps):
    """Each success, however short, is followed by a retry at once."""
    assert flaps("signalr", 20, answered=True) == [0.0] * 20
    assert flaps("ably", 20, answered=True) == [0.0] * 20


def test_actioncable_never_replaces_a_socket_that_hangs(client):
    """No timeout of its own ends an attempt."""
    hanging = client("actioncable")
    hanging.lose()
    hanging.dial()
    assert hanging.life.given_up_at(hanging.started_at) == np.inf
    assert hanging.habits["connect_timeout"] is None


def test_phoenix_makes_nine_attempts_in_four_seconds():
    """Before a restart is over, each client has been refused nine times."""
    assert (instants("phoenix", 12) < 4.3).sum(axis=1).tolist() == [9] * N_CLIENTS
