"""Recorded tables: what a column means, and a writer that a killed process cannot corrupt.

Rows collect in typed arrays and go to disk as batches of an Arrow IPC stream, which needs no
footer: whatever was flushed can be read back, even if the process then dies.
"""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from server_stub.doorkeeper import Reason
from server_stub.guests import Answer, Ending
from server_stub.outage import OutageKind

Columns = Mapping[str, NDArray[Any]]
"""The columns of a table by name, all of one length."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One column: its numpy type, its unit, its meaning and, for codes, what they stand for."""

    name: str
    dtype: str
    meaning: str
    unit: str = ""
    labels: tuple[str, ...] = ()
    """Names of the codes 0, 1, 2 ...; empty for a plain number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Schema:
    """The columns of one table."""

    name: str
    columns: tuple[Column, ...]

    def arrow(self) -> pa.Schema:
        """The same as an Arrow schema of plain numbers."""
        return pa.schema(
            [(column.name, pa.from_numpy_dtype(np.dtype(column.dtype))) for column in self.columns]
        )

    def empty(self) -> Columns:
        """A table without rows."""
        return MappingProxyType(
            {column.name: np.empty(0, dtype=column.dtype) for column in self.columns}
        )


class TableWriter:
    """Collects rows of one table, in memory or, with a path, in an Arrow IPC stream."""

    def __init__(self, schema: Schema, path: Path | None = None) -> None:
        self._schema = schema
        self._arrow = schema.arrow()
        self._stream = None if path is None else pa.ipc.new_stream(str(path), self._arrow)
        self._buffers = self._fresh_buffers()

    def _fresh_buffers(self) -> tuple["array[Any]", ...]:
        return tuple(array(np.dtype(column.dtype).char) for column in self._schema.columns)

    def append(self, *row: float) -> None:
        """Add one row, in the order of the schema's columns."""
        for buffer, value in zip(self._buffers, row, strict=True):
            buffer.append(value)

    def columns(self) -> Columns:
        """The rows that have not gone to disk: all of them when there is no path."""
        return MappingProxyType(
            {
                column.name: np.array(buffer, dtype=column.dtype)
                for column, buffer in zip(self._schema.columns, self._buffers, strict=True)
            }
        )

    def flush(self) -> None:
        """Hand the collected rows to the operating system; without a path they stay in memory."""
        if self._stream is None or not self._buffers[0]:
            return
        # Straight from the buffers: `pa.array` would import pandas, in the middle of a run.
        arrays = [
            pa.Array.from_buffers(kind, len(buffer), [None, pa.py_buffer(buffer)])
            for kind, buffer in zip(self._arrow.types, self._buffers, strict=True)
        ]
        self._stream.write_batch(pa.record_batch(arrays, schema=self._arrow))
        self._buffers = self._fresh_buffers()

    def close(self) -> None:
        """Flush and end the stream."""
        self.flush()
        if self._stream is not None:
            self._stream.close()


NO_NODE = 65_535
"""Stands where a number of a node would, if there were one."""
_AT = "on the run's clock"
_TURNED_AWAY = {
    Reason.BACKLOG: "arrivals that found the queue full",
    Reason.MAX_CONNECTIONS: "arrivals that found too many connections",
    Reason.ADMISSION: "arrivals that did not get past `server.admission`",
    Reason.MAX_PER_ADDRESS: "arrivals whose address had too many connections, or connects (429)",
    Reason.OUTAGE: "admitted arrivals sent away by the start of an outage",
}


def turned_away_by(reason: Reason) -> str:
    """The column that counts what was turned away for this reason."""
    return f"turned_away_{reason.value}"


SERVER = Schema(
    name="server",
    columns=(
        Column(name="at", dtype="f8", unit="s", meaning=f"start of the 10 ms interval, {_AT}"),
        Column(name="node", dtype="u2", meaning="which node"),
        Column(name="arrivals", dtype="u4", meaning="upgrade requests that reached the server"),
        Column(name="admitted", dtype="u4", meaning="arrivals that got a worker or a place"),
        Column(name="completed", dtype="u4", meaning="services finished, wasted ones included"),
        Column(name="wasted", dtype="u4", meaning="services finished for a client that had left"),
        Column(name="rejected", dtype="u4", meaning="arrivals turned away (503 or reset)"),
        Column(
            name="malformed",
            dtype="u4",
            meaning="peers cut off for breaking HTTP, RFC 6455 or a limit",
        ),
        Column(
            name="dropped",
            dtype="f8",
            meaning="SYNs the kernel dropped; NaN where that cannot be seen",
        ),
        Column(name="connected", dtype="u4", meaning="most connections open at once"),
        Column(name="backlog", dtype="u4", meaning="most handshakes waiting at once"),
        Column(name="busy_workers", dtype="u4", meaning="most workers busy at once"),
        *(
            Column(name=turned_away_by(reason), dtype="u4", meaning=_TURNED_AWAY[reason])
            for reason in Reason
        ),
    ),
)

OUTAGES = Schema(
    name="outages",
    columns=(
        Column(name="outage", dtype="i2", meaning="index in the schedule, by start"),
        Column(
            name="kind",
            dtype="u1",
            meaning="how it broke",
            labels=tuple(kind.value for kind in OutageKind),
        ),
        Column(name="node", dtype="u2", meaning="which node"),
        Column(name="starts_at", dtype="f8", unit="s", meaning=f"when it really began, {_AT}"),
        Column(name="ends_at", dtype="f8", unit="s", meaning=f"when the node was back, {_AT}"),
    ),
)

LOSSES = Schema(
    name="losses",
    columns=(
        Column(name="client", dtype="u4", meaning="whose connection broke"),
        Column(name="episode", dtype="u4", meaning="the episode that connection had ended"),
        Column(name="outage", dtype="i2", meaning="the outage that broke it; -1 for none"),
        Column(name="node", dtype="u2", meaning="whose record this is; 65535 for no node's"),
        Column(name="broke_at", dtype="f8", unit="s", meaning=f"the server's record, {_AT}"),
    ),
)

SERVICES = Schema(
    name="services",
    columns=(
        Column(name="at", dtype="f8", unit="s", meaning=f"when the service was due to end, {_AT}"),
        Column(name="lag", dtype="f4", unit="s", meaning="how much later it really ended"),
    ),
)

PUBLICATIONS = Schema(
    name="publications",
    columns=(
        Column(name="at", dtype="f8", unit="s", meaning=f"when it was published, {_AT}"),
        Column(name="epoch", dtype="u4", meaning="the history that the event is part of"),
        Column(name="event", dtype="u4", meaning="its id, from 1 in each epoch"),
    ),
)

TALLIES = Schema(
    name="tallies",
    columns=(
        Column(name="client", dtype="u4", meaning="whose operations"),
        Column(name="n_applied", dtype="u4", meaning="different operations applied"),
        Column(name="n_reapplied", dtype="u4", meaning="operations applied once more"),
    ),
)


def _words(codes: type[IntEnum]) -> tuple[str, ...]:
    return tuple(code.name.lower() for code in codes)


_WHO = (
    Column(name="client", dtype="u4", meaning="who it is, or is taken for; numbered by arrival"),
    Column(name="episode", dtype="u4", meaning="connections of that client that ended before"),
)

VISITS = Schema(
    name="visits",
    columns=(
        *_WHO,
        Column(name="attempt", dtype="u4", meaning="1-based within the episode"),
        Column(name="arrived_at", dtype="f8", unit="s", meaning=f"when the request came, {_AT}"),
        Column(name="answered_at", dtype="f8", unit="s", meaning=f"when that was settled, {_AT}"),
        Column(name="answer", dtype="u1", meaning="what it met", labels=_words(Answer)),
    ),
)
"""What became of each upgrade request, for a server that keeps a guest book."""

DEPARTURES = Schema(
    name="departures",
    columns=(
        *_WHO,
        Column(name="left_at", dtype="f8", unit="s", meaning=f"when the server knew, {_AT}"),
        Column(name="ending", dtype="u1", meaning="how it ended", labels=_words(Ending)),
        Column(name="close_code", dtype="u2", meaning="of the close frame; 1006 without one"),
    ),
)
"""How each connection ended, for a server that keeps a guest book."""
