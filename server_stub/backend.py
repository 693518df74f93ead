"""What stands behind the sockets: the history of events and the ledger of operations, sans-IO."""

from collections import Counter

from server_stub.history import EventLog, Full, HistoryConfig
from server_stub.ledger import Ledger, LedgerConfig, MemoryRecords, Records, marked_invalid
from server_stub.messages import Ack, Batch, Event, Nack, Operation, Snapshot, Sync


class Backend:
    """Publishes events, tells clients what they missed, and applies their operations."""

    def __init__(
        self, history: HistoryConfig, ledger: LedgerConfig, records: Records | None = None
    ) -> None:
        """Begin with nothing published.

        Args:
            history: What is published, and how far back it is remembered.
            ledger: How long operations are remembered.
            records: Where that is; in memory unless given.
        """
        self._history_config = history
        self._log = EventLog(history)
        self._ledger = Ledger(
            records or MemoryRecords(remembered=ledger.remembered),
            rules=[marked_invalid],
            survives_restart=ledger.survives_restart,
        )
        self._applied: set[tuple[int, str]] = set()
        self.n_applied: Counter[int] = Counter()
        """Different operations applied, by client."""
        self.n_reapplied: Counter[int] = Counter()
        """Operations applied again, because their key had been forgotten, by client."""

    def publish(self, now: float) -> Event:
        """Something happens that subscribers want to hear of."""
        event_id = self._log.publish(now)
        return Event(self._log.epoch, event_id)

    def n_missed(self, sync: Sync, now: float) -> int | None:
        """How many events a client missed; None if only the whole state helps it."""
        missed = self._log.since(sync.epoch, sync.after, now)
        return None if isinstance(missed, Full) else len(missed)

    def catch_up(self, sync: Sync, now: float) -> Batch | Snapshot:
        """What a client missed, or the whole state when that is all that helps."""
        missed = self._log.since(sync.epoch, sync.after, now)
        config = self._history_config
        if isinstance(missed, Full):
            return Snapshot(self._log.epoch, missed.latest, config.snapshot_size)
        size = len(missed) * config.event_size
        return Batch(self._log.epoch, missed.first_id, missed.last_id, size)

    def apply(self, client: int, operation: Operation) -> Ack | Nack:
        """Apply an operation unless it has been; the answer comes after the record."""
        answer = self._ledger.apply(client, operation.key, operation.body)
        if answer.result.reason is not None:
            return Nack(operation.key, answer.result.reason)
        if not answer.is_duplicate:
            self._note(client, operation.key)
        return Ack(operation.key, answer.is_duplicate)

    def restarted(self) -> None:
        """The server has come back; what does not survive a restart is gone."""
        self._log.restart(survives=self._history_config.survives_restart)
        self._ledger.restarted()

    def _note(self, client: int, key: str) -> None:
        """Keep book, beside a ledger that may forget, of what was really done."""
        if (client, key) in self._applied:
            self.n_reapplied[client] += 1
        else:
            self._applied.add((client, key))
            self.n_applied[client] += 1
