"""When clients are asked to come back: a fixed time, or their own place in a window."""

import numpy as np
import pytest
from scipy import stats

from server_stub.advice import Adviser, retry_after_header
from server_stub.config import ServerConfig
from server_stub.wire import Identity

N = 4000


def adviser(**settings):
    """Of a node with these settings."""
    return Adviser(ServerConfig(**settings), seed=1)


def told(retry_after, *, n_waiting=0):
    """What N clients are told that are turned away, in seconds."""
    ours = adviser(retry_after=retry_after)
    whose = [Identity(client, 1, 1) for client in range(N)]
    return np.array([ours.when_turned_away(who, n_waiting=n_waiting) for who in whose])


def test_without_advice_nothing_is_told():
    """Neither to those turned away nor to those that an outage disconnects."""
    who = Identity(0, 1, 1)
    assert adviser().when_turned_away(who, n_waiting=9) is None
    assert adviser().when_going_down(who, now=1.0, back_at=2.0) is None


def test_a_fixed_time_is_the_same_for_all():
    """However many wait."""
    assert set(told(3.0, n_waiting=50)) == {3.0}


def test_a_window_is_filled_evenly():
    """Uniformly, by the Kolmogorov-Smirnov test."""
    seconds = told({"at_least": 2.0, "spread": 10.0})
    assert stats.kstest(seconds, stats.uniform(2.0, 10.0).cdf).pvalue > 0.01


@pytest.mark.parametrize("n_waiting", [0, 10, 300])
def test_a_window_grows_with_the_queue(n_waiting):
    """By `per_waiting` for each that waits."""
    seconds = told({"spread": 1.0, "per_waiting": 0.02}, n_waiting=n_waiting)
    width = 1.0 + 0.02 * n_waiting
    assert stats.kstest(seconds, stats.uniform(0.0, width).cdf).pvalue > 0.01


def test_each_answer_is_drawn_anew():
    """A client that is turned away twice is not told the same twice."""
    ours = adviser(retry_after={"spread": 10.0})
    seconds = [ours.when_turned_away(Identity(7, 1, n), n_waiting=0) for n in range(1, 9)]
    assert len(set(seconds)) == 8


def test_a_restart_tells_instants_within_a_window_after_it():
    """Whenever a client is told: each means an instant, uniform from when the node is back."""
    ours = adviser(reconnect_window=20.0)
    instants = [
        now + ours.when_going_down(Identity(client, 0, 1), now=now, back_at=8.0)
        for client, now in enumerate(np.linspace(2.0, 7.0, N))
    ]
    assert stats.kstest(instants, stats.uniform(8.0, 20.0).cdf).pvalue > 0.01


@pytest.mark.parametrize(("seconds", "header"), [(0.0, b"0"), (0.1, b"1"), (3.0, b"3")])
def test_a_header_has_whole_seconds(seconds, header):
    """Never fewer than were meant."""
    assert retry_after_header(seconds) == (b"Retry-After", header)
