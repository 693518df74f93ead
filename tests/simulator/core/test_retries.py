"""What a client's retries are counted from, what starts the count over, and what ends it."""

import math

import pytest

from simulator.core.backoff import Policy
from simulator.core.lifecycle import Failed, Lifecycle
from simulator.core.outcomes import NoticedBy, Outcome

DOUBLING = {"base": 1.0, "factor": 2.0}


def lifecycle(**settings):
    """A client that is connected since t = 0, all of whose draws are a half."""
    life = Lifecycle(7, Policy(**settings), lambda episode, attempt: 0.5, due_at=0.0)
    life.opened(0.0, 0.0)
    return life


def lose(life, at, **how):
    """The connection is lost; says how it goes on."""
    return life.lost(at, NoticedBy.RESET, 1006, "", **how)[-1]


def fail(life, started_at, at):
    """An attempt fails; says how it goes on."""
    life.dial()
    return life.attempt_failed(started_at, at, Outcome.REFUSED)[-1]


def open_again(life, at):
    """An attempt succeeds."""
    life.dial()
    life.opened(at, at)


def grown(life):
    """A client that has lost its connection at t = 100 s and failed twice since; 4 s are next."""
    lose(life, 100.0)
    fail(life, 101.0, 101.0)
    return fail(life, 103.0, 103.0)


# Starting over


@pytest.mark.parametrize(
    ("reset_on", "reset_after", "answered_at", "lost_at", "delay"),
    [
        ("open", None, None, 107.5, 1.0),
        ("open", 5.0, None, 111.0, 8.0),
        ("open", 5.0, None, 112.0, 1.0),
        ("answer", None, None, 500.0, 8.0),
        ("answer", None, 108.0, 108.0, 1.0),
        ("answer", 5.0, 108.0, 112.5, 8.0),
        ("answer", 5.0, 108.0, 113.0, 1.0),
        ("answer", 5.0, None, 500.0, 8.0),
        ("open", 5.0, 108.0, 112.0, 1.0),
    ],
)
def test_what_proves_a_connection_good(reset_on, reset_after, answered_at, lost_at, delay):
    """That it is open, or that the server's application has answered; and for how long."""
    life = lifecycle(**DOUBLING, reset_on=reset_on, reset_after=reset_after)
    life.answered(0.0)
    assert grown(life).delay == 4.0
    open_again(life, 107.0)
    if answered_at is not None:
        life.answered(answered_at)
    assert lose(life, lost_at).delay == delay


def test_each_connection_must_prove_itself():
    """An answer on the last one is worth nothing on the next."""
    life = lifecycle(**DOUBLING, reset_on="answer", reset_after=5.0)
    life.answered(0.0)
    assert lose(life, 100.0).delay == 1.0
    open_again(life, 101.0)
    assert lose(life, 200.0).delay == 2.0


def test_a_second_answer_does_not_make_a_connection_younger():
    """Its age counts from the first."""
    life = lifecycle(**DOUBLING, reset_on="answer", reset_after=5.0)
    grown(life)
    open_again(life, 107.0)
    life.answered(107.0)
    life.answered(111.0)
    assert lose(life, 112.0).delay == 1.0


# Counting from


@pytest.mark.parametrize(
    ("count_from", "delay"),
    [("failure", 10.0), ("start", 4.0), ("remainder", 2.0), ("slot", 4.0), ("poll", 4.0)],
)
def test_what_a_delay_counts_from(count_from, delay):
    """10 s after an attempt that took 6 s; a remainder is jittered, here by half."""
    jitter = {"jitter": "full"} if count_from == "remainder" else {}
    life = lifecycle(growth="constant", base=10.0, count_from=count_from, **jitter)
    lose(life, 100.0)
    assert fail(life, 110.0, 116.0).delay == pytest.approx(delay)


@pytest.mark.parametrize("count_from", ["start", "remainder", "slot", "poll"])
def test_a_loss_counts_from_itself(count_from):
    """There is no failed attempt before it."""
    life = lifecycle(growth="constant", base=10.0, count_from=count_from)
    assert lose(life, 103.0).delay == 10.0


@pytest.mark.parametrize(("lost_at", "delay"), [(103.0, 0.0), (104.0, 0.0), (1.5, 8.5)])
def test_a_first_delay_can_count_from_the_start_of_the_connections_attempt(lost_at, delay):
    """Then it is over already, unless the connection was short."""
    life = lifecycle(growth="constant", base=10.0, first_from_start=True)
    assert lose(life, lost_at).delay == delay


def test_a_remainder_of_a_first_delay_is_jittered():
    """1.5 s after the attempt that connected, half of the 8.5 s that are left."""
    life = lifecycle(
        growth="constant", base=10.0, jitter="full", count_from="remainder", first_from_start=True
    )
    assert lose(life, 1.5).delay == 4.25


def test_rounds_of_a_poll_are_steps():
    """An attempt that hangs through two rounds is followed at the third, and the growth goes on."""
    life = lifecycle(**DOUBLING, count_from="poll")
    assert lose(life, 100.0).delay == 1.0
    assert fail(life, 101.0, 108.0).due_at == 115.0  # rounds of 2, 4 and 8 s
    assert fail(life, 115.0, 115.5).due_at == 131.0


# Giving up


def test_a_slot_ends_the_attempt_that_is_in_it():
    """When the next is due."""
    life = lifecycle(**DOUBLING, count_from="slot")
    lose(life, 100.0)
    life.dial()
    assert life.given_up_at(101.0) == 103.0
    assert life.attempt_failed(101.0, 103.0, Outcome.TIMED_OUT)[-1].delay == 0.0
    life.dial()
    assert life.given_up_at(103.0) == 107.0


def test_a_suspension_ends_the_attempt_that_it_cuts_into():
    """It lasts a suspended delay, and attempts after it are its policy's no more."""
    life = lifecycle(
        growth="constant", base=40.0, reset_after=None, suspended_after=100.0, suspended_delay=30.0
    )
    lose(life, 1000.0)
    life.dial()
    assert life.given_up_at(1090.0) == 1100.0
    assert life.attempt_failed(1090.0, 1100.0, Outcome.TIMED_OUT)[-1].due_at == 1130.0
    life.dial()
    assert life.given_up_at(1130.0) == math.inf
    assert life.attempt_failed(1130.0, 1135.0, Outcome.REFUSED)[-1].due_at == 1165.0


def test_other_policies_leave_attempts_alone():
    """It is for the connect timeout to end them."""
    life = lifecycle(**DOUBLING)
    lose(life, 100.0)
    life.dial()
    assert life.given_up_at(101.0) == math.inf


def test_a_failed_attempt_can_end_it():
    """Losses of open connections do not."""
    life = lifecycle(**DOUBLING, ends_on_failure=True, reset_after=None)
    assert lose(life, 100.0).delay == 1.0
    open_again(life, 101.0)
    assert lose(life, 102.0).delay == 1.0
    assert fail(life, 103.0, 103.5) == Failed(7, 103.5, 1, "an attempt has failed, which ends it")


def test_coming_back_at_once_is_no_retry_of_the_policys():
    """Neither does it use up a step, nor is it refused for want of one."""
    life = lifecycle(**DOUBLING, max_attempts=1)
    for at in (100.0, 101.0, 102.0):
        step = lose(life, at, at_once=True)
        assert (step.due_at, step.attempt) == (at, 1)
        open_again(life, at)
    assert lose(life, 103.0).delay == 1.0
