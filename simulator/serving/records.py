"""What a served node writes down: the server's own tables, and those of its guest book."""

from pathlib import Path
from types import TracebackType
from typing import Self

from server_stub.recorder import ServerRecorder
from server_stub.tables import DEPARTURES, VISITS, TableWriter
from simulator.engines.live.clock import SharedClock


class Records:
    """Streams in a directory, closed with their context."""

    def __init__(self, streams: Path) -> None:
        """Open them.

        Args:
            streams: Of the run.
        """
        self.server = ServerRecorder(streams)
        self.visits, self.departures = (
            TableWriter(schema, streams / f"{schema.name}-0.arrows")
            for schema in (VISITS, DEPARTURES)
        )

    def flush(self) -> None:
        """Hand everything recorded so far to the operating system."""
        self.server.flush()
        self.visits.flush()
        self.departures.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the streams."""
        self.server.close(SharedClock().current_time())
        self.visits.close()
        self.departures.close()
