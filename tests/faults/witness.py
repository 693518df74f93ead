"""What is seen while a schedule is played, and what is wrong with it at first sight.

A violation is a (promise, what happened) pair; schedules are shrunk by the promise.
"""

from collections import defaultdict

from server_stub.backend import Backend
from server_stub.messages import Ack, Snapshot
from simulator.core.events import StatusChanged, TextReceived, Updated
from simulator.core.lifecycle import AttemptEnded, Disconnected, Failed

IN_ORDER = "every event once and in order"
ONCE = "every operation applied once and in order"
TRUTHFUL = "clients say what is true"
NEEDED = "a full refresh only where nothing less helps"
TEXTS = "texts at most once and in order"


class Witness:
    """Listens to every client and stands behind the server."""

    def __init__(self, scenario, now):
        self.violations = []
        self.instants = defaultdict(list)
        """By kind of thing, when it happened: where outages hurt."""
        self.lives = defaultdict(list)
        """By client, the events of its lifecycle."""
        self.closed_at = {}
        """By client that was told to close, when."""
        self.nodes = {}
        """By client and episode, the node that its last attempt was sent to."""
        self.statuses = {}
        self.views = {}
        """By client, the epoch and id of the last event it has seen."""
        self.published = []
        """Instant, epoch and id of every event."""
        self.handled = defaultdict(int)
        """By client, how many operations were applied or rejected, from the first."""
        self.echoes = defaultdict(list)
        """By client, the numbers of the texts that came back."""
        self.backend = _ObservedBackend(scenario.server, self)
        history = scenario.server.history
        self._may_forget = not (
            history.survives_restart
            and (history.max_events is None or history.max_events > 1000)
            and (history.max_age is None or history.max_age > 200)
        )
        self._now = now

    def object(self, promise, what):
        """A promise is broken."""
        self.violations.append((promise, f"at {self._now():.6g} s {what}"))

    def note(self, kind):
        """Something of this kind happens now."""
        self.instants[kind].append(self._now())

    # As the clients' listener

    def __call__(self, event):
        """Take an event of a client's life down."""
        match event:
            case Updated():
                self.note("update")
                self._view(event.client, event.update)
            case TextReceived():
                self._hear(event.client, event.text)
            case StatusChanged():
                self.statuses[event.client] = event.status
            case _:
                self._live(event)

    def _live(self, event):
        life = self.lives[event.client]
        match event:
            case AttemptEnded():
                self.instants["attempt"].append(event.started_at)
                self.note(event.outcome.name)
                # Anywhere in between: the request, the queue, the service, the answer.
                self.instants["handshake"] += [
                    event.started_at + share * (event.ended_at - event.started_at)
                    for share in (0.25, 0.5, 0.75, 0.95)
                ]
            case Disconnected():
                self.note(event.noticed_by.name)
            case Failed():
                self.note("Failed")
        life.append(event)

    def _view(self, client, update):
        log = self.backend.latest
        epoch, last = self.views.get(client, (None, 0))
        if update.refreshed is not None:
            snapshot = update.refreshed
            if snapshot.latest > log.get(snapshot.epoch, -1):
                self.object(IN_ORDER, f"client {client} was refreshed to the future: {snapshot}")
            if snapshot.epoch == epoch and snapshot.latest < last:
                self.object(IN_ORDER, f"client {client}, at {last}, was refreshed to {snapshot}")
            epoch, last = snapshot.epoch, snapshot.latest
        if update.applied:
            if epoch is None or update.applied.start != last + 1 or update.applied.step != 1:
                self.object(IN_ORDER, f"client {client}, at {(epoch, last)}, applied {update}")
            last = update.applied[-1]
            if last > log.get(epoch, 0):
                self.object(IN_ORDER, f"client {client} applied events to come: {update}")
        self.views[client] = (epoch, last)

    def _hear(self, client, text):
        number = int(text.split()[1])
        heard = self.echoes[client]
        if heard and number <= heard[-1]:
            self.object(TEXTS, f"client {client} heard the echo of {number} after {heard[-1]}")
        heard.append(number)

    # As what stands behind the server

    def answered_sync(self, sync, answer):
        """The server has told a client what it missed."""
        self.note(type(answer).__name__)
        if isinstance(answer, Snapshot) and sync.epoch is not None and not self._may_forget:
            self.object(NEEDED, f"the answer to {sync} was {answer}")

    def answered_operation(self, client, operation, answer, *, is_remembered):
        """The server has applied an operation, or has not."""
        is_copy = isinstance(answer, Ack) and answer.duplicate
        self.note("Copy" if is_copy else type(answer).__name__)
        sequence = int(operation.key.rpartition("-")[2])
        if is_copy:
            if sequence >= self.handled[client]:
                self.object(ONCE, f"operation {sequence} of client {client}: a copy of nothing")
        elif sequence == self.handled[client]:
            self.handled[client] += 1
        elif sequence > self.handled[client]:
            self.object(
                ONCE, f"operation {sequence} of client {client} before {self.handled[client]}"
            )
        elif is_remembered and isinstance(answer, Ack):
            self.object(ONCE, f"operation {sequence} of client {client} was applied again")


class _ObservedBackend(Backend):
    """The real one, with a witness behind it."""

    def __init__(self, config, witness):
        super().__init__(config.history, config.ledger)
        self._witness = witness
        self._ledger_survives = config.ledger.survives_restart
        self._answered = set()
        """The operations that the ledger must remember."""
        self.latest = {self._log.epoch: 0}
        """By epoch, the id of the last event."""

    @property
    def epoch(self):
        """Of the events from now on."""
        return self._log.epoch

    def publish(self, now):
        """Something happens that subscribers want to hear of."""
        event = super().publish(now)
        self.latest[event.epoch] = event.id
        self._witness.note("event")
        self._witness.published.append((now, event.epoch, event.id))
        return event

    def catch_up(self, sync, now):
        """What a client missed."""
        answer = super().catch_up(sync, now)
        self._witness.answered_sync(sync, answer)
        return answer

    def apply(self, client, operation):
        """Apply an operation unless it has been."""
        answer = super().apply(client, operation)
        self._witness.answered_operation(
            client, operation, answer, is_remembered=(client, operation.key) in self._answered
        )
        self._answered.add((client, operation.key))
        return answer

    def restarted(self):
        """The server has come back."""
        super().restarted()
        self.latest.setdefault(self._log.epoch, 0)
        if not self._ledger_survives:
            self._answered.clear()
