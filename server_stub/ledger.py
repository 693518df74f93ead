"""Operations applied once per idempotency key, and what a copy is answered.

Theory of operation
-------------------
An operation arrives with a key that its client gives it once. If the key is on record, the copy is
answered with the first result and nothing happens. Otherwise the operation is applied, or rejected
for good by a rule; the result is recorded, and only then answered: a server that dies in between
meets the operation again and finds it on record.

The records are bounded. Of each client only the latest `remembered` keys are kept; a copy that
arrives after so many newer operations of its client is taken for a new one and applied again. A
client that sends one operation at a time and waits for the answer, as herd's does, needs one key,
and some more where copies from an earlier connection can linger in a queue; a client that sends
many at once needs as many as it sends.

Beside the keys stands a tally per client: how many of its operations were applied, and a digest of
their keys in the order of application, which `order_of` computes for the order one expects. Tallies
tell what was done, which forgotten keys do not undo. They are never forgotten: a hundred bytes or
so per client ever seen.

The ledger itself is sans-IO; `SqliteRecords` is the only part that touches a file.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Annotated, Literal, NamedTuple, Protocol, Self

from pydantic import Field

from server_stub.settings import PositiveCount, Settings

Client = int | str
"""How a client is told apart: herd's own by number, others by what they say or whence they call."""
Rule = Callable[[str], str | None]
"""Looks at a body; returns why such an operation can never be applied, or None."""
Survives = Literal["power_cut", "process_kill"]

REMEMBERED = 64
"""Keys per client: an answer that is lost costs one, so this outlasts any lingering copy of a
client that sends one at a time, at ten kilobytes per client."""
KEY_LIMIT = 128
"""Characters of a key: room for three UUIDs; an unbounded key would unbound the records."""
INVALID_MARK = "invalid:"
"""How a body begins that `marked_invalid` rejects."""
_UNORDERED = bytes(8)
"""The digest of no operations."""


class LedgerConfig(Settings):
    """How long a server remembers which operations it has applied."""

    remembered: PositiveCount = REMEMBERED
    """Keys per client, the latest; an older copy is applied again."""
    survives_restart: Annotated[bool, Field(strict=True)] = True
    """Are the keys kept through an outage that ends in a restart (all but a freeze)?"""


class Result(NamedTuple):
    """What became of an operation."""

    position: int
    """Its place among the applied operations of its client, from 1; 0 if it was rejected."""
    reason: str | None
    """Why it was rejected for good; None if it was applied."""


class Answer(NamedTuple):
    """What the client is told."""

    key: str
    result: Result
    is_duplicate: bool
    """The key was on record: this is the first result."""


class Tally(NamedTuple):
    """What was done for one client, ever."""

    n_applied: int
    order: bytes
    """Digest of the keys in the order of application; see `order_of`."""


class Records(Protocol):
    """Where results live; each change is indivisible, and persisted when the method returns."""

    def find(self, client: Client, key: str) -> Result | None:
        """The result on record."""

    def tally(self, client: Client) -> Tally:
        """What was done for the client."""

    def add(self, client: Client, key: str, result: Result, tally: Tally) -> None:
        """Record a result together with the tally after it; the oldest key may be forgotten."""

    def forget(self) -> None:
        """Drop every key; the tallies stay."""


class Ledger:
    """Applies operations, each once."""

    def __init__(
        self,
        records: Records | None = None,
        *,
        rules: Iterable[Rule] = (),
        survives_restart: bool = True,
    ) -> None:
        """Open the ledger on its records.

        Args:
            records: Where results live; in memory by default.
            rules: The first that gives a reason rejects the operation.
            survives_restart: Whether the keys outlast `restarted`.
        """
        self._records: Records = MemoryRecords() if records is None else records
        self._rules = tuple(rules)
        self._survives_restart = survives_restart
        self.n_applied = 0
        """Operations applied by this object; so are the other counts. Tallies go back further."""
        self.n_duplicates = 0
        """Copies answered with the first result."""
        self.n_rejected = 0

    def apply(self, client: Client, key: str, body: str) -> Answer:
        """Apply an operation unless it has been, and record the result; then it may be answered."""
        if fault := _fault_of(key):  # What cannot be recorded is judged anew each time.
            self.n_rejected += 1
            return Answer(key, Result(0, fault), is_duplicate=False)
        first = self._records.find(client, key)
        if first is not None:
            self.n_duplicates += 1
            return Answer(key, first, is_duplicate=True)
        tally = self._records.tally(client)
        reason = next((reason for rule in self._rules if (reason := rule(body)) is not None), None)
        if reason is None:
            tally = Tally(tally.n_applied + 1, _followed_by(tally.order, key))
            result = Result(tally.n_applied, None)
        else:
            result = Result(0, reason)
        self._records.add(client, key, result, tally)
        self.n_applied += reason is None
        self.n_rejected += reason is not None
        return Answer(key, result, is_duplicate=False)

    def tally(self, client: Client) -> Tally:
        """What was done for a client, ever, in which order."""
        return self._records.tally(client)

    def restarted(self) -> None:
        """The server has restarted: unless they survive that, all keys are forgotten."""
        if not self._survives_restart:
            self._records.forget()


def order_of(keys: Iterable[str]) -> bytes:
    """The digest of a tally after operations with these keys were applied in this order."""
    order = _UNORDERED
    for key in keys:
        order = _followed_by(order, key)
    return order


def larger_than(limit: int) -> Rule:
    """A rule against bodies of more than `limit` bytes."""

    def rule(body: str) -> str | None:
        size = len(body.encode(errors="surrogatepass"))
        return f"the body has {size} bytes; {limit} are allowed" if size > limit else None

    return rule


def marked_invalid(body: str) -> str | None:
    """The rule against bodies that say of themselves that they are invalid."""
    return "the operation is invalid" if body.startswith(INVALID_MARK) else None


def _followed_by(order: bytes, key: str) -> bytes:
    return hashlib.blake2b(order + key.encode(), digest_size=len(_UNORDERED)).digest()


def _fault_of(key: str) -> str | None:
    if not 0 < len(key) <= KEY_LIMIT:
        return f"a key has 1 to {KEY_LIMIT} characters; this one has {len(key)}"
    try:
        key.encode()
    except UnicodeEncodeError:
        return "a key must be valid Unicode"
    return None


class MemoryRecords:
    """Results in memory: they survive the server they belong to, but not its process."""

    def __init__(self, *, remembered: int = REMEMBERED) -> None:
        """Begin without results.

        Args:
            remembered: Keys kept per client, the latest.
        """
        self._remembered = remembered
        self._results: dict[Client, dict[str, int | str]] = {}
        """Of each key the position, or the reason: half the size of a `Result`."""
        self._tallies: dict[Client, Tally] = {}

    def find(self, client: Client, key: str) -> Result | None:
        """The result on record."""
        match self._results.get(client, {}).get(key):
            case int(position):
                return Result(position, None)
            case str(reason):
                return Result(0, reason)
        return None

    def tally(self, client: Client) -> Tally:
        """What was done for the client."""
        return self._tallies.get(client, Tally(0, _UNORDERED))

    def add(self, client: Client, key: str, result: Result, tally: Tally) -> None:
        """Record a result together with the tally after it."""
        results = self._results.setdefault(client, {})
        results[key] = result.position if result.reason is None else result.reason
        if len(results) > self._remembered:
            del results[next(iter(results))]
        self._tallies[client] = tally

    def forget(self) -> None:
        """Drop every key; the tallies stay."""
        self._results.clear()


class DatabaseError(Exception):
    """A database file cannot be used; the message names it and is one clear line."""


class Database:
    """One SQLite file of ours: recognised, checked, locked; errors say what is wrong with it.

    Used by one process at a time, which holds the lock until it closes the file or dies. Written
    ahead (WAL), so that a process killed at any instant leaves each transaction done or not begun.
    """

    _PATIENCE = 0.2
    """Seconds to wait for a lock: enough for a dying process to let go of it."""

    def __init__(
        self,
        path: Path,
        *,
        what: str,
        application_id: int,
        version: int,
        schema: Iterable[str],
        survives: Survives,
        error: type[Exception] = DatabaseError,
    ) -> None:
        """Open the file, or make it if there is none or an empty one.

        Args:
            path: The file.
            what: What it is, for messages: "an outbox".
            application_id: Marks the files of this kind; stands in their header.
            version: Of the schema.
            schema: The statements that make the tables.
            survives: What a finished transaction survives. "power_cut" synchronises the disk each
                time (synchronous = FULL); "process_kill" trusts the operating system to write
                what it was given (NORMAL), and is many times as fast.
            error: What to raise.

        Raises:
            Exception: An `error`: the file is missing its directory, is not ours, is newer or
                older than this program, is damaged, or another process uses it.
        """
        self.path = path
        self._what = what
        self._error = error
        with self._errors_named():
            self._connection = sqlite3.connect(
                path, isolation_level=None, timeout=self._PATIENCE, cached_statements=32
            )
        try:
            with self._errors_named():
                self._prepare(application_id, version, schema, survives)
        except BaseException:
            self.close()
            raise

    def rows(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """All rows of a query."""
        with self._errors_named():
            return self._connection.execute(statement, values).fetchall()

    def change(self, *statements: tuple[str, tuple[object, ...]]) -> None:
        """Run (statement, values) pairs in one transaction: all of them, or none."""
        with self._errors_named():
            self._connection.execute("BEGIN IMMEDIATE")
            with self._connection:  # Commits, or rolls back when anything raises.
                for statement, values in statements:
                    self._connection.execute(statement, values)

    def close(self) -> None:
        """Close the file; more than once does no harm."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _prepare(
        self, application_id: int, version: int, schema: Iterable[str], survives: Survives
    ) -> None:
        # Until the file is known to be ours it is only read.
        execute = self._connection.execute
        execute("PRAGMA locking_mode = EXCLUSIVE")
        (found_id,) = execute("PRAGMA application_id").fetchone()
        (found_version,) = execute("PRAGMA user_version").fetchone()
        (n_tables,) = execute("SELECT count(*) FROM sqlite_master").fetchone()
        is_new = (found_id, found_version, n_tables) == (0, 0, 0)
        if not is_new:
            self._recognise(found_id == application_id, found_version, version)
        execute("PRAGMA journal_mode = WAL")
        execute(f"PRAGMA synchronous = {'FULL' if survives == 'power_cut' else 'NORMAL'}")
        if is_new:
            self.change(
                *((statement, ()) for statement in schema),
                (f"PRAGMA application_id = {application_id}", ()),
                (f"PRAGMA user_version = {version}", ()),
            )

    def _recognise(self, is_ours: bool, found_version: int, version: int) -> None:
        if not is_ours:
            raise self._error(f"{self.path}: is not {self._what} of herd")
        if found_version != version:
            raise self._error(
                f"{self.path}: {self._what} of version {found_version}; this herd reads {version}"
            )
        (verdict,) = self._connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise self._error(f"{self.path}: {self._what}, but damaged: {verdict.splitlines()[-1]}")

    @contextmanager
    def _errors_named(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
            raise  # Not the file's fault but the caller's.
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
                raise self._error(f"{self.path}: in use by another process") from error
            raise self._error(f"{self.path}: {error}") from error


class SqliteRecords:
    """Results in an SQLite file: they survive the server's process."""

    _SCHEMA = (
        # No type for the client: a number and its digits are two clients.
        "CREATE TABLE tallies (client PRIMARY KEY, n_applied INTEGER NOT NULL,"
        " key_order BLOB NOT NULL, n_recorded INTEGER NOT NULL) WITHOUT ROWID",
        "CREATE TABLE results (client, number INTEGER NOT NULL, key TEXT NOT NULL,"
        " position INTEGER NOT NULL, reason TEXT, PRIMARY KEY (client, number)) WITHOUT ROWID",
        "CREATE UNIQUE INDEX by_key ON results (client, key)",
    )

    def __init__(
        self, path: Path, *, remembered: int = REMEMBERED, survives: Survives = "power_cut"
    ) -> None:
        """Open the file, or make it.

        Args:
            path: The file.
            remembered: Keys kept per client, the latest.
            survives: What a recorded result survives; see `Database`.

        Raises:
            DatabaseError: The file is not a ledger that this program can use.
        """
        self._remembered = remembered
        self._database = Database(
            path,
            what="a ledger",
            application_id=0x6865726C,  # "herl"
            version=1,
            schema=self._SCHEMA,
            survives=survives,
        )

    def find(self, client: Client, key: str) -> Result | None:
        """The result on record."""
        rows = self._database.rows(
            "SELECT position, reason FROM results WHERE client = ? AND key = ?", client, key
        )
        return Result(*rows[0]) if rows else None  # type: ignore[arg-type] # as the schema says

    def tally(self, client: Client) -> Tally:
        """What was done for the client."""
        rows = self._database.rows(
            "SELECT n_applied, key_order FROM tallies WHERE client = ?", client
        )
        return Tally(*rows[0]) if rows else Tally(0, _UNORDERED)  # type: ignore[arg-type]

    def add(self, client: Client, key: str, result: Result, tally: Tally) -> None:
        """Record a result together with the tally after it."""
        self._database.change(
            (
                "INSERT INTO tallies VALUES (?, ?, ?, 1) ON CONFLICT (client) DO UPDATE SET"
                " n_applied = excluded.n_applied, key_order = excluded.key_order,"
                " n_recorded = n_recorded + 1",
                (client, *tally),
            ),
            (
                "INSERT INTO results SELECT client, n_recorded, ?, ?, ? FROM tallies"
                " WHERE client = ?",
                (key, *result, client),
            ),
            (
                "DELETE FROM results WHERE client = ? AND number <="
                " (SELECT n_recorded FROM tallies WHERE client = ?) - ?",
                (client, client, self._remembered),
            ),
        )

    def forget(self) -> None:
        """Drop every key; the tallies stay."""
        self._database.change(("DELETE FROM results", ()))

    def close(self) -> None:
        """Close the file; more than once does no harm."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
