"""Operations reach the ledger once and in order, whatever the link and the processes do."""

import math
import tempfile
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from server_stub.ledger import INVALID_MARK, Ledger, MemoryRecords, marked_invalid, order_of
from simulator.core.outbox import ANSWER_TIMEOUT, Outbox, keys_within
from simulator.storage import MemoryStorage, SqliteStorage

KEY_OF = keys_within("42")


class KilledError(Exception):
    """The process dies here."""


class Mortal:
    """A storage during whose next change the process can be killed: before it, or after."""

    CHANGES = ("append", "remove", "set_aside")

    def __init__(self, storage):
        self.storage = storage
        self.killed = None
        self.log = []

    def __getattr__(self, name):
        method = getattr(self.storage, name)
        return self._mortal(name, method) if name in self.CHANGES else method

    def _mortal(self, name, method):
        def change(*arguments):
            if self.killed == "before":
                raise KilledError
            method(*arguments)
            self.log.append(name)
            if self.killed == "after":
                raise KilledError

        return change


@pytest.fixture
def storage():
    """In memory, and recording its changes."""
    return Mortal(MemoryStorage())


@pytest.fixture
def outbox(storage):
    """The outbox of client 7, not connected."""
    return Outbox(7, storage, KEY_OF)


@pytest.fixture
def flushing(outbox):
    """An outbox with three operations, connected at t = 100; the first is outstanding."""
    for body in ("a", "b", "c"):
        outbox.enqueue(body, 0.0)
    outbox.connected(100.0)
    assert outbox.next_to_send(100.0).body == "a"
    return outbox


def counts(outbox):
    """Enqueued, acknowledged, set aside, pending."""
    return outbox.n_enqueued, outbox.n_acknowledged, outbox.n_set_aside, outbox.n_pending


def key(sequence):
    """The key of one of client 7's operations."""
    return KEY_OF(7, sequence)


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


# Failures


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


# Against everything at once

CLIENTS = st.sampled_from((0, 1))
PICKS = st.integers(0, 2**16)
INSTANTS = st.sampled_from(("before", "after"))


class UnreliableHerd(RuleBasedStateMachine):
    """Two clients of one process, a server, and a link between them that does its worst.

    Copies and answers may be lost, doubled, late and overtake each other, across connections too.
    """

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.records = MemoryRecords()
        self.enqueued = defaultdict(list)
        self.applied = defaultdict(list)
        self.rejected = defaultdict(list)
        self.copies = defaultdict(list)
        self.answers = defaultdict(list)
        self.settled = defaultdict(set)

    def open_storage(self):
        """The storage as a process finds it that has just started."""
        raise NotImplementedError

    def close_storage(self):
        """What remains of a process that died."""

    @initialize()
    def start(self):
        """Both processes start."""
        self.start_server()
        self.start_clients()

    @rule(side=st.sampled_from(("server", "clients")))
    def restart(self, side):
        """One of the two processes is killed and started again."""
        if side == "server":
            self.start_server()
        else:
            self.start_clients()

    def start_server(self):
        """Its ledger has survived."""
        self.ledger = Ledger(self.records, rules=(marked_invalid,))

    def start_clients(self):
        """Their storage has survived; what was on its way to them is lost."""
        self.close_storage()
        self.storage = Mortal(self.open_storage())
        self.outbox = {client: Outbox(client, self.storage, KEY_OF) for client in (0, 1)}
        self.online = dict.fromkeys((0, 1), False)
        self.outstanding = dict.fromkeys((0, 1))
        self.answers.clear()
        for client, outbox in self.outbox.items():
            settled = len(self.settled[client])
            assert outbox.n_pending == len(self.enqueued[client]) - settled
            assert outbox.n_acknowledged + outbox.n_set_aside == settled

    @rule(client=CLIENTS, mark=st.sampled_from(("", "", INVALID_MARK)))
    def enqueue(self, client, mark):
        """A client has something to do, which the server may find invalid."""
        body = f"{mark}{len(self.enqueued[client])}"
        operation = self.outbox[client].enqueue(body, self.now)
        self.enqueued[client].append(operation)

    @rule(client=CLIENTS, instant=INSTANTS, pick=PICKS, is_hearing=st.booleans())
    def die(self, client, instant, pick, is_hearing):
        """The clients' process is killed around a write, which may have been done or not."""
        self.storage.killed = instant
        if is_hearing and any(self.answers.values()):
            self.die_hearing(pick, instant)
        else:
            self.die_enqueueing(client, instant)
        self.start_clients()

    def die_hearing(self, pick, instant):
        """The write is what an answer causes, if it is news."""
        client, place = self.picked(self.answers, pick)
        answer = self.answers[client][place]
        pending = self.storage.pending(client)
        with suppress(KilledError):
            self.tell(client, answer)
        if instant == "after" and pending != self.storage.pending(client):
            self.settled[client].add(answer.key)

    def die_enqueueing(self, client, instant):
        """The write is that of a new operation."""
        with suppress(KilledError):
            self.enqueue(client, "")
        if instant == "after":
            self.enqueued[client].append(self.storage.pending(client)[-1])

    @rule(client=CLIENTS)
    def connect(self, client):
        """A connection is up, or replaces the one before."""
        self.outbox[client].connected(self.now)
        self.online[client] = True
        self.outstanding[client] = None

    @rule(client=CLIENTS)
    def disconnect(self, client):
        """The connection is lost; what was on its way may arrive all the same."""
        self.outbox[client].disconnected()
        self.online[client] = False
        self.outstanding[client] = None

    @rule(client=CLIENTS)
    def send(self, client):
        """Whatever may be sent is persisted, the first that waits, and the only one outstanding."""
        operation = self.outbox[client].next_to_send(self.now)
        waiting = self.storage.pending(client)
        may_send = self.online[client] and self.outstanding[client] is None and waiting
        assert operation == (waiting[0] if may_send else None)
        if operation is not None:
            assert operation == self.enqueued[client][len(self.settled[client])]
            self.outstanding[client] = (operation.key, self.now + ANSWER_TIMEOUT)
            self.copies[client].append(operation)

    @rule(seconds=st.floats(0.0, 15.0))
    def wait(self, seconds):
        """Time passes, and deadlines are kept."""
        self.now += seconds
        for client, outbox in self.outbox.items():
            outstanding = self.outstanding[client]
            overdue = outstanding is not None and self.now >= outstanding[1]
            assert overdue == (outstanding is not None and self.now >= outbox.deadline)
            assert outbox.timed_out(self.now) == overdue
            if overdue:
                self.outstanding[client] = None

    @precondition(lambda self: any(self.copies.values()))
    @rule(pick=PICKS, is_copied=st.booleans(), answers=st.integers(0, 2))
    def arrive(self, pick, is_copied, answers):
        """Some copy reaches the server, perhaps twice; its answer is lost, sent or doubled."""
        client, place = self.picked(self.copies, pick)
        operation = self.copies[client][place]
        if not is_copied:
            del self.copies[client][place]
        self.serve(client, operation, answers)

    @precondition(lambda self: any(self.copies.values()))
    @rule(pick=PICKS)
    def lose_copy(self, pick):
        """A copy is lost."""
        client, place = self.picked(self.copies, pick)
        del self.copies[client][place]

    @precondition(lambda self: any(self.answers.values()))
    @rule(pick=PICKS)
    def hear(self, pick):
        """Some answer reaches its client, however old it is."""
        client, place = self.picked(self.answers, pick)
        self.tell(client, self.answers[client].pop(place))

    @rule(client=CLIENTS, answers=st.integers(1, 2))
    def exchange(self, client, answers):
        """All goes well for once, but for an answer too many."""
        if not self.online[client]:
            self.connect(client)
        n_copies = len(self.copies[client])
        self.send(client)
        if len(self.copies[client]) > n_copies:
            self.arrive_last(client, answers)
            self.hear_last(client)

    @invariant()
    def nothing_is_lost_or_doubled_on_the_way(self):
        """What waits is what was enqueued and is not settled; what is settled was applied once."""
        for client, enqueued in self.enqueued.items():
            n_settled = len(self.settled[client])
            assert self.storage.pending(client) == enqueued[n_settled:]
            settled = {operation.key for operation in enqueued[:n_settled]}
            assert settled == self.settled[client]
            seen = [each.key for each in self.applied[client] + self.rejected[client]]
            assert settled <= set(seen)
            assert len(seen) == len(set(seen))

    def teardown(self):
        """Once all is well, every operation has been applied once and in order, or set aside."""
        if not hasattr(self, "outbox"):
            return
        for client, outbox in self.outbox.items():
            self.connect(client)
            for _ in range(outbox.n_pending):
                self.exchange(client, answers=1)
            while self.copies[client]:
                self.arrive_last(client, answers=0)
            self.check_end(client, outbox)
        self.close_storage()

    def check_end(self, client, outbox):
        """Nothing waits, and each operation has met its fate."""
        enqueued = self.enqueued[client]
        valid = [each for each in enqueued if not each.body.startswith(INVALID_MARK)]
        invalid = [each for each in enqueued if each.body.startswith(INVALID_MARK)]
        assert [each.sequence for each in enqueued] == list(range(len(enqueued)))
        assert self.applied[client] == valid
        assert self.rejected[client] == invalid
        order = order_of(each.key for each in valid)
        assert self.ledger.tally(client) == (len(valid), order)
        aside = self.storage.list_set_aside(client)
        assert aside == [(each, "the operation is invalid") for each in invalid]
        assert counts(outbox) == (len(enqueued), len(valid), len(invalid), 0)
        assert outbox.deadline == math.inf

    def arrive_last(self, client, answers):
        """The latest copy reaches the server."""
        self.serve(client, self.copies[client].pop(), answers)

    def serve(self, client, operation, answers):
        """The server applies an operation, and answers so many times."""
        answer = self.ledger.apply(client, operation.key, operation.body)
        if not answer.is_duplicate:
            fate = self.rejected if answer.result.reason else self.applied
            fate[client].append(operation)
        self.answers[client] += [answer] * answers

    def hear_last(self, client):
        """The latest answer reaches the client."""
        self.tell(client, self.answers[client].pop())

    def tell(self, client, answer):
        """An answer reaches its client, which finds it new or does not."""
        outbox = self.outbox[client]
        reason = answer.result.reason
        is_news = (
            outbox.acknowledged(answer.key)
            if reason is None
            else outbox.rejected(answer.key, reason)
        )
        assert not (is_news and answer.key in self.settled[client])
        if is_news:
            self.settled[client].add(answer.key)
            self.outstanding[client] = None

    def picked(self, queues, pick):
        """One entry of all queues: whose, and where in the queue."""
        entries = [
            (client, place) for client in sorted(queues) for place in range(len(queues[client]))
        ]
        return entries[pick % len(entries)]


class HerdInMemory(UnreliableHerd):
    """The storage outlives the outboxes."""

    memory = None

    def open_storage(self):
        """The same object."""
        self.memory = self.memory or MemoryStorage()
        return self.memory


class HerdOnDisk(UnreliableHerd):
    """The file outlives the outboxes."""

    directory = None

    def open_storage(self):
        """The same file."""
        self.directory = self.directory or tempfile.TemporaryDirectory()
        self.file = SqliteStorage(Path(self.directory.name) / "outbox.db", survives="process_kill")
        return self.file

    def close_storage(self):
        """Let go of the file."""
        if self.directory is not None:
            self.file.close()

    def teardown(self):
        """The file has no use any more."""
        try:
            super().teardown()
        finally:
            if self.directory is not None:
                self.file.close()
                self.directory.cleanup()


class TestHerdInMemory(HerdInMemory.TestCase):
    """Operations in memory survive everything but the process."""

    settings = settings(max_examples=100, stateful_step_count=60)


class TestHerdOnDisk(HerdOnDisk.TestCase):
    """Operations on disk survive everything."""

    settings = settings(max_examples=30, stateful_step_count=60)
