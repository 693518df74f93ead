"""Operations survive in memory and on disk alike, and a file that is not ours is left alone."""

import math
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import tracemalloc
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_stub.sqlite_records import SqliteRecords
from simulator.core.outbox import Operation, Outbox, Stored, keys_within
from simulator.errors import InputError
from simulator.storage import MemoryStorage, SetAside, SqliteStorage

SURVIVES = ("power_cut", "process_kill")
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)


@pytest.fixture
def path(tmp_path):
    """Where the file goes."""
    return tmp_path / "outbox.db"


@pytest.fixture(params=["memory", *SURVIVES])
def storage(request, path):
    """One of each kind, empty."""
    if request.param == "memory":
        yield MemoryStorage()
    else:
        with SqliteStorage(path, survives=request.param) as opened:
            yield opened


def operation(sequence, body="body"):
    """An operation whose fields all differ from the defaults."""
    return Operation(sequence, f"key-{sequence}", body, sequence + 0.5)


def written(path, *, bodies=("a", "b", "c")):
    """A file with operations of client 7, closed."""
    with SqliteStorage(path, survives="process_kill") as storage:
        for sequence, body in enumerate(bodies):
            storage.append(7, operation(sequence, body))
    return path


# Both kinds


def test_a_client_without_operations_has_nothing(storage):
    """Its first sequence number is 0."""
    assert storage.stored(7) == Stored(next_sequence=0, n_pending=0, n_set_aside=0)
    assert storage.head(7) is None
    assert storage.pending(7) == storage.list_set_aside(7) == []


def test_operations_wait_in_order(storage):
    """Each as it was appended, the first at the head."""
    operations = [operation(sequence) for sequence in range(12)]
    for each in operations:
        storage.append(7, each)
    assert storage.head(7) == operations[0]
    assert storage.pending(7) == operations
    assert storage.stored(7) == Stored(next_sequence=12, n_pending=12, n_set_aside=0)


def test_a_removed_operation_is_gone_and_its_number_with_it(storage):
    """The sequence goes on when nothing waits any more."""
    storage.append(7, operation(0))
    storage.remove(7, 0)
    assert storage.head(7) is None
    assert storage.stored(7) == Stored(next_sequence=1, n_pending=0, n_set_aside=0)
    storage.append(7, operation(1))
    assert storage.pending(7) == [operation(1)]


def test_an_operation_set_aside_is_kept_with_its_reason(storage):
    """It no longer waits."""
    for sequence in range(2):
        storage.append(7, operation(sequence))
    storage.set_aside(7, 0, "no such room")
    assert storage.pending(7) == [operation(1)]
    assert storage.list_set_aside(7) == [SetAside(operation(0), "no such room")]
    assert storage.stored(7) == Stored(next_sequence=2, n_pending=1, n_set_aside=1)


def test_clients_do_not_meet(storage):
    """Each has its own sequence."""
    storage.append(1, operation(0, "one"))
    storage.append(2, operation(0, "two"))
    storage.append(2, operation(1, "two again"))
    storage.remove(1, 0)
    storage.set_aside(2, 0, "no")
    assert storage.stored(1) == Stored(next_sequence=1, n_pending=0, n_set_aside=0)
    assert storage.pending(2) == [operation(1, "two again")]
    assert storage.list_set_aside(1) == []


@pytest.mark.parametrize("sequence", [0, 2])
def test_a_sequence_number_is_neither_repeated_nor_skipped(storage, sequence):
    """Two outboxes of one client would do that, and their keys would be the same."""
    storage.append(7, operation(0))
    storage.remove(7, 0)
    with pytest.raises((ValueError, sqlite3.IntegrityError), match="out of sequence"):
        storage.append(7, operation(sequence))
    assert storage.stored(7) == Stored(next_sequence=1, n_pending=0, n_set_aside=0)


def test_what_cannot_be_written_changes_nothing(storage):
    """A lone surrogate has no encoding; the next operation is not the worse for it."""
    with pytest.raises(UnicodeEncodeError):
        storage.append(7, operation(0, "\ud800"))
    assert storage.stored(7) == Stored(next_sequence=0, n_pending=0, n_set_aside=0)
    storage.append(7, operation(0))
    assert storage.head(7) == operation(0)


@given(st.lists(st.tuples(TEXTS, TEXTS, st.floats(allow_nan=False)), max_size=5))
def test_whatever_text_an_operation_holds_comes_back(rows):
    """From memory and from a reopened file."""
    operations = [Operation(sequence, *row) for sequence, row in enumerate(rows)]
    memory = MemoryStorage()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "outbox.db"
        with SqliteStorage(path, survives="process_kill") as disk:
            for each in operations:
                memory.append(7, each)
                disk.append(7, each)
        with SqliteStorage(path, survives="process_kill") as reopened:
            assert reopened.pending(7) == memory.pending(7) == operations


# In memory


def test_only_the_head_can_be_taken_from_memory():
    """That operations leave in order is what keeps them small."""
    storage = MemoryStorage()
    for sequence in range(2):
        storage.append(7, operation(sequence))
    with pytest.raises(ValueError, match="not the head"):
        storage.remove(7, 1)
    with pytest.raises(ValueError, match="not the head"):
        storage.remove(8, 0)


def test_a_large_herd_fits_in_memory():
    """A waiting operation costs its text and less than a hundred bytes, an idle client no more."""
    body, key_of = "x" * 50, keys_within("42")
    tracemalloc.start()
    try:
        storage = MemoryStorage()
        outboxes = [Outbox(client, storage, key_of) for client in range(1000)]
        idle = tracemalloc.get_traced_memory()[0]
        for outbox in outboxes:
            for _ in range(20):
                outbox.enqueue(body, 1.0)
        full = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert idle / 1000 < 250
    assert (full - idle) / 20_000 < len(body) + 100


# On disk


@pytest.mark.parametrize("survives", SURVIVES)
def test_a_reopened_file_holds_what_was_written(path, survives):
    """What waits, what was set aside, and where the sequence stands."""
    with SqliteStorage(path, survives=survives) as storage:
        for sequence in range(4):
            storage.append(7, operation(sequence))
        storage.remove(7, 0)
        storage.set_aside(7, 1, "no")
    with SqliteStorage(path, survives=survives) as reopened:
        assert reopened.pending(7) == [operation(2), operation(3)]
        assert reopened.list_set_aside(7) == [SetAside(operation(1), "no")]
        assert reopened.stored(7) == Stored(next_sequence=4, n_pending=2, n_set_aside=1)


class FailingConnection(sqlite3.Connection):
    """Fails at the statement that it is told; counts them down."""

    fails_after = math.inf

    def execute(self, *arguments):
        """Execute a statement, or fail."""
        if self.fails_after == 0:
            raise sqlite3.OperationalError("disk I/O error")
        self.fails_after -= 1
        return super().execute(*arguments)


@pytest.mark.parametrize(
    ("change", "arguments", "n_statements"),
    [
        ("append", (operation(2),), 3),
        ("remove", (0,), 2),
        ("set_aside", (0, "no"), 3),
    ],
)
def test_a_change_is_made_whole_or_not_at_all(path, monkeypatch, change, arguments, n_statements):
    """Whichever of its statements fails, all is as before, and it can be tried again."""
    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=FailingConnection))
    with SqliteStorage(written(path, bodies="ab")) as storage:

        def contents():
            return storage.stored(7), storage.pending(7), storage.list_set_aside(7)

        before = contents()
        connection = storage._database._connection
        for statement in range(n_statements):
            connection.fails_after = statement
            with pytest.raises(InputError, match=r"outbox\.db: disk I/O error"):
                getattr(storage, change)(7, *arguments)
            connection.fails_after = math.inf
            assert contents() == before
        connection.fails_after = n_statements
        getattr(storage, change)(7, *arguments)
        connection.fails_after = math.inf
        assert contents() != before


def test_a_closed_file_leaves_nothing_beside_it(path):
    """The log is folded in, and closing again does no harm."""
    written(path)
    assert [each.name for each in path.parent.iterdir()] == ["outbox.db"]
    storage = SqliteStorage(path)
    storage.close()
    storage.close()


def test_a_copy_taken_at_any_moment_can_be_opened(path, tmp_path):
    """As a kill leaves it: with the log, but nobody to fold it in."""
    (tmp_path / "copy").mkdir()
    with SqliteStorage(path, survives="process_kill") as storage:
        storage.append(7, operation(0))
        for file in path.parent.glob("outbox.db*"):
            shutil.copy(file, tmp_path / "copy")
    with SqliteStorage(tmp_path / "copy" / "outbox.db") as reopened:
        assert reopened.pending(7) == [operation(0)]


def test_an_empty_file_becomes_an_outbox(path):
    """A kill right after its creation leaves one."""
    path.touch()
    with SqliteStorage(written(path)) as storage:
        assert storage.head(7).body == "a"


def test_a_file_that_is_not_sqlite_is_refused_and_left_alone(path):
    """In one line that names it."""
    path.write_text("shopping list: " + "milk " * 200)
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"outbox\.db: file is not a database$"):
        SqliteStorage(path)
    assert path.read_bytes() == before


def test_a_database_of_others_is_refused_and_left_alone(path):
    """Whatever its tables are called."""
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE pending (client)")
    before = path.read_bytes()
    with pytest.raises(InputError, match="is not an outbox of herd"):
        SqliteStorage(path)
    assert path.read_bytes() == before


def test_a_ledger_is_not_an_outbox(path):
    """The two kinds of file tell themselves apart."""
    SqliteRecords(path).close()
    with pytest.raises(InputError, match="is not an outbox of herd"):
        SqliteStorage(path)


@pytest.mark.parametrize("version", [0, 2])
def test_a_file_of_another_version_is_refused(path, version):
    """The line says which version it has and which one is read."""
    with closing(sqlite3.connect(written(path))) as other:
        other.execute(f"PRAGMA user_version = {version}")
    with pytest.raises(InputError, match=f"an outbox of version {version}; this herd reads 1"):
        SqliteStorage(path)


def test_a_damaged_file_is_refused(path):
    """Whether the damage is found by the check, or earlier."""
    content = bytearray(written(path, bodies=["x" * 1000] * 50).read_bytes())
    for start in range(4096, len(content), 4096):
        content[start : start + 64] = b"\xa5" * 64
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"outbox\.db: .*(damaged|malformed)"):
        SqliteStorage(path)


def test_a_file_cut_short_is_refused(path):
    """A page or more is missing."""
    path.write_bytes(written(path, bodies=["x" * 1000] * 50).read_bytes()[:8192])
    with pytest.raises(InputError, match=r"outbox\.db: .*(damaged|malformed)"):
        SqliteStorage(path)


def test_a_file_that_cannot_be_made_is_refused(tmp_path):
    """Its directory is missing, or it is one."""
    for path in (tmp_path / "missing" / "outbox.db", tmp_path):
        with pytest.raises(InputError, match="unable to open database file"):
            SqliteStorage(path)


def test_a_file_in_use_is_refused(path):
    """Two processes that flush one outbox would send everything twice."""
    program = (
        "import sys; from pathlib import Path; from simulator.storage import SqliteStorage\n"
        "with SqliteStorage(Path(sys.argv[1])): print('open', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-W", "error", "-c", program, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(InputError, match="in use by another process"):
            SqliteStorage(path)
        other.communicate()
    assert other.returncode == 0
    SqliteStorage(path).close()


def test_a_full_disk_is_named_and_loses_nothing(path):
    """What was persisted before stays, and so it goes on once there is room."""
    with SqliteStorage(path, survives="process_kill") as storage:
        outbox = Outbox(7, storage, keys_within("42"))
        outbox.enqueue("a", 0.0)
        # The nearest thing to a full disk that SQLite offers.
        (pages,) = storage._database.rows("PRAGMA page_count")[0]
        storage._database.rows(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(InputError, match=r"outbox\.db: database or disk is full"):
            outbox.enqueue("x" * 100_000, 1.0)
        assert outbox.n_pending == 1
        storage._database.rows("PRAGMA max_page_count = 1000000")
        assert outbox.enqueue("b", 2.0).sequence == 1
    with SqliteStorage(path) as reopened:
        assert [each.body for each in reopened.pending(7)] == ["a", "b"]
