"""A client believes the latest word about its network, and comes back spread over a window."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from simulator.core.connectivity import Change, Monitor, MonitorConfig, sooner, spread

CONFIG = MonitorConfig()
DRAWS = st.floats(0.001, 0.999)
INSTANTS = st.floats(0.0, 1e4)
WINDOWS = st.floats(0.0, 60.0)


def monitor(u=0.5, **options):
    """A monitor that began at t = 0."""
    return Monitor(CONFIG, now=0.0, u=u, **options)


def test_a_signal_changes_the_belief_once():
    """Listeners hear of changes, not of repetitions."""
    network = monitor()
    signals = [(False, 1.0), (False, 2.0), (True, 3.0), (True, 4.0)]
    assert [network.signal(online, at) for online, at in signals] == [
        Change.WENT_OFFLINE,
        Change.NONE,
        Change.CAME_ONLINE,
        Change.NONE,
    ]


def test_a_probe_corrects_a_signal():
    """A cable that leads nowhere is no network, and some systems never say that they are back."""
    network = monitor()
    assert network.probed(answered=False, started_at=15.0) is Change.WENT_OFFLINE
    assert network.probed(answered=True, started_at=45.0) is Change.CAME_ONLINE
    assert network.online


def test_a_probe_that_began_before_a_signal_is_out_of_date():
    """The seed let a probe sent without a network undo the signal that it had come back."""
    network = monitor(online=False)
    network.begin_probe(15.0)
    assert network.signal(online=True, now=16.0) is Change.CAME_ONLINE
    assert network.probed(answered=False, started_at=15.0) is Change.NONE
    assert network.online


@given(DRAWS)
def test_probes_keep_their_rhythm_from_a_uniform_phase_on(u):
    """The first comes within an interval, and the probes of a herd do not align."""
    network = monitor(u)
    due = []
    for _ in range(4):
        due.append(network.probe_due_at)
        network.begin_probe(network.probe_due_at)
    assert due == pytest.approx([(u + turn) * CONFIG.interval for turn in range(4)])


@given(DRAWS, st.floats(0.0, 1e4))
def test_a_late_process_skips_probes_rather_than_catching_up(u, lag):
    """The next probe lies ahead, by an interval at most, and in the rhythm."""
    network = monitor(u)
    late = network.probe_due_at + lag
    network.begin_probe(late)
    assert 0 < network.probe_due_at - late <= CONFIG.interval * (1 + 1e-9)
    turns = network.probe_due_at / CONFIG.interval - u
    assert turns == pytest.approx(round(turns), abs=1e-6)


def test_probes_can_be_left_out():
    """Then only signals count."""
    config = MonitorConfig.model_validate({"interval": "none"})
    assert Monitor(config, now=0.0, u=0.5).probe_due_at == math.inf


def test_one_probe_at_a_time():
    """A probe ends before the next begins, so that their results cannot change places."""
    with pytest.raises(ValidationError, match="not below interval"):
        MonitorConfig(interval=5.0, timeout=5.0)


def test_clients_behind_one_access_point_do_not_come_back_at_once():
    """A thousand of them fill the window evenly; the seed dialled at the instant of the signal."""
    draws = [(n + 0.5) / 1000 for n in range(1000)]
    dials = [sooner(0.0, 100.0, u, 5.0) for u in draws]
    assert all(100.0 < at < 105.0 for at in dials)
    assert [sum(100 + s <= at < 101 + s for at in dials) for s in range(5)] == [200] * 5


@given(INSTANTS, INSTANTS, DRAWS, WINDOWS)
def test_news_makes_an_attempt_sooner_never_later_than_it_was_due(due_at, now, u, window):
    """Unless it was due already and nothing spreads it."""
    at = sooner(due_at, now, u, window)
    assert now <= at <= now + window
    if due_at > now:
        assert at == min(due_at, now + spread(u, window))


@given(INSTANTS, INSTANTS, DRAWS, WINDOWS, INSTANTS)
def test_news_does_not_overrule_the_server(due_at, now, u, window, not_before):
    """Who was asked to stay away until an instant stays away until then."""
    at = sooner(due_at, now, u, window, not_before=not_before)
    assert at == max(not_before, sooner(due_at, now, u, window))


def test_without_a_window_a_retry_is_at_once():
    """As most libraries do it."""
    assert sooner(0.0, 100.0, 0.7, 0.0) == 100.0


def test_what_is_due_at_the_very_instant_of_the_news_is_spread():
    """A herd that was due together is a herd still."""
    assert sooner(100.0, 100.0, 0.5, 4.0) == 102.0
