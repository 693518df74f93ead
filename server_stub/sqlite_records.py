"""The ledger's records in an SQLite file: they outlive the server's process."""

from pathlib import Path

from server_stub.database import Closing, Database, Survives
from server_stub.ledger import REMEMBERED, UNORDERED, Client, Result, Tally


class SqliteRecords(Closing):
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
        return Tally(*rows[0]) if rows else Tally(0, UNORDERED)  # type: ignore[arg-type]

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
