"""An outbox over a storage that a process may die in."""

import pytest

from simulator.core.outbox import Outbox
from simulator.storage import MemoryStorage

from .mortal import KEY_OF, Mortal


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
