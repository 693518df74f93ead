"""A ledger in a file: kept while the server runs, and left behind by one that dies."""

import pytest
import trio

from server_stub.commons import Commons
from server_stub.config import ServerConfig
from server_stub.ledger import LedgerConfig, MemoryRecords, Result, Tally
from server_stub.ledger_storage import LEDGER_FILE, open_records
from server_stub.messages import Ack, Operation
from server_stub.recorder import ServerRecorder


def commons(directory, *, survives_restart=True):
    """History and ledger of a server that keeps the latter in a file."""
    config = ServerConfig(ledger={"storage": "sqlite", "survives_restart": survives_restart})
    return Commons(config, seed=1, recorder=ServerRecorder(directory))


def restart(server):
    """Its only node goes and comes back."""
    server.joined()
    server.left()
    server.joined()


def test_records_are_in_memory_unless_told_otherwise(tmp_path):
    """Nothing is written then."""
    assert isinstance(open_records(LedgerConfig(), tmp_path), MemoryRecords)
    assert list(tmp_path.iterdir()) == []


def test_a_file_needs_a_place():
    """A server that records nothing has none."""
    with pytest.raises(ValueError, match="needs a directory"):
        open_records(LedgerConfig(storage="sqlite"), None)


@pytest.mark.parametrize("survives", [True, False])
def test_a_restart_keeps_the_file_or_forgets_what_is_in_it(tmp_path, survives):
    """So that a copy that comes afterwards is known, or applied again."""
    server = commons(tmp_path, survives_restart=survives)
    assert server.backend.apply(7, Operation("key", "")) == Ack("key")
    restart(server)
    assert server.backend.apply(7, Operation("key", "")) == Ack("key", duplicate=survives)
    assert server.backend.n_reapplied[7] == (not survives)
    server.close()


def test_what_was_answered_stands_in_the_file_of_a_server_that_died(tmp_path):
    """Whoever opens it next finds the first result, and how much was done."""
    server = commons(tmp_path)
    server.backend.apply(7, Operation("key", ""))
    server.backend.apply(7, Operation("no", "invalid:"))
    server._records.close()  # As the operating system does for a process that is killed.
    records = open_records(LedgerConfig(storage="sqlite"), tmp_path)
    assert records.find(7, "key") == Result(1, None)
    assert records.find(7, "no").reason == "the operation is invalid"
    assert records.tally(7) == Tally(1, records.tally(7).order)
    records.close()


async def test_the_file_is_let_go_of_when_the_run_is_over(tmp_path):
    """Another process may use it then."""
    server = commons(tmp_path)
    with trio.move_on_after(0):
        await server.work()
    server.close()
    assert (tmp_path / LEDGER_FILE).exists()
    commons(tmp_path / ".").close()
