"""What the processes of a live run say to each other, and how a Trio process listens."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection

import trio


@dataclass(frozen=True, slots=True)
class Listening:
    """Server to engine: its nodes listen there, or will."""

    addresses: Sequence[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class FleetProgress:
    """Worker to engine: its counters of the moment."""

    n_connected: int = 0
    n_attempts: int = 0
    n_connects: int = 0
    n_gave_up: int = 0
    n_held: int = 0
    """Attempts that a ceiling on connects per second has kept waiting."""
    longest_hold: float = 0.0
    """Seconds."""


@dataclass(frozen=True, slots=True)
class ServerProgress:
    """Server to engine: how many upgrade requests have arrived so far, and who waits at a stage."""

    n_arrivals: int = 0
    n_unsettled: int = 0


@dataclass(frozen=True, slots=True)
class NodeAdded:
    """Server to engine, and from there to all: one more node, long before it is ready."""

    node: int
    starts_at: float
    """Seconds on the run's clock."""
    ready_at: float


@dataclass(frozen=True, slots=True)
class Begin:
    """Engine to all: the fleet is connected, t = 0 is at this reading of the shared clock."""

    origin: float


@dataclass(frozen=True, slots=True)
class Stop:
    """Engine to all: end, and keep what was recorded."""


async def received(link: "Connection[object, object]") -> AsyncIterator[object]:
    """The messages of the engine; ends when the engine is gone."""
    while True:
        await trio.lowlevel.wait_readable(link.fileno())
        try:
            message = link.recv()
        except (EOFError, ConnectionResetError):
            return
        yield message
