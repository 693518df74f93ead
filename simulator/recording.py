"""What a fleet writes down: a listener that turns lifecycle events into rows of raw tables."""

from pathlib import Path

from server_stub.tables import TableWriter
from simulator.raw_tables import RAW_ATTEMPTS, RAW_DISCONNECTS, RAW_GIVE_UPS
from simulator.core.lifecycle import (
    AttemptEnded,
    Connected,
    Disconnected,
    Failed,
    LifecycleEvent,
)


class FleetRecorder:
    """The tables of a fleet, on disk as streams or in memory, and its counters of the moment."""

    def __init__(self, directory: Path | None = None, *, process: int = 0) -> None:
        """Open the tables.

        Args:
            directory: Where the streams go; None keeps the tables in memory.
            process: Tells the streams of several processes apart.
        """
        self.attempts, self.disconnects, self.give_ups = (
            TableWriter(schema, directory and directory / f"{schema.name}-{process}.arrows")
            for schema in (RAW_ATTEMPTS, RAW_DISCONNECTS, RAW_GIVE_UPS)
        )
        self.n_connected = 0
        self.n_attempts = 0
        self.n_connects = 0
        self.n_gave_up = 0

    def __call__(self, event: LifecycleEvent) -> None:
        """Record an event of a client's life."""
        match event:
            case AttemptEnded():
                self.n_attempts += 1
                self.attempts.append(
                    event.client,
                    event.episode,
                    event.attempt,
                    0,
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

    def flush(self) -> None:
        """Hand everything recorded so far to the operating system."""
        for table in (self.attempts, self.disconnects, self.give_ups):
            table.flush()

    def close(self) -> None:
        """End the streams."""
        for table in (self.attempts, self.disconnects, self.give_ups):
            table.close()
