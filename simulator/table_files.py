"""Tables as files: Parquet for finished ones, Arrow IPC streams for those being recorded."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from server_stub.tables import Column, Columns, Schema
from simulator.errors import RunDirectoryError
from simulator.results import as_table

_UNREADABLE = (OSError, ValueError, TypeError, KeyError, pa.ArrowException)
"""What reading a damaged file can raise."""


def damaged(path: Path, reason: Exception | str) -> RunDirectoryError:
    """The one line that says a file cannot be read, and why."""
    first_line = (str(reason).strip() or type(reason).__name__).splitlines()[0]
    return RunDirectoryError(f"{path}: truncated or corrupt ({first_line})")


def write_table(path: Path, schema: Schema, columns: Columns) -> None:
    """Write a Parquet file as a whole or not at all.

    NaN becomes null, codes become dictionary-encoded strings.
    """
    table = pa.table(
        {
            column.name: (
                pa.DictionaryArray.from_arrays(
                    _numbers(columns[column.name]), _words(column.labels)
                )
                if column.labels
                else _numbers(columns[column.name])
            )
            for column in schema.columns
        }
    )
    partial = path.with_name(f".{path.name}.partial")
    pq.write_table(table, partial, compression="zstd")
    partial.replace(path)


# Arrays are made from their buffers: `pa.array` would import pandas first, if it is there, which
# takes longer than a small run.


def _numbers(values: NDArray[Any]) -> pa.Array:
    """Numbers as Arrow holds them; NaN is null."""
    kind = pa.from_numpy_dtype(values.dtype)
    valid = None
    if values.dtype.kind == "f":
        valid = pa.py_buffer(np.packbits(~np.isnan(values), bitorder="little"))
    data = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(kind, values.size, [valid, data])


def _words(words: Sequence[str]) -> pa.Array:
    """Texts as Arrow holds them."""
    encoded = [word.encode() for word in words]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(words), buffers)


def read_table(path: Path, schema: Schema) -> Columns:
    """Read what `write_table` wrote.

    Raises:
        RunDirectoryError: The file is missing or damaged.
    """
    if not path.is_file():
        raise RunDirectoryError(f"{path}: missing")
    try:
        with pq.ParquetFile(path) as file:
            table = file.read([column.name for column in schema.columns])
        return as_table(
            schema,
            {column.name: _values(column, table[column.name]) for column in schema.columns},
        )
    except _UNREADABLE as error:
        raise damaged(path, error) from None


def _values(column: Column, stored: pa.ChunkedArray) -> NDArray[Any]:
    """Null becomes NaN, a string becomes its code."""
    if column.labels:
        codes = pc.index_in(stored, value_set=_words(column.labels))
        if codes.null_count:
            raise ValueError(f"{column.name} holds something else than {', '.join(column.labels)}")
        stored = codes
    values: NDArray[Any] = stored.to_numpy()
    return values


def read_streams(directory: Path, schema: Schema) -> Columns:
    """All rows of a table that its processes handed over, each in a stream of its own.

    A process that was killed leaves a stream cut off anywhere; its whole batches count.

    Args:
        directory: Holds `<table>-<process>.arrows`.
        schema: Of the table.

    Raises:
        RunDirectoryError: A stream cannot be opened, or holds other columns.
    """
    rows = [schema.empty()]
    for path in sorted(directory.glob(f"{schema.name}-*.arrows")):
        try:
            rows += [_columns(batch, schema) for batch in _whole_batches(path)]
        except _UNREADABLE as error:
            raise damaged(path, error) from None
    return as_table(
        schema,
        {
            column.name: np.concatenate([columns[column.name] for columns in rows])
            for column in schema.columns
        },
    )


def _columns(batch: pa.RecordBatch, schema: Schema) -> Columns:
    return {column.name: batch[column.name].to_numpy() for column in schema.columns}


def _whole_batches(path: Path) -> Iterator[pa.RecordBatch]:
    """The batches of a stream up to where it was cut off; none if not even its head is whole."""
    with pa.OSFile(str(path)) as file:
        try:
            with pa.ipc.open_stream(file) as stream:
                yield from stream
        except (OSError, EOFError, pa.ArrowInvalid):
            return
