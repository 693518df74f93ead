"""Where outboxes keep their operations: in memory for large herds, or in an SQLite file.

Both serve many clients, and both are synchronous: see `simulator.core.outbox.Storage`.
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from server_stub.database import Closing, Database, Survives
from simulator.core.outbox import Operation, Storage, Stored
from simulator.errors import InputError

_HEADER = struct.Struct("<dI")
"""When an operation was enqueued, and how many bytes its key has."""


class SetAside(NamedTuple):
    """An operation that the server rejected for good."""

    operation: Operation
    reason: str


@contextmanager
def opened_storage(kind: str, path: Path) -> Iterator[Storage]:
    """The storage that a scenario names, for as long as a fleet lives.

    Args:
        kind: "memory" or "sqlite".
        path: Of the file, where there is one. It outlives a killed process, which is all that a
            simulation asks of it: waiting for the disk would stop the clock for every client.
    """
    if kind == "memory":
        yield MemoryStorage()
        return
    with SqliteStorage(path, survives="process_kill") as storage:
        yield storage


class MemoryStorage:
    """Operations in memory: they survive the client they belong to, but not the process.

    A pending operation is one packed `bytes` object, about half the size of an `Operation`, and a
    client without operations costs nothing.
    """

    def __init__(self) -> None:
        self._next_sequence: dict[int, int] = {}
        self._pending: dict[int, list[bytes]] = {}
        """The operations before the next sequence number, without a gap; never an empty list."""
        self._set_aside: dict[int, list[SetAside]] = {}

    def stored(self, client: int) -> Stored:
        """Count what is there."""
        return Stored(
            next_sequence=self._next_sequence.get(client, 0),
            n_pending=len(self._pending.get(client, ())),
            n_set_aside=len(self._set_aside.get(client, ())),
        )

    def head(self, client: int) -> Operation | None:
        """The first pending operation."""
        pending = self._pending.get(client)
        return _unpacked(self._first_sequence(client), pending[0]) if pending else None

    def append(self, client: int, operation: Operation) -> None:
        """Add an operation that has the client's next sequence number, which moves on."""
        if operation.sequence != self._next_sequence.get(client, 0):
            raise ValueError(f"client {client}: operation {operation.sequence} out of sequence")
        packed = _packed(operation)
        self._pending.setdefault(client, []).append(packed)
        self._next_sequence[client] = operation.sequence + 1

    def remove(self, client: int, sequence: int) -> None:
        """Drop the head, which has this sequence number."""
        self._pop(client, sequence)

    def set_aside(self, client: int, sequence: int, reason: str) -> None:
        """Take the head, which has this sequence number, out of the way and keep it."""
        operation = _unpacked(sequence, self._pop(client, sequence))
        self._set_aside.setdefault(client, []).append(SetAside(operation, reason))

    def pending(self, client: int) -> list[Operation]:
        """What waits, in order."""
        first = self._first_sequence(client)
        return [
            _unpacked(first + place, packed)
            for place, packed in enumerate(self._pending.get(client, ()))
        ]

    def list_set_aside(self, client: int) -> list[SetAside]:
        """What was rejected for good, in order, and why."""
        return list(self._set_aside.get(client, ()))

    def _first_sequence(self, client: int) -> int:
        return self._next_sequence.get(client, 0) - len(self._pending.get(client, ()))

    def _pop(self, client: int, sequence: int) -> bytes:
        if client not in self._pending or sequence != self._first_sequence(client):
            raise ValueError(f"client {client}: operation {sequence} is not the head")
        pending = self._pending[client]
        packed = pending.pop(0)
        if not pending:
            del self._pending[client]
        return packed


def _packed(operation: Operation) -> bytes:
    key = operation.key.encode()
    return _HEADER.pack(operation.enqueued_at, len(key)) + key + operation.body.encode()


def _unpacked(sequence: int, packed: bytes) -> Operation:
    enqueued_at, key_size = _HEADER.unpack_from(packed)
    body_at = _HEADER.size + key_size
    key = packed[_HEADER.size : body_at].decode()
    return Operation(sequence, key, packed[body_at:].decode(), enqueued_at)


class SqliteStorage(Closing):
    """Operations in an SQLite file, which one process at a time may have open."""

    _SCHEMA = (
        "CREATE TABLE clients (client INTEGER PRIMARY KEY, next_sequence INTEGER NOT NULL)",
        "CREATE TABLE pending (client INTEGER NOT NULL, sequence INTEGER NOT NULL,"
        " key TEXT NOT NULL, body TEXT NOT NULL, enqueued_at REAL NOT NULL,"
        " PRIMARY KEY (client, sequence)) WITHOUT ROWID",
        "CREATE TABLE set_aside (client INTEGER NOT NULL, sequence INTEGER NOT NULL,"
        " key TEXT NOT NULL, body TEXT NOT NULL, enqueued_at REAL NOT NULL, reason TEXT NOT NULL,"
        " PRIMARY KEY (client, sequence)) WITHOUT ROWID",
        # Whatever happens above, a sequence number, and with it a key, is never given twice.
        "CREATE TRIGGER in_sequence BEFORE INSERT ON pending WHEN NEW.sequence <>"
        " coalesce((SELECT next_sequence FROM clients WHERE client = NEW.client), 0)"
        " BEGIN SELECT RAISE(ABORT, 'operation out of sequence'); END",
    )

    def __init__(self, path: Path, *, survives: Survives = "power_cut") -> None:
        """Open the file, or make it.

        Args:
            path: The file.
            survives: What an operation survives once `append` has returned. A process killed at
                any instant loses nothing either way. After a power cut "process_kill" may miss
                the latest operations although they were sent; their keys would be given again,
                and the ledger would take the new operations for copies. Hence the default, which
                waits for the disk at each change.

        Raises:
            InputError: The file is not an outbox that this program can use. Later calls raise it
                as well when the file fails them (disk full, damage).
        """
        self._database = Database(
            path,
            what="an outbox",
            application_id=0x6865726F,  # "hero"
            version=1,
            schema=self._SCHEMA,
            survives=survives,
            error=InputError,
        )

    def stored(self, client: int) -> Stored:
        """Count what is there."""
        rows = self._database.rows(
            "SELECT coalesce((SELECT next_sequence FROM clients WHERE client = ?), 0),"
            " (SELECT count(*) FROM pending WHERE client = ?),"
            " (SELECT count(*) FROM set_aside WHERE client = ?)",
            *(client,) * 3,
        )
        return Stored(*rows[0])  # type: ignore[arg-type] # as the schema says

    def head(self, client: int) -> Operation | None:
        """The first pending operation."""
        return next(iter(self._pending(client, at_most=1)), None)

    def append(self, client: int, operation: Operation) -> None:
        """Add an operation that has the client's next sequence number, which moves on."""
        self._database.change(
            ("INSERT INTO pending VALUES (?, ?, ?, ?, ?)", (client, *operation)),
            (
                "INSERT INTO clients VALUES (?, ?)"
                " ON CONFLICT DO UPDATE SET next_sequence = excluded.next_sequence",
                (client, operation.sequence + 1),
            ),
        )

    def remove(self, client: int, sequence: int) -> None:
        """Drop the head, which has this sequence number."""
        self._database.change((self._DELETE, (client, sequence)))

    def set_aside(self, client: int, sequence: int, reason: str) -> None:
        """Take the head, which has this sequence number, out of the way and keep it."""
        self._database.change(
            (
                "INSERT INTO set_aside SELECT *, ? FROM pending WHERE client = ? AND sequence = ?",
                (reason, client, sequence),
            ),
            (self._DELETE, (client, sequence)),
        )

    def pending(self, client: int) -> list[Operation]:
        """What waits, in order."""
        return self._pending(client, at_most=-1)

    def list_set_aside(self, client: int) -> list[SetAside]:
        """What was rejected for good, in order, and why."""
        rows = self._database.rows(
            "SELECT sequence, key, body, enqueued_at, reason FROM set_aside"
            " WHERE client = ? ORDER BY sequence",
            client,
        )
        return [SetAside(Operation(*row[:4]), row[4]) for row in rows]  # type: ignore[arg-type]

    def close(self) -> None:
        """Close the file; more than once does no harm."""
        self._database.close()

    _DELETE = "DELETE FROM pending WHERE client = ? AND sequence = ?"

    def _pending(self, client: int, *, at_most: int) -> list[Operation]:
        rows = self._database.rows(
            "SELECT sequence, key, body, enqueued_at FROM pending"
            " WHERE client = ? ORDER BY sequence LIMIT ?",
            client,
            at_most,
        )
        return [Operation(*row) for row in rows]  # type: ignore[arg-type] # as the schema says
