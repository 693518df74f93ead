"""Everything that a client announces to its listeners."""

from collections.abc import Callable
from typing import NamedTuple

from simulator.core.cursor import Update
from simulator.core.lifecycle import LifecycleEvent
from simulator.core.status import Status


class TextReceived(NamedTuple):
    """The peer has said something of its own."""

    client: int
    at: float
    text: str


class Updated(NamedTuple):
    """Events have arrived that are to be applied, or a whole state to take over before them."""

    client: int
    at: float
    update: Update


class StatusChanged(NamedTuple):
    """What a user is shown of the connection has changed."""

    client: int
    at: float
    status: Status


ClientEvent = LifecycleEvent | TextReceived | Updated | StatusChanged
Listener = Callable[[ClientEvent], None]
