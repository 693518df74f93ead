"""What a fleet writes down: a listener that turns lifecycle events into rows of raw tables."""

from pathlib import Path

from server_stub.tables import LOSSES, NO_NODE, TableWriter
from simulator.conversation import Conversation
from simulator.core.events import ClientEvent
from simulator.core.lifecycle import (
    AttemptEnded,
    Connected,
    Disconnected,
    Failed,
)
from simulator.raw_tables import RAW_ACCOUNTS, RAW_ATTEMPTS, RAW_DISCONNECTS, RAW_GIVE_UPS


class FleetRecorder:
    """The tables of a fleet, on disk as streams or in memory, and its counters of the moment."""

    def __init__(
        self, directory: Path | None = None, *, process: int = 0, is_balanced: bool = False
    ) -> None:
        """Open the tables.

        Args:
            directory: Where the streams go; None keeps the tables in memory.
            process: Tells the streams of several processes apart.
            is_balanced: Is somebody going to say which node an attempt goes to? Otherwise there is
                only one.
        """
        self._tables = tuple(
            TableWriter(schema, directory and directory / f"{schema.name}-fleet-{process}.arrows")
            for schema in (RAW_ATTEMPTS, RAW_DISCONNECTS, RAW_GIVE_UPS, RAW_ACCOUNTS, LOSSES)
        )
        self.attempts, self.disconnects, self.give_ups, self._accounts, self._losses = self._tables
        self._node_of: dict[int, int] = {}
        self._node_if_unsaid = NO_NODE if is_balanced else 0
        self.n_connected = 0
        self.n_attempts = 0
        self.n_connects = 0
        self.n_gave_up = 0

    def __call__(self, event: ClientEvent) -> None:
        """Record an event of a client's life."""
        match event:
            case AttemptEnded():
                self.n_attempts += 1
                self.attempts.append(
                    event.client,
                    event.episode,
                    event.attempt,
                    self._node_of.pop(event.client, self._node_if_unsaid),
                    event.due_at,
                    event.started_at,
                    event.ended_at,
                    event.outcome,
                )
            case Connected():
                self.n_connected += 1
                self.n_connects += 1
            case Disconnected():
                self.n_connected -= 1
                self.disconnects.append(
                    event.client, event.episode, event.at, event.noticed_by, event.close_code
                )
            case Failed():
                self.n_gave_up += 1
                self.give_ups.append(event.client, event.at)

    def sent_to(self, client: int, node: int) -> None:
        """The attempt that this client is making goes to that node."""
        self._node_of[client] = node

    def loss(self, client: int, episode: int, outage: int, now: float) -> None:
        """A client's path to the server was cut, though neither side knows."""
        self._losses.append(client, episode, outage, NO_NODE, now)

    def account(self, client: int, conversation: Conversation) -> None:
        """What came of a client's events and operations, at the end of the run."""
        outbox, gaps = conversation.outbox, conversation.gaps
        self._accounts.append(
            client,
            conversation.synced_at,
            conversation.n_delta_sync,
            conversation.n_full_refresh,
            0 if gaps is None else gaps.n_heard,
            0 if gaps is None or gaps.epoch is None else gaps.epoch,
            0 if gaps is None else gaps.last,
            0 if outbox is None else outbox.n_enqueued,
            0 if outbox is None else outbox.n_pending,
            0 if outbox is None else outbox.n_set_aside,
        )

    def flush(self) -> None:
        """Hand everything recorded so far to the operating system."""
        for table in self._tables:
            table.flush()

    def close(self) -> None:
        """End the streams."""
        for table in self._tables:
            table.close()
