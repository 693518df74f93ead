"""Outages as the clients of a server that is not ours see them."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.core.outcomes import NoticedBy, Outcome
from simulator.inference import BURST, FEWEST, SHARE, infer_outages, n_needed

N_CLIENTS = 50
TOLD, SILENT = NoticedBy.RESET, NoticedBy.HEARTBEAT
HEARTBEAT = 25.0


class Records:
    """What a herd writes down; everybody is connected at t = -1."""

    def __init__(self, n_clients=N_CLIENTS):
        self.n_clients = n_clients
        self.attempts = []
        self.disconnects = []
        for client in range(n_clients):
            self.connects(client, -1.0)

    def connects(self, client, at, *, begun_at=None, outcome=Outcome.CONNECTED):
        """An attempt; it takes no time unless told otherwise."""
        self.attempts.append((client, at if begun_at is None else begun_at, at, outcome))
        return self

    def loses(self, clients, at, *, over=0.0, by=TOLD):
        """Clients notice their losses, evenly spread from `at` on."""
        clients = list(clients)
        for place, client in enumerate(clients):
            self.disconnects.append((client, at + over * place / len(clients), by))
        return self

    def waves(self, heartbeat=HEARTBEAT):
        """What is inferred, whatever the order of the records."""
        order = np.random.default_rng(1).permutation
        attempts = np.array([self.attempts[row] for row in order(len(self.attempts))])
        losses = [self.disconnects[row] for row in order(len(self.disconnects))]
        losses = np.array(losses, dtype="f8").reshape(-1, 3)
        return infer_outages(
            {
                "client": attempts[:, 0].astype("u4"),
                "started_at": attempts[:, 1],
                "ended_at": attempts[:, 2],
                "outcome": attempts[:, 3].astype("u1"),
            },
            {
                "client": losses[:, 0].astype("u4"),
                "noticed_at": losses[:, 1],
                "noticed_by": losses[:, 2].astype("u1"),
            },
            np.full(self.n_clients, heartbeat),
        )


@pytest.mark.parametrize(
    ("n_connected", "needed"),
    [(0, 1), (1, 1), (2, 2), (3, 3), (10, 3), (30, 3), (31, 4), (50, 5), (1000, 100), (1001, 101)],
)
def test_how_many_make_a_wave(n_connected, needed):
    """A tenth, rounded up, and three at least; of less than three clients all."""
    assert n_needed(n_connected) == needed


def test_nothing_lost_is_no_outage():
    """The fleet is connected, and stays so."""
    assert Records().waves() == ()


def test_a_restart_is_one_outage():
    """From the first loss to the first client that is back."""
    records = Records().loses(range(N_CLIENTS), 2.0, over=0.3)
    for client in range(N_CLIENTS):
        records.connects(client, 2.5, outcome=Outcome.REFUSED)
        records.connects(client, 5.0 + client / 10)
    assert records.waves() == ((2.0, 5.0),)


def test_a_server_that_stays_away_has_no_end():
    """Nobody gets through any more."""
    records = Records().loses(range(N_CLIENTS), 2.0)
    assert records.waves() == ((2.0, math.inf),)


def test_a_few_losses_now_and_then_are_no_outage():
    """One client every second, each back at once: less than a tenth within a burst."""
    records = Records()
    for turn in range(40):
        records.loses([turn], 1.0 + turn).connects(turn, 1.5 + turn)
    assert records.waves() == ()


def test_one_node_of_four_is_an_outage():
    """A quarter of the fleet goes; the others are none the wiser."""
    records = Records().loses(range(12), 2.0)
    for client in range(12):
        records.connects(client, 2.5)
    assert records.waves() == ((2.0, 2.5),)


def test_a_straggler_begins_no_outage_of_its_own():
    """Some notice only when others are back already: on a quick restart, or a slow machine."""
    records = Records().loses(range(25), 2.0).connects(0, 2.1)
    records.loses(range(25, 50), 2.2, over=BURST - 0.3)
    assert records.waves() == ((2.0, 2.1),)


def test_two_restarts_are_two_outages():
    """The second begins when somebody is back and the burst is over."""
    records = Records().loses(range(N_CLIENTS), 2.0)
    for client in range(N_CLIENTS):
        records.connects(client, 3.0)
    records.loses(range(N_CLIENTS), 2.0 + BURST + 0.1)
    for client in range(N_CLIENTS):
        records.connects(client, 6.0)
    assert records.waves() == ((2.0, 3.0), (2.0 + BURST + 0.1, 6.0))


def test_two_restarts_within_a_burst_are_one():
    """They cannot be told from clients that notice late."""
    records = Records().loses(range(N_CLIENTS), 2.0)
    for client in range(N_CLIENTS):
        records.connects(client, 2.5)
    records.loses(range(N_CLIENTS), 2.0 + BURST)
    assert records.waves() == ((2.0, 2.5),)


def test_a_hang_is_noticed_over_a_heartbeat():
    """Silence has no moment: a tenth within the interval of the heartbeats is enough."""
    records = Records().loses(range(10), 12.0, over=HEARTBEAT, by=SILENT)
    records.connects(0, 40.0)
    assert records.waves() == ((12.0, 40.0),)


def test_told_losses_get_no_such_time():
    """The same losses by resets are a trickle."""
    records = Records().loses(range(10), 12.0, over=HEARTBEAT, by=TOLD)
    assert records.waves() == ()


def test_a_loss_counts_for_one_outage_only():
    """Late notices of a hang, and two strays among them, make up no second one."""
    records = Records().loses(range(20), 12.0, over=20.0, by=SILENT).connects(0, 17.0)
    records.loses([48, 49], 18.0, by=TOLD)
    assert records.waves() == ((12.0, 17.0),)


def test_who_came_back_before_the_wave_does_not_end_it():
    """A stray loss just before makes the outage start early, but not end early."""
    records = Records().loses([7], 1.0).connects(7, 1.5).loses(range(N_CLIENTS), 2.0)
    records.connects(3, 6.0)
    assert records.waves() == ((1.0, 6.0),)


def test_an_attempt_from_before_the_outage_does_not_end_it():
    """Its answer was on the way when the server went down."""
    records = Records().loses([7], -0.5).loses(range(7), 2.0)
    records.connects(7, 2.01, begun_at=1.9).connects(3, 6.0)
    assert records.waves() == ((2.0, 6.0),)


def test_the_ramp_is_in_no_outage():
    """What was lost before t = 0 does not count, though everybody was."""
    records = Records().loses(range(N_CLIENTS), -0.8)
    for client in range(N_CLIENTS):
        records.connects(client, -0.1)
    assert records.waves() == ()


# Whatever happens


@st.composite
def histories(draw):
    """Each client loses its connection at some moments and is back at others, by turns."""
    n_clients = draw(st.integers(1, 12))
    records = Records(n_clients)
    for client in range(n_clients):
        instants = draw(st.lists(st.integers(0, 400), max_size=8, unique=True).map(sorted))
        for turn, tick in enumerate(instants):
            if turn % 2:
                records.connects(client, tick / 10, begun_at=tick / 10 - 0.05)
            else:
                by = draw(st.sampled_from([TOLD, SILENT]))
                records.loses([client], tick / 10, by=by)
    return records


@given(records=histories())
def test_outages_are_in_order_and_apart(records):
    """Each ends before the next begins, and only the last may have no end."""
    waves = records.waves(heartbeat=3.0)
    for earlier, later in pairwise(waves):
        assert earlier.starts_at < earlier.ends_at < later.starts_at
        assert later.starts_at > earlier.starts_at + BURST


@given(records=histories())
def test_an_outage_has_its_losses(records):
    """It starts with a loss, and enough clients are lost within a burst and a heartbeat."""
    losses = sorted((at, client) for client, at, _ in records.disconnects)
    connects = [at for _, _, at, outcome in records.attempts if outcome == Outcome.CONNECTED]
    for wave in records.waves(heartbeat=3.0):
        assert wave.starts_at in [at for at, _ in losses]
        within = {client for at, client in losses if 0 <= at - wave.starts_at <= BURST + 3.0}
        before = sum(at < wave.starts_at for at in connects) - sum(
            at < wave.starts_at for at, _ in losses
        )
        assert len(within) >= min(max(SHARE * before, min(before, FEWEST)), records.n_clients)
        assert math.isinf(wave.ends_at) or wave.ends_at in connects


@given(records=histories())
def test_a_herd_lost_within_a_burst_is_always_seen(records):
    """Whatever came before, when all that are connected are told at once there is an outage."""
    connected = set(range(records.n_clients))
    events = [(at, "lost", client) for client, at, _ in records.disconnects]
    events += [(at, "made", client) for client, _, at, _ in records.attempts]
    for _, what, client in sorted(events):
        (connected.discard if what == "lost" else connected.add)(client)
    if not connected:
        return
    *_, last = records.loses(connected, 100.0).waves(heartbeat=3.0)
    assert last.starts_at <= 100.0
    assert math.isinf(last.ends_at)
