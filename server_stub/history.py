"""What has been published, as far back as the server remembers, sans-IO.

A log holds the ids of one epoch, consecutive from 1, and when each was published; nothing else, so
that keeping it costs little however large the events would be. When it is lost in a restart it
begins again from 1 in the next epoch. Within one epoch an id means one event for ever: that is what
lets a client trust its cursor.
"""

from collections import deque
from enum import Enum
from typing import Annotated, NamedTuple

from pydantic import Field

from server_stub.settings import Count, OrNone, PositiveCount, PositiveSeconds, Rate, Settings


class HistoryConfig(Settings):
    """What a server publishes, and how far back it remembers: beyond, only a snapshot helps."""

    rate: Annotated[Rate | None, OrNone] = None
    """Events published per second, to every subscriber; "none" for none."""
    survives_restart: Annotated[bool, Field(strict=True)] = True
    """Is the history kept through an outage that ends in a restart (all but a freeze)?"""
    event_size: Count = 0
    """Characters of an event's body in a batch."""
    snapshot_size: Count = 0
    """Characters of the whole state."""
    snapshot_items: Count = 0
    """Items of the whole state; what a stage may charge for it by (`per_item`)."""

    max_events: Annotated[PositiveCount | None, OrNone] = 10_000
    """Events kept; "none" for no limit."""
    max_age: Annotated[PositiveSeconds | None, OrNone] = 300.0
    """Seconds for which an event is kept, long enough for a restart or a walk through a dead zone;
    "none" for ever."""


class FullReason(Enum):
    """Why a client cannot be helped by what it missed alone."""

    NO_CURSOR = "no_cursor"
    """It has seen nothing yet, or does not want to say what."""
    OTHER_EPOCH = "other_epoch"
    """What it has seen belongs to another history."""
    TOO_OLD = "too_old"
    """The first event that it missed is forgotten."""


class Delta(NamedTuple):
    """These events were missed, and all are remembered."""

    first_id: int
    last_id: int
    """One below `first_id` when nothing was missed."""

    def __len__(self) -> int:
        return self.last_id + 1 - self.first_id


class Full(NamedTuple):
    """Only the whole state helps."""

    reason: FullReason
    latest: int
    """Id of the last event that the state contains; 0 for none."""


class EventLog:
    """The events of one epoch that are remembered."""

    __slots__ = ("_config", "_published_at", "epoch", "latest")

    def __init__(self, config: HistoryConfig, *, epoch: int = 1) -> None:
        """Begin a history.

        Args:
            config: How far back it goes.
            epoch: What tells it from other histories; larger than that of any before it.
        """
        self.epoch = epoch
        self.latest = 0
        """Id of the last event; 0 before the first."""
        self._config = config
        self._published_at: deque[float] = deque(maxlen=config.max_events)
        """Of the events remembered, the last of which is `latest`."""

    def __len__(self) -> int:
        """Events remembered, those included that are too old by now but were not yet looked at."""
        return len(self._published_at)

    def publish(self, now: float) -> int:
        """Add an event; returns its id."""
        self._forget(now)
        self._published_at.append(now)
        self.latest += 1
        return self.latest

    def since(self, epoch: int | None, after: int, now: float) -> Delta | Full:
        """What a client missed that has seen the events of `epoch` up to `after`."""
        self._forget(now)
        if epoch is None:
            return Full(FullReason.NO_CURSOR, self.latest)
        # A cursor from the future was made by another history, whatever epoch it claims.
        if epoch != self.epoch or after > self.latest:
            return Full(FullReason.OTHER_EPOCH, self.latest)
        if after < self.latest - len(self._published_at):
            return Full(FullReason.TOO_OLD, self.latest)
        return Delta(after + 1, self.latest)

    def restart(self, *, survives: bool) -> int:
        """The server restarts, and the log is kept or lost; returns the epoch from now on."""
        if not survives:
            self.epoch += 1
            self.latest = 0
            self._published_at.clear()
        return self.epoch

    def _forget(self, now: float) -> None:
        if self._config.max_age is None:
            return
        oldest = now - self._config.max_age
        while self._published_at and self._published_at[0] < oldest:
            self._published_at.popleft()
