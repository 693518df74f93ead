"""What a server writes down: its state every 10 ms, broken connections, outages, its own lag."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path

from server_stub.admission import Job
from server_stub.doorkeeper import Reason
from server_stub.intervals import INTERVAL, IntervalLog
from server_stub.messages import Event
from server_stub.outage import OutageKind, OutageWindow
from server_stub.tables import (
    LOSSES,
    OUTAGES,
    PUBLICATIONS,
    SERVER,
    SERVICES,
    STAGES,
    TALLIES,
    TableWriter,
    turned_away_by,
)
from server_stub.wire import Identity

__all__ = ["INTERVAL", "NO_OUTAGE", "NO_USE", "ServerRecorder", "StageLog"]

NO_OUTAGE = -1
"""What a connection was lost to that had reached its age."""
NO_USE = -2
"""What a connection was lost to that was closed because it was no use."""

_COUNTED = ("arrivals", "admitted", "completed", "wasted", "rejected", "malformed")
_OF_STAGES = ("arrivals", "admitted", "completed", "wasted", "rejected", "waited")
_REASONS = tuple(map(turned_away_by, Reason))
_ADMITTED_BEFORE = (Reason.STAGE, Reason.OUTAGE)
"""Reasons to turn arrivals away that had been admitted."""


class StageLog:
    """The books of one stage."""

    def __init__(
        self, write: Callable[..., None], note_service: Callable[[float, float], None]
    ) -> None:
        self._log = IntervalLog(write, counted=_OF_STAGES, n_levels=2)
        self._note_service = note_service

    def count(self, now: float, what: str, n_jobs: int) -> None:
        """So many more of `arrivals`, `admitted` or `rejected`."""
        self._log.count(now, what, n_jobs)

    def service(self, job: Job, now: float) -> None:
        """A service has ended now; it was due to when the job says."""
        self._note_service(job.due_at, now)
        self._log.count(now, "completed")
        self._log.count(now, "wasted", int(job.abandoned))
        self._log.count(now, "waited", job.started_at - job.arrived_at)

    def level(self, now: float, backlog: int, busy_workers: int) -> None:
        """How many jobs wait and how many workers are busy, from now on."""
        self._log.level(now, backlog, busy_workers)

    def advance(self, now: float) -> None:
        """Write the intervals that have passed."""
        self._log.advance(now)


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
            for schema in (SERVER, STAGES, LOSSES, OUTAGES, SERVICES, PUBLICATIONS, TALLIES)
        )
        self.server, self.stages, self.losses, self.outages, self.services = self._tables[:5]
        self._publications, self._tallies = self._tables[5:]
        self.totals = dict.fromkeys(_COUNTED, 0)
        self.n_unsettled = 0
        """Open connections that wait at a stage, and are no use without it."""
        self.node = node
        self.directory = directory
        self._log = IntervalLog(self._write, counted=(*_COUNTED, *_REASONS), n_levels=3)
        self._stage_logs: list[StageLog] = []

    def count(self, now: float, what: str) -> None:
        """One more of what the `server` table counts, such as `arrivals`."""
        self._log.count(now, what)
        self.totals[what] += 1

    def turned_away(self, now: float, reason: Reason) -> None:
        """An arrival was turned away; by a stage or an outage, after it had been admitted."""
        self._log.count(now, turned_away_by(reason))
        if reason not in _ADMITTED_BEFORE:
            self.count(now, "rejected")

    def level(self, now: float, *, connected: int, backlog: int, busy_workers: int) -> None:
        """How many connections are open, jobs wait and workers are busy, from now on."""
        self._log.level(now, connected, backlog, busy_workers)

    def stage(self, number: int) -> StageLog:
        """Open the books of a stage; 0 for the node's own workers, then the stages in order."""

        def write(at: float, counts: list[float], peaks: list[int]) -> None:
            self.stages.append(at, self.node, number, *counts, *peaks)

        log = StageLog(write, self.service)
        self._stage_logs.append(log)
        return log

    @property
    def levels(self) -> tuple[int, ...]:
        """Connections open, jobs waiting, workers busy: now."""
        return self._log.levels

    def service(self, due_at: float, now: float) -> None:
        """A service that was due to end then has ended now."""
        self.services.append(due_at, now - due_at)

    def loss(self, whose: Identity, outage: int, now: float) -> None:
        """A connection broke, by an outage, by NO_OUTAGE or by NO_USE."""
        self.losses.append(whose.client, whose.episode, outage, self.node, now)

    def outage(self, window: OutageWindow, starts_at: float, ends_at: float) -> None:
        """An outage as it really happened; an infinite end lies past the end of the run.

        A place that is empty at first is no outage.
        """
        if window.index < 0:
            return
        kind = list(OutageKind).index(window.kind)
        self.outages.append(window.index, kind, self.node, starts_at, ends_at)

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
        self._log.advance(now + INTERVAL)
        for log in self._stage_logs:
            log.advance(now + INTERVAL)
        for table in self._tables:
            table.close()

    def _write(self, at: float, counts: list[float], peaks: list[int]) -> None:
        kinds, reasons = counts[: len(_COUNTED)], counts[len(_COUNTED) :]
        self.server.append(at, self.node, *kinds, math.nan, *peaks, *reasons)
