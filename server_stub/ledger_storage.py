"""Where the ledger's records are kept: in memory, or in an SQLite file."""

from pathlib import Path

from server_stub.ledger import LedgerConfig, MemoryRecords
from server_stub.sqlite_records import SqliteRecords

LEDGER_FILE = "ledger.sqlite"


def open_records(config: LedgerConfig, directory: Path | None) -> MemoryRecords | SqliteRecords:
    """The records that a ledger is configured to have; whoever opens them closes them.

    Args:
        config: Of the ledger.
        directory: Where a file goes.

    Raises:
        ValueError: A file is wanted, and there is no directory for it.
        DatabaseError: The file cannot be used.
    """
    if config.storage == "memory":
        return MemoryRecords(remembered=config.remembered)
    if directory is None:
        raise ValueError("a ledger in a file needs a directory")
    # A result need not survive a power cut here, which would take a disk's time for each.
    return SqliteRecords(
        directory / LEDGER_FILE, remembered=config.remembered, survives="process_kill"
    )
