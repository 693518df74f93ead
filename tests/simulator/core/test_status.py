"""A user is told one thing, in plain words, and only when it lasts."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.core.lifecycle import State
from simulator.core.status import QUIET, Status, StatusKind, banner, banner_at, status_of

FACTS = st.fixed_dictionaries(
    {
        "episode": st.integers(0, 3),
        "attempt": st.integers(1, 5),
        "online": st.booleans(),
        "restarting": st.booleans(),
    }
)
STATUSES = st.builds(lambda state, facts: status_of(state, **facts), st.sampled_from(State), FACTS)
INSTANTS = st.floats(-1e6, 1e6)


@pytest.mark.parametrize(
    ("state", "episode", "attempt", "told"),
    [
        (State.CONNECTING, 0, 1, "connecting"),
        (State.BACKING_OFF, 0, 2, "connecting"),
        (State.CONNECTING, 0, 2, "connecting"),
        (State.CONNECTED, 0, 1, "connected"),
        (State.BACKING_OFF, 1, 1, "disconnected"),
        (State.CONNECTING, 1, 1, "reconnecting (1)"),
        (State.BACKING_OFF, 1, 2, "reconnecting (2)"),
        (State.CONNECTED, 1, 2, "connected"),
        (State.FAILED, 1, 3, "failed"),
        (State.CLOSED, 1, 3, "closed"),
    ],
)
def test_a_status_follows_the_lifecycle(state, episode, attempt, told):
    """From the first connection through a loss to the end."""
    assert str(status_of(state, episode=episode, attempt=attempt)) == told


def test_a_restarting_server_is_not_a_lost_connection():
    """The seed showed the same text for both; the word stays until the client is connected."""
    for state, attempt in ((State.BACKING_OFF, 1), (State.CONNECTING, 1), (State.BACKING_OFF, 2)):
        status = status_of(state, episode=1, attempt=attempt, restarting=True)
        assert status.kind is StatusKind.SERVER_RESTARTING
        assert "restarting" in banner(status, 0.0, 60.0)
    connected = status_of(State.CONNECTED, episode=1, attempt=2, restarting=True)
    assert connected.kind is StatusKind.CONNECTED


@given(FACTS)
def test_an_open_connection_is_connected(facts):
    """Whatever a probe says of the network."""
    assert status_of(State.CONNECTED, **facts) == Status(StatusKind.CONNECTED)


@given(FACTS, st.sampled_from([State.CONNECTING, State.BACKING_OFF]))
def test_without_a_network_nothing_else_is_told(facts, state):
    """Nobody is told to wait for a server that cannot be reached from here."""
    assert status_of(state, **{**facts, "online": False}) == Status(StatusKind.OFFLINE)


@given(STATUSES, INSTANTS, st.floats(0.0, 60.0), st.floats(0.0, 60.0))
def test_a_banner_keeps_quiet_at_first(status, since, elapsed, quiet):
    """What may pass by itself shows after the quiet period, what is final at once."""
    text = banner(status, since, since + elapsed, quiet)
    if status.kind in (StatusKind.CONNECTED, StatusKind.CLOSED):
        assert text is None
        assert banner_at(status, since, quiet) == math.inf
    elif status.kind is StatusKind.FAILED:
        assert text
    else:
        assert (text is not None) == (since + elapsed >= since + quiet)
        assert banner_at(status, since, quiet) == since + quiet


def test_attempts_do_not_prolong_the_quiet():
    """The period counts from the loss, not from the last change of status."""
    statuses = [Status(StatusKind.RECONNECTING, attempt) for attempt in range(1, 9)]
    shown = [banner(status, 0.0, 0.5 * status.attempt) is not None for status in statuses]
    assert shown == [0.5 * status.attempt >= QUIET for status in statuses]


def test_a_banner_says_which_attempt_it_is():
    """And has no gaps left to fill."""
    text = banner(Status(StatusKind.RECONNECTING, 3), 0.0, 60.0)
    assert "3" in text
    assert "{" not in text
