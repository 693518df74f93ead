"""Timeouts, lost connections, rejections and late answers: what an outbox makes of each."""

import pytest

from simulator.core.outbox import ANSWER_TIMEOUT

from .mortal import counts, key


def test_an_overdue_operation_is_sent_again_with_the_same_key(flushing):
    """The server has ten seconds; then the flush resumes where it stopped."""
    assert not flushing.timed_out(100.0 + ANSWER_TIMEOUT - 0.001)
    assert flushing.next_to_send(109.9) is None
    assert flushing.timed_out(100.0 + ANSWER_TIMEOUT)
    assert flushing.deadline == 110.0
    assert flushing.next_to_send(110.0).key == key(0)
    assert flushing.deadline == 120.0
    assert flushing.n_sent == 2


def test_nothing_times_out_that_is_not_outstanding(outbox):
    """Neither before a send nor after an answer."""
    assert not outbox.timed_out(1000.0)
    outbox.enqueue("a", 0.0)
    outbox.connected(0.0)
    assert not outbox.timed_out(1000.0)
    outbox.next_to_send(0.0)
    outbox.acknowledged(key(0))
    assert not outbox.timed_out(1000.0)


def test_a_lost_connection_stops_the_flush_until_the_next_one(flushing):
    """The operation that was outstanding comes first again, under its key."""
    flushing.disconnected()
    assert not flushing.timed_out(1000.0)
    assert flushing.next_to_send(105.0) is None
    flushing.connected(200.0)
    assert flushing.next_to_send(200.0).key == key(0)


def test_a_rejected_operation_is_set_aside_with_the_reason(flushing, storage):
    """It does not block the rest."""
    assert flushing.rejected(key(0), "no such room")
    assert flushing.next_to_send(101.0).body == "b"
    ((operation, reason),) = storage.list_set_aside(7)
    assert (operation.body, reason) == ("a", "no such room")
    assert counts(flushing) == (3, 0, 1, 2)


@pytest.mark.parametrize("interruption", ["timeout", "disconnect"])
@pytest.mark.parametrize("sent_again", [False, True])
@pytest.mark.parametrize("answer", ["acknowledged", "rejected"])
def test_a_late_answer_counts(flushing, interruption, sent_again, answer):
    """The server has settled the operation, whether a copy is under way or not."""
    if interruption == "timeout":
        assert flushing.timed_out(110.0)
    else:
        flushing.disconnected()
        flushing.connected(110.0)
    if sent_again:
        flushing.next_to_send(110.0)
    assert (
        flushing.acknowledged(key(0))
        if answer == "acknowledged"
        else flushing.rejected(key(0), "no")
    )
    assert flushing.next_to_send(111.0).key == key(1)


def test_a_late_answer_while_disconnected_counts(flushing):
    """It may have been read before the loss was noticed."""
    flushing.disconnected()
    assert flushing.acknowledged(key(0))
    assert flushing.next_to_send(101.0) is None
    flushing.connected(102.0)
    assert flushing.next_to_send(102.0).key == key(1)


def test_a_second_answer_changes_nothing(flushing, storage):
    """Neither a duplicate, nor one that contradicts the first."""
    flushing.acknowledged(key(0))
    outstanding = flushing.next_to_send(101.0)
    before = counts(flushing), list(storage.log), flushing.deadline
    assert not flushing.acknowledged(key(0))
    assert not flushing.rejected(key(0), "too late")
    assert (counts(flushing), storage.log, flushing.deadline) == before
    assert flushing.acknowledged(outstanding.key)


@pytest.mark.parametrize("strange", ["42-7-1", "42-8-0", ""])
def test_an_answer_to_what_was_not_sent_changes_nothing(flushing, strange):
    """A later operation, another client's, or nobody's: such a server is not believed."""
    assert not flushing.acknowledged(strange)
    assert not flushing.rejected(strange, "no")
    assert counts(flushing) == (3, 0, 0, 3)
    assert flushing.deadline == 110.0


def test_an_answer_before_the_first_send_changes_nothing(outbox):
    """Keys can be guessed; an operation that was never sent cannot have been applied."""
    outbox.enqueue("a", 0.0)
    outbox.enqueue("b", 0.0)
    assert not outbox.acknowledged(key(0))
    outbox.connected(0.0)
    outbox.next_to_send(0.0)
    assert outbox.acknowledged(key(0))
    assert not outbox.acknowledged(key(1))
    assert counts(outbox) == (2, 1, 0, 1)
