"""Operations reach the ledger once and in order, whatever the link and the processes do."""

import math
import tempfile
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from server_stub.ledger import INVALID_MARK, Ledger, MemoryRecords, marked_invalid, order_of
from simulator.core.outbox import ANSWER_TIMEOUT, Outbox
from simulator.storage import MemoryStorage, SqliteStorage

from .mortal import KEY_OF, KilledError, Mortal, counts

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
