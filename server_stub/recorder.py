"""What a server writes down: its state every 10 ms, broken connections, outages, its own lag."""

import math
from collections.abc import Mapping
from pathlib import Path

from server_stub.doorkeeper import Reason
from server_stub.messages import Event
from server_stub.outage import OutageKind, OutageWindow
from server_stub.tables import (
    LOSSES,
    OUTAGES,
    PUBLICATIONS,
    SERVER,
    SERVICES,
    TALLIES,
    TableWriter,
)
from server_stub.wire import Identity

NO_OUTAGE = -1
"""What a connection was lost to that had reached its age."""
INTERVAL = 0.01
"""Seconds per row of the `server` table."""

_COUNTED = ("arrivals", "admitted", "completed", "wasted", "rejected", "malformed")


class ServerRecorder:
    """The server's tables, on disk as streams or in memory; instants are readings of its clock."""

    def __init__(self, directory: Path | None = None, *, node: int = 0) -> None:
        """Open the tables.

        Args:
            directory: Where the streams go; None keeps the tables in memory.
            node: The node these records are about.
        """
        self._tables = tuple(
            TableWriter(schema, directory and directory / f"{schema.name}-{node}.arrows")
            for schema in (SERVER, LOSSES, OUTAGES, SERVICES, PUBLICATIONS, TALLIES)
        )
        self.server, self.losses, self.outages, self.services = self._tables[:4]
        self._publications, self._tallies = self._tables[4:]
        self.totals = dict.fromkeys(_COUNTED, 0)
        self._node = node
        self._interval: int | None = None
        self._counts = dict.fromkeys(_COUNTED, 0)
        self._turned_away = dict.fromkeys(Reason, 0)
        self._levels: tuple[int, ...] = (0, 0, 0)
        self._peaks: tuple[int, ...] = (0, 0, 0)

    def count(self, now: float, what: str) -> None:
        """One more of what the `server` table counts, such as `arrivals`."""
        self._advance(now)
        self._counts[what] += 1
        self.totals[what] += 1

    def turned_away(self, now: float, reason: Reason) -> None:
        """An arrival was turned away; one that an outage sends away had been admitted before."""
        self._advance(now)
        self._turned_away[reason] += 1
        if reason is not Reason.OUTAGE:
            self.count(now, "rejected")

    def level(self, now: float, *, connected: int, backlog: int, busy_workers: int) -> None:
        """How many connections are open, handshakes wait and workers are busy, from now on."""
        self._advance(now)
        self._levels = (connected, backlog, busy_workers)
        most_connected, longest_backlog, most_busy = self._peaks
        self._peaks = (
            max(most_connected, connected),
            max(longest_backlog, backlog),
            max(most_busy, busy_workers),
        )

    @property
    def levels(self) -> tuple[int, ...]:
        """Connections open, handshakes waiting, workers busy: now."""
        return self._levels

    def service(self, due_at: float, now: float) -> None:
        """A service that was due to end then has ended now."""
        self.services.append(due_at, now - due_at)

    def loss(self, whose: Identity, outage: int, now: float) -> None:
        """A connection broke, by an outage or by NO_OUTAGE."""
        self.losses.append(whose.client, whose.episode, outage, self._node, now)

    def outage(self, window: OutageWindow, starts_at: float, ends_at: float) -> None:
        """An outage as it really happened; an infinite end lies past the end of the run.

        A place that is empty at first is no outage.
        """
        if window.index < 0:
            return
        kind = list(OutageKind).index(window.kind)
        self.outages.append(window.index, kind, self._node, starts_at, ends_at)

    def publication(self, event: Event, now: float) -> None:
        """Something happened that subscribers hear of."""
        self._publications.append(now, event.epoch, event.id)

    def tallies(self, n_applied: Mapping[int, int], n_reapplied: Mapping[int, int]) -> None:
        """What was done for each client, at the end of the run."""
        for client, count in sorted(n_applied.items()):
            self._tallies.append(client, count, n_reapplied.get(client, 0))

    def flush(self) -> None:
        """Hand everything recorded so far to the operating system."""
        for table in self._tables:
            table.flush()

    def close(self, now: float) -> None:
        """Write the interval under way and end the streams."""
        self._advance(now + INTERVAL)
        for table in self._tables:
            table.close()

    def _advance(self, now: float) -> None:
        """Write the intervals that have passed; in those without an event the levels just stand."""
        interval = math.floor(now / INTERVAL)
        if self._interval is None:
            self._interval = interval
        while self._interval < interval:
            self.server.append(
                self._interval * INTERVAL,
                self._node,
                *self._counts.values(),
                math.nan,
                *self._peaks,
                *self._turned_away.values(),
            )
            self._counts = dict.fromkeys(_COUNTED, 0)
            self._turned_away = dict.fromkeys(Reason, 0)
            self._peaks = self._levels
            self._interval += 1
