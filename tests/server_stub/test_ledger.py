"""A ledger applies each operation once, remembers what it answered, and forgets in good order."""

import math
import sqlite3
import sys
import tracemalloc
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_stub.database import DatabaseError
from server_stub.ledger import (
    INVALID_MARK,
    KEY_LIMIT,
    Answer,
    Ledger,
    MemoryRecords,
    Result,
    Tally,
    larger_than,
    marked_invalid,
    order_of,
)
from server_stub.sqlite_records import SqliteRecords


class RecordsOfOneKind:
    """Opens records, again and again: in memory the same object, on disk the same file."""

    def __init__(self, kind, path):
        self.kind = kind
        self.path = path
        self.opened = []

    def open(self, **settings):
        """The records as a server finds them that has just started."""
        if self.kind == "memory":
            self.opened = self.opened or [MemoryRecords(**settings)]
        else:
            self.close()
            self.opened.append(SqliteRecords(self.path, survives=self.kind, **settings))
        return self.opened[-1]

    def close(self):
        """Let go of the file."""
        if self.kind != "memory":
            for records in self.opened:
                records.close()


@pytest.fixture(params=["memory", "power_cut", "process_kill"])
def records(request, tmp_path):
    """Empty records of each kind."""
    kind = RecordsOfOneKind(request.param, tmp_path / "ledger.db")
    yield kind
    kind.close()


# Once


def test_an_operation_is_applied_and_answered_with_its_place(records):
    """Places count from 1, for each client."""
    ledger = Ledger(records.open())
    answers = [ledger.apply(client, f"k{turn}", "") for turn in range(2) for client in (1, 2)]
    assert [answer.result.position for answer in answers] == [1, 1, 2, 2]
    assert answers[0] == Answer("k0", Result(1, None), is_duplicate=False)
    assert (ledger.n_applied, ledger.n_duplicates, ledger.n_rejected) == (4, 0, 0)


def test_a_copy_is_answered_with_the_first_result(records):
    """Also when its body is another one, and newer operations have been applied."""
    ledger = Ledger(records.open())
    first = ledger.apply(1, "a", "body")
    ledger.apply(1, "b", "body")
    assert ledger.apply(1, "a", "another body") == first._replace(is_duplicate=True)
    assert (ledger.n_applied, ledger.n_duplicates) == (2, 1)
    assert ledger.tally(1).n_applied == 2


def test_keys_belong_to_their_client(records):
    """A number and the same digits are two clients."""
    ledger = Ledger(records.open())
    answers = [ledger.apply(client, "k", "") for client in (7, "7", "10.0.0.7")]
    assert not any(answer.is_duplicate for answer in answers)
    assert [ledger.tally(client).n_applied for client in (7, "7", "10.0.0.7", 8)] == [1, 1, 1, 0]


def test_an_operation_is_recorded_before_it_is_answered(records):
    """If recording fails there is no answer, and the operation was not applied."""
    kind = records.open()

    class Failing:
        find, tally = kind.find, kind.tally

        def add(self, *arguments):
            raise OSError("disk on fire")

    ledger = Ledger(Failing())
    with pytest.raises(OSError, match="on fire"):
        ledger.apply(1, "a", "")
    assert ledger.n_applied == 0
    assert Ledger(kind).apply(1, "a", "") == Answer("a", Result(1, None), is_duplicate=False)


# Rejected for good


def test_a_rule_rejects_with_its_reason(records):
    """The first rule that objects gives it; nothing is applied."""
    ledger = Ledger(records.open(), rules=(larger_than(10), marked_invalid))
    assert ledger.apply(1, "a", "0123456789").result == Result(1, None)
    too_large = ledger.apply(1, "b", INVALID_MARK + "0123456789")
    assert too_large.result == Result(0, "the body has 18 bytes; 10 are allowed")
    assert ledger.apply(1, "c", INVALID_MARK).result.reason == "the operation is invalid"
    assert ledger.tally(1) == (1, order_of(["a"]))
    assert (ledger.n_applied, ledger.n_rejected) == (1, 2)


def test_a_size_is_counted_in_bytes():
    """Not in characters."""
    assert larger_than(2)("é") is None
    assert larger_than(1)("é") == "the body has 2 bytes; 1 are allowed"


def test_a_verdict_outlasts_its_rule(records):
    """Copies are answered with the first result, whatever the rules have become."""
    strict = Ledger(records.open(), rules=[marked_invalid])
    first = strict.apply(1, "a", INVALID_MARK), strict.apply(1, "b", "")
    lenient = Ledger(records.open(), rules=[larger_than(-1)])
    copies = lenient.apply(1, "a", INVALID_MARK), lenient.apply(1, "b", "")
    assert copies == tuple(answer._replace(is_duplicate=True) for answer in first)


@pytest.mark.parametrize("key", ["", "k" * (KEY_LIMIT + 1), "\ud800"])
def test_a_key_that_cannot_be_recorded_is_rejected(records, key):
    """Each time anew, and without a trace."""
    ledger = Ledger(records.open())
    for _ in range(2):
        answer = ledger.apply(1, key, "")
        assert answer.result.position == 0
        assert answer.result.reason.startswith("a key ")
        assert not answer.is_duplicate
    assert ledger.tally(1).n_applied == 0
    assert ledger.apply(1, "k" * KEY_LIMIT, "").result.position == 1


# Bounded


def test_the_oldest_keys_of_a_client_are_forgotten(records):
    """A copy that comes later than that is taken for a new operation."""
    ledger = Ledger(records.open(remembered=3))
    for key in "abcd":
        ledger.apply(1, key, "")
    ledger.apply(2, "z", "")
    assert [ledger.apply(1, key, "").is_duplicate for key in "dcb"] == [True] * 3
    assert ledger.apply(2, "z", "").is_duplicate
    assert ledger.apply(1, "a", "") == Answer("a", Result(5, None), is_duplicate=False)
    assert ledger.tally(1) == (5, order_of("abcda"))


def test_rejected_keys_count_towards_the_bound(records):
    """Or else a client could fill the records with them."""
    ledger = Ledger(records.open(remembered=2), rules=[marked_invalid])
    for key in "abc":
        ledger.apply(1, key, INVALID_MARK)
    assert not ledger.apply(1, "a", INVALID_MARK).is_duplicate


def test_memory_is_bounded_per_client():
    """Ten times the operations take no more room."""
    ledger = Ledger(MemoryRecords())
    sizes = []
    tracemalloc.start()
    try:
        for turns in (range(500), range(500, 5000)):
            for turn in turns:
                ledger.apply(1, f"key-{turn:09}", "body")
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert sizes[1] <= sizes[0] + 1000
    assert sizes[1] < 20_000


# Order


@given(st.permutations("abcde"), st.permutations("abcde"))
def test_the_digest_tells_the_order(expected, applied):
    """It agrees with the expected order if and only if that is the order of application."""
    ledger = Ledger()
    for key in applied:
        ledger.apply(1, key, "")
    assert (ledger.tally(1).order == order_of(expected)) == (applied == expected)


def test_the_digest_does_not_run_keys_together():
    """And it is the same in every process."""
    assert len({order_of(keys) for keys in (["ab", "c"], ["a", "bc"], ["abc"], [])}) == 4
    assert order_of(["ab", "c"]).hex() == "bf9da0c50ea7410e"
    assert sys.getsizeof(order_of(["a"])) < 50


def test_copies_do_not_count_in_the_order(records):
    """Only what is applied does."""
    ledger = Ledger(records.open())
    for key in "aababbc":
        ledger.apply(1, key, "")
    assert ledger.tally(1) == Tally(3, order_of("abc"))


# Restarts


def test_records_outlive_the_server(records):
    """Keys and tallies, wherever they are kept."""
    before = Ledger(records.open()).apply(1, "a", "")
    ledger = Ledger(records.open())
    assert ledger.apply(1, "a", "") == before._replace(is_duplicate=True)
    assert ledger.apply(1, "b", "").result.position == 2
    assert ledger.tally(1).order == order_of("ab")


@pytest.mark.parametrize("survives", [True, False])
def test_keys_survive_a_restart_if_so_set(records, survives):
    """If not, a copy is applied again, and the tally tells."""
    ledger = Ledger(records.open(), survives_restart=survives)
    ledger.apply(1, "a", "")
    ledger.restarted()
    assert ledger.apply(1, "a", "").is_duplicate == survives
    assert ledger.tally(1) == ((1, order_of("a")) if survives else (2, order_of("aa")))
    assert ledger.n_applied == ledger.tally(1).n_applied


def test_the_bound_of_a_file_may_change(tmp_path):
    """A smaller one takes hold with the next operation of a client."""
    path = tmp_path / "ledger.db"
    with SqliteRecords(path, remembered=4) as records:
        for key in "abcd":
            Ledger(records).apply(1, key, "")
    with SqliteRecords(path, remembered=2) as records:
        ledger = Ledger(records)
        ledger.apply(1, "e", "")
        assert [ledger.apply(1, key, "").is_duplicate for key in "edc"] == [True, True, False]


# The two kinds of records


@given(
    st.lists(st.tuples(st.integers(0, 1), st.sampled_from("abcdef"), st.booleans()), max_size=30),
    st.integers(1, 4),
)
def test_memory_and_disk_answer_alike(tmp_path_factory, operations, remembered):
    """For any sequence of operations and copies."""
    path = tmp_path_factory.mktemp("ledger") / "ledger.db"
    with SqliteRecords(path, remembered=remembered, survives="process_kill") as disk:
        kinds = disk, MemoryRecords(remembered=remembered)
        ledgers = [Ledger(kind, rules=[marked_invalid]) for kind in kinds]
        for client, key, is_invalid in operations:
            one, other = (
                ledger.apply(client, key, INVALID_MARK * is_invalid) for ledger in ledgers
            )
            assert one == other
        for client in (0, 1):
            assert ledgers[0].tally(client) == ledgers[1].tally(client)
        assert ledgers[0].n_duplicates == ledgers[1].n_duplicates


def test_a_file_that_is_not_a_ledger_is_refused(tmp_path):
    """The stub stands alone: the error is its own, in one line that names the file."""
    path = tmp_path / "ledger.db"
    path.write_bytes(b"nothing of the kind" * 100)
    with pytest.raises(DatabaseError, match=r"ledger\.db: file is not a database$"):
        SqliteRecords(path)


def test_each_result_is_on_disk_when_it_is_answered(tmp_path):
    """A copy of the files taken then holds it."""
    path = tmp_path / "ledger.db"
    with SqliteRecords(path) as records:
        for turn in range(3):
            Ledger(records).apply(1, f"k{turn}", "")
            copy = tmp_path / f"copy{turn}.db"
            for suffix in ("", "-wal"):
                (tmp_path / f"copy{turn}.db{suffix}").write_bytes(
                    (tmp_path / f"ledger.db{suffix}").read_bytes()
                )
            with SqliteRecords(copy) as copied:
                assert copied.find(1, f"k{turn}") == Result(turn + 1, None)


class FailingConnection(sqlite3.Connection):
    """Fails at the statement that it is told; counts them down."""

    fails_after = math.inf

    def execute(self, *arguments):
        """Execute a statement, or fail."""
        if self.fails_after == 0:
            raise sqlite3.OperationalError("disk I/O error")
        self.fails_after -= 1
        return super().execute(*arguments)


def test_a_result_is_recorded_whole_or_not_at_all(tmp_path, monkeypatch):
    """Whichever statement fails there is no answer, and the operation can come again."""
    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=FailingConnection))
    with SqliteRecords(tmp_path / "ledger.db", remembered=1) as records:
        ledger = Ledger(records)
        first = ledger.apply(1, "a", "")
        connection = records._database._connection
        for statement in range(6):  # Two queries, the transaction's begin, three changes.
            connection.fails_after = statement
            with pytest.raises(DatabaseError, match=r"ledger\.db: disk I/O error"):
                ledger.apply(1, "b", "")
            connection.fails_after = math.inf
            assert ledger.apply(1, "a", "") == first._replace(is_duplicate=True)
            assert ledger.tally(1) == (1, order_of("a"))
        connection.fails_after = 6
        assert ledger.apply(1, "b", "").result == Result(2, None)
