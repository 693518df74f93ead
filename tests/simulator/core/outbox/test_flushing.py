"""Operations are persisted, flushed in order, one at a time, and found again on reopening."""

import math

import pytest

from simulator.core.outbox import Outbox, keys_within

from .mortal import KEY_OF, KilledError, counts, key

# Enqueueing


def test_an_operation_is_persisted_when_enqueue_returns(outbox, storage):
    """With its place, its key, its body and its instant."""
    operation = outbox.enqueue("a", 3.0)
    assert operation == (0, "42-7-0", "a", 3.0)
    assert storage.pending(7) == [operation]


def test_an_operation_that_cannot_be_persisted_was_not_enqueued(outbox, storage):
    """The failure is the caller's to see, and nothing is ever sent."""
    outbox.connected(0.0)
    storage.killed = "before"
    with pytest.raises(KilledError):
        outbox.enqueue("a", 0.0)
    assert counts(outbox) == (0, 0, 0, 0)
    assert outbox.next_to_send(0.0) is None


def test_keys_differ_by_client_sequence_and_namespace():
    """No two operations share one, also where digits could run together."""
    keys = {
        keys_within(namespace)(client, sequence)
        for namespace in ("4", "42")
        for client in range(0, 120, 7)
        for sequence in range(0, 120, 7)
    }
    assert len(keys) == 2 * 18 * 18


def test_equal_seeds_give_equal_keys():
    """A simulation repeats its keys."""
    assert keys_within("42")(7, 1) == keys_within("42")(7, 1)


# Flushing


def test_nothing_is_sent_while_disconnected(outbox):
    """Before the first connection, and after a loss."""
    outbox.enqueue("a", 0.0)
    assert outbox.next_to_send(0.0) is None
    assert outbox.deadline == math.inf
    outbox.connected(1.0)
    outbox.disconnected()
    assert outbox.next_to_send(2.0) is None
    assert outbox.deadline == math.inf


def test_the_flush_is_due_at_once_on_connecting(outbox):
    """The deadline is the instant of the connection."""
    outbox.enqueue("a", 0.0)
    outbox.connected(1.0)
    assert outbox.deadline == 1.0


def test_an_operation_enqueued_while_connected_is_due_at_once(outbox):
    """Its deadline has passed when it is asked for."""
    outbox.connected(1.0)
    assert outbox.deadline == math.inf
    outbox.enqueue("a", 5.0)
    assert outbox.deadline <= 5.0
    assert outbox.next_to_send(5.0).body == "a"


def test_one_operation_is_outstanding_at_a_time(flushing):
    """The next one waits for the answer."""
    assert flushing.next_to_send(101.0) is None
    assert flushing.deadline == 110.0
    assert flushing.acknowledged(key(0))
    assert flushing.deadline <= 101.0
    assert flushing.next_to_send(101.0).body == "b"
    assert flushing.next_to_send(101.0) is None


def test_a_flush_goes_in_order_until_nothing_is_left(flushing, storage):
    """Each operation is gone from the storage once it is acknowledged."""
    sent = ["a"]
    for sequence in range(3):
        assert flushing.acknowledged(key(sequence))
        if operation := flushing.next_to_send(100.0):
            sent.append(operation.body)
    assert sent == ["a", "b", "c"]
    assert storage.pending(7) == []
    assert counts(flushing) == (3, 3, 0, 0)
    assert flushing.deadline == math.inf


# Reopening


def test_a_reopened_outbox_goes_on_where_the_first_stopped(flushing, storage):
    """With the operations that wait, their keys, the counts and the sequence."""
    flushing.acknowledged(key(0))
    flushing.next_to_send(100.0)
    flushing.rejected(key(1), "no")
    reopened = Outbox(7, storage, keys_within("another seed"))
    assert counts(reopened) == counts(flushing) == (3, 1, 1, 1)
    reopened.connected(0.0)
    assert reopened.next_to_send(0.0).key == key(2)
    assert reopened.enqueue("d", 0.0) == (3, "another seed-7-3", "d", 0.0)


def test_a_sequence_number_is_never_given_twice(outbox, storage):
    """Not even when nothing waits any more."""
    outbox.enqueue("a", 0.0)
    outbox.connected(0.0)
    outbox.next_to_send(0.0)
    outbox.acknowledged(key(0))
    assert Outbox(7, storage, KEY_OF).enqueue("b", 0.0).key == key(1)


def test_clients_share_a_storage_without_meeting(storage):
    """Each has its own sequence and its own head."""
    one, two = (Outbox(client, storage, KEY_OF) for client in (1, 2))
    one.enqueue("a", 0.0)
    two.enqueue("b", 0.0)
    two.enqueue("c", 0.0)
    two.connected(0.0)
    assert two.next_to_send(0.0) == (0, "42-2-0", "b", 0.0)
    assert counts(Outbox(1, storage, KEY_OF)) == (1, 0, 0, 1)
    assert counts(Outbox(2, storage, KEY_OF)) == (2, 0, 0, 2)
