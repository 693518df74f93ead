"""A heartbeat notices silence between `timeout` and `interval + timeout` later (RULES 19)."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from simulator.core.heartbeat import Heartbeat, Verdict

INTERVALS = st.floats(0.1, 60.0)
PHASES = st.floats(0.001, 0.999)


def live(heartbeat, *, until=math.inf, answers=lambda pinged_at: pinged_at, heard=()):
    """Ask for verdicts at every deadline.

    Args:
        heartbeat: The heartbeat, of a connection that opened at t = 0.
        until: Where to stop, should the peer never be found dead.
        answers: When the pong to a ping is heard; infinite for never.
        heard: When the peer says something of its own accord.

    Returns:
        When the pings were sent, and when the peer was declared dead.
    """
    pings, heard = [], list(heard)
    while (now := heartbeat.deadline) < until:
        heard_at = max((at for at in heard if at <= now), default=-math.inf)
        match heartbeat.verdict(now, heard_at):
            case Verdict.DEAD:
                return pings, now
            case Verdict.PING:
                pings.append(now)
                heard.append(answers(now))
    return pings, math.inf


@given(INTERVALS, st.floats(0.1, 60.0), PHASES, st.floats(0.0, 200.0))
def test_silence_is_noticed_between_timeout_and_interval_plus_timeout(
    interval, timeout, phase, silent_from
):
    """Whatever the phase, and whichever of the two settings is the longer (RULES 19)."""
    heartbeat = Heartbeat(interval, timeout, now=0.0, phase=phase)
    _, dead_at = live(
        heartbeat, answers=lambda pinged_at: pinged_at if pinged_at < silent_from else math.inf
    )
    assert timeout * (1 - 1e-9) <= dead_at - silent_from <= (interval + timeout) * (1 + 1e-9)


@given(INTERVALS, PHASES)
def test_pings_keep_the_interval_from_the_phase_on(interval, phase):
    """The phase is the share of an interval before the first ping."""
    pings, _ = live(Heartbeat(interval, 10.0, now=0.0, phase=phase), until=5 * interval)
    assert pings == pytest.approx([(phase + turn) * interval for turn in range(5)])


@given(INTERVALS, st.floats(0.1, 60.0), PHASES, st.floats(0.0, 0.99))
def test_a_peer_that_answers_within_the_timeout_lives(interval, timeout, phase, share):
    """A slow answer is an answer."""
    heartbeat = Heartbeat(interval, timeout, now=0.0, phase=phase)
    pings, dead_at = live(
        heartbeat, until=20 * interval, answers=lambda pinged_at: pinged_at + share * timeout
    )
    assert dead_at == math.inf
    assert len(pings) == 20


def test_an_answer_after_the_timeout_is_too_late():
    """The peer is dead `timeout` after the ping that went unheard."""
    heartbeat = Heartbeat(10.0, 2.0, now=0.0, phase=0.5)
    assert live(heartbeat, answers=lambda pinged_at: pinged_at + 2.1) == ([5.0], 7.0)


def test_whatever_is_heard_after_a_ping_counts_as_life():
    """A peer that never answers a ping but talks is alive, until it falls silent."""
    heartbeat = Heartbeat(10.0, 2.0, now=0.0, phase=0.5)
    pings, dead_at = live(heartbeat, answers=lambda _: math.inf, heard=[6.0, 15.5])
    assert pings == [5.0, 15.0, 25.0]
    assert dead_at == 27.0


def test_what_was_heard_before_a_ping_does_not_count():
    """The peer may have died in between."""
    heartbeat = Heartbeat(10.0, 2.0, now=0.0, phase=0.5)
    assert live(heartbeat, answers=lambda _: math.inf, heard=[4.9]) == ([5.0], 7.0)


def test_pings_go_on_while_earlier_ones_are_unanswered():
    """With a timeout beyond the interval the first unanswered ping decides."""
    heartbeat = Heartbeat(1.0, 3.5, now=0.0, phase=0.5)
    pings, dead_at = live(heartbeat, answers=lambda _: math.inf)
    assert pings == [0.5, 1.5, 2.5, 3.5]
    assert dead_at == 4.0


@given(INTERVALS, st.floats(1.0, 5.0), PHASES, st.floats(0.0, 1.0), st.floats(0.0, 20.0))
def test_several_pings_outstanding_notice_silence_as_soon(
    interval, patience, phase, slowness, silent_from
):
    """Silence counts from the last word, however many pings are unanswered then."""
    timeout = patience * interval
    assume(silent_from > phase * interval + slowness * timeout)

    def answered_at(pinged_at):
        at = pinged_at + slowness * timeout
        return at if at <= silent_from else math.inf

    heartbeat = Heartbeat(interval, timeout, now=0.0, phase=phase)
    pings, dead_at = live(heartbeat, answers=answered_at)
    last_word = max(answered_at(at) for at in pings if answered_at(at) < math.inf)
    assert dead_at - last_word <= (interval + timeout) * (1 + 1e-9)


@pytest.mark.parametrize("late", [0.0, 7.0, 61.0, 1000.0])
def test_a_late_timer_does_not_catch_up(late):
    """It sends one ping for all it has missed, and the next one in the old rhythm."""
    heartbeat = Heartbeat(10.0, 5.0, now=0.0, phase=0.5)
    assert heartbeat.verdict(5.0 + late, -math.inf) is Verdict.PING
    assert heartbeat.verdict(5.0 + late, 5.0 + late) is Verdict.WAIT
    assert 0 < heartbeat.deadline - (5.0 + late) <= 10.0
    assert heartbeat.deadline % 10.0 == 5.0


def test_a_verdict_before_the_deadline_is_to_wait():
    """Nothing is due yet."""
    heartbeat = Heartbeat(10.0, 2.0, now=100.0, phase=0.5)
    assert heartbeat.deadline == 105.0
    assert heartbeat.verdict(104.0, -math.inf) is Verdict.WAIT
