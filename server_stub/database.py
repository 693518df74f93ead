"""A small SQLite file of ours, which a process killed at any instant leaves whole."""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Self

Survives = Literal["power_cut", "process_kill"]


class DatabaseError(Exception):
    """A database file cannot be used; the message names it and is one clear line."""


class Closing(ABC):
    """Something to be closed; the end of a `with` block does it."""

    @abstractmethod
    def close(self) -> None:
        """Close it; more than once does no harm."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


class Database(Closing):
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
