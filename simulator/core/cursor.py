"""What a client has seen of a stream of events, and what it must ask for (delta sync), sans-IO.

Theory of operation
-------------------
The ids of an epoch are consecutive integers from 1. The cursor is the epoch and the id of the last
event applied, and only ever applies the next id; so nothing is applied twice or out of order,
whatever arrives, and what is missing shows as a step in the ids.

- On every connection the client asks for what came after its cursor. The server answers with a
  batch that begins right there, or with a snapshot of the whole state.
- A live event that is next is applied at once, even while an answer is outstanding; the batch then
  overlaps it, and only the rest of the batch is new.
- A live event further ahead is held back: of those, the cursor remembers the last unbroken run. A
  batch or snapshot that reaches the run joins it. If none is outstanding, or if the answer does not
  reach far enough, the client asks (again).
- When the answer shows that asking for events leads nowhere (it is from another epoch, it begins
  too late, or it brings nothing although there is more), the client asks for the whole state.

Within a connection epochs only grow, so that an echo from before a restart is told from news. The
next connection may lead to another server with a smaller one. An answer cannot get lost while its
connection lives, so nothing here has a timer: to ask a slow server again would only feed the storm.
"""

from typing import NamedTuple

from server_stub.messages import Batch, Event, Snapshot, Sync

FULL_SYNC = Sync(None, 0)
"""Asks for the whole state."""

_NO_EPOCH = -1
_NO_IDS = range(0)


class Update(NamedTuple):
    """What to do about something that arrived, in this order."""

    refreshed: Snapshot | None = None
    """The whole state to put in the place of the old one."""
    applied: range = _NO_IDS
    """The ids of events to apply. (A client whose events have bodies keeps those it held back.)"""
    ask: Sync | None = None
    """What to send."""


_NOTHING = Update()


class Cursor:
    """How far one client has seen."""

    __slots__ = ("_ahead", "_always_full", "_asked", "_floor", "epoch", "last")

    def __init__(self, *, always_full: bool = False) -> None:
        """Begin with nothing seen.

        Args:
            always_full: Ask for the whole state on every connection, as clients without delta sync
                do.
        """
        self.epoch: int | None = None
        self.last = 0
        """Id of the last event applied."""
        self._always_full = always_full
        self._asked: Sync | None = None
        """What the server has yet to answer."""
        self._ahead: Batch | None = None
        """The last unbroken run of events that cannot be applied yet."""
        self._floor = _NO_EPOCH
        """The epoch known from this connection's answers; a smaller one is an echo."""

    @property
    def synced(self) -> bool:
        """Has everything that was asked for arrived?"""
        return self._asked is None and self.epoch is not None

    def on_connect(self) -> Sync:
        """A connection has opened: what to ask for on it. What the last one still owed is void."""
        self._ahead = None
        self._floor = _NO_EPOCH
        full = self._always_full or self.epoch is None
        self._asked = FULL_SYNC if full else Sync(self.epoch, self.last)
        return self._asked

    def on_event(self, event: Event) -> Update:
        """A live event has arrived."""
        if event.epoch == self.epoch and event.id <= self.last + 1:
            return _NOTHING if event.id <= self.last else self._update(event.id)
        if event.epoch < self._floor:
            return _NOTHING
        self._hold(Batch(event.epoch, event.id, event.id))
        return _NOTHING if self._asked is not None else self._ask(Sync(self.epoch, self.last))

    def on_batch(self, batch: Batch) -> Update:
        """Missed events have arrived."""
        if batch.epoch < self._floor:
            return _NOTHING
        if batch.epoch != self.epoch or batch.first_id > self.last + 1:
            return self._on_unusable(batch)
        self._floor = batch.epoch
        asked = self._asked
        if asked is None or asked != (batch.epoch, batch.first_id - 1):
            return self._update(batch.last_id)
        self._asked = None
        update = self._update(batch.last_id)
        if update.ask is not None and asked == update.ask:
            # It says that this is all, and yet there was more: one of the two is not to be trusted.
            self._ahead = None
            return self._ask(FULL_SYNC)
        return update

    def on_snapshot(self, snapshot: Snapshot) -> Update:
        """The whole state has arrived."""
        if snapshot.epoch < self._floor:
            return _NOTHING
        self._floor = snapshot.epoch
        full_asked = self._asked == FULL_SYNC
        if snapshot.epoch == self.epoch and snapshot.latest < self.last + (not full_asked):
            # A duplicate, or live events have overtaken the answer: there is nothing new in it. A
            # state that answers for a delta goes further than the question; a duplicate does not.
            if full_asked or (self._asked is not None and snapshot.latest > self._asked.after):
                self._asked = None
            return self._update(self.last)
        self._asked = None
        self.epoch = snapshot.epoch
        self.last = snapshot.latest
        return self._update(self.last)._replace(refreshed=snapshot)

    def _on_unusable(self, batch: Batch) -> Update:
        """A batch from another epoch, or one that begins too late."""
        if batch.first_id <= batch.last_id:
            self._hold(batch)
        if self._asked is None:
            return self._ask(Sync(self.epoch, self.last))
        return _NOTHING if self._asked == FULL_SYNC else self._ask(FULL_SYNC)

    def _update(self, last: int) -> Update:
        """Apply what is next up to `last`, join what was held back, ask for what is between."""
        first = self.last + 1
        self.last = max(self.last, last)
        self._join()
        ask = None
        if self._ahead is not None and self._asked is None:
            ask = self._asked = Sync(self.epoch, self.last)
        return Update(None, range(first, self.last + 1), ask)

    def _join(self) -> None:
        ahead = self._ahead
        if ahead is None:
            return
        if ahead.epoch == self.epoch and ahead.first_id <= self.last + 1:
            self.last = max(self.last, ahead.last_id)
            self._ahead = None
        elif ahead.epoch < self._floor:
            self._ahead = None

    def _hold(self, run: Batch) -> None:
        """Remember a run that is ahead, in the place of one that is further back."""
        ahead = self._ahead
        if ahead is None or ahead.epoch < run.epoch:
            self._ahead = run
        elif ahead.epoch == run.epoch and ahead.last_id < run.last_id:
            adjoins = run.first_id <= ahead.last_id + 1
            first_id = min(ahead.first_id, run.first_id) if adjoins else run.first_id
            self._ahead = Batch(run.epoch, first_id, run.last_id)

    def _ask(self, sync: Sync) -> Update:
        self._asked = sync
        return Update(ask=sync)
