"""Tables as text for other programs: CSV or JSON lines, codes as the words that they stand for."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
from numpy.typing import NDArray

from server_stub.tables import Column
from simulator.errors import RunDirectoryError
from simulator.results import DIGEST, TABLES, RunResult, table_schema

_ROWS_AT_A_TIME = 65_536


def table_names(result: RunResult) -> tuple[str, ...]:
    """The tables that a run has; those that stand in for others, where it has them."""
    return (*TABLES, *(() if result.digest is None else DIGEST))


def write_text(result: RunResult, table: str, file: BinaryIO, *, format: str) -> None:
    """Write one table.

    Args:
        result: Any run.
        table: Its name.
        file: Open for bytes.
        format: "csv", with a header, where what is not known is empty; or "jsonl", an object per
            line, where it is null. JSON has no infinity either: that is null as well.

    Raises:
        UnknownNameError: There is no such table.
    """
    columns = result.table(table)
    schema = table_schema(table, result.scenario)
    n_rows = columns[schema.columns[0].name].size
    for start in range(0, max(n_rows, 1), _ROWS_AT_A_TIME):
        rows = slice(start, start + _ROWS_AT_A_TIME)
        part = {column.name: (column, columns[column.name][rows]) for column in schema.columns}
        _WRITERS[format](part, file, start == 0)


def export(result: RunResult, directory: Path, *, format: str) -> list[Path]:
    """Write every table of a run into a directory, a file for each.

    Args:
        result: Any run.
        directory: Made if it is not there; files in it are replaced.
        format: "csv" or "jsonl".

    Returns:
        The files written.

    Raises:
        RunDirectoryError: It cannot be written.
    """
    written = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name in table_names(result):
            path = directory / f"{name}.{format}"
            with path.open("wb") as file:
                write_text(result, name, file, format=format)
            written.append(path)
    except OSError as error:
        raise RunDirectoryError(f"{directory}: cannot be written ({error.strerror})") from None
    return written


_Part = Mapping[str, tuple[Column, NDArray[np.generic]]]


def _write_csv(part: _Part, file: BinaryIO, is_first: bool) -> None:
    table = pa.table({name: _as_arrow(column, values) for name, (column, values) in part.items()})
    options = pc.WriteOptions(include_header=is_first, quoting_style="needed")
    pc.write_csv(table, file, options)


def _write_json_lines(part: _Part, file: BinaryIO, is_first: bool) -> None:
    cells = [_as_json(column, values) for column, values in part.values()]
    lines: Iterator[str] = (
        json.dumps(dict(zip(part, row, strict=True)), allow_nan=False)
        for row in zip(*cells, strict=True)
    )
    file.writelines(f"{line}\n".encode() for line in lines)


_WRITERS: Mapping[str, Callable[[_Part, BinaryIO, bool], None]] = {
    "csv": _write_csv,
    "jsonl": _write_json_lines,
}
FORMATS = tuple(_WRITERS)
"""What tables can be written as."""


def _as_arrow(column: Column, values: NDArray[np.generic]) -> pa.Array:
    """Words, or numbers of which NaN is null."""
    if column.labels:
        return pa.array(np.asarray(column.labels, dtype=object)[values.astype(np.intp)].tolist())
    mask = np.isnan(values.astype(np.float64)) if values.dtype.kind == "f" else None
    return pa.array(values, mask=mask)


def _as_json(column: Column, values: NDArray[np.generic]) -> list[object]:
    if column.labels:
        return [column.labels[int(code)] for code in values.astype(np.intp)]
    if values.dtype.kind != "f":
        return list(values.tolist())
    finite = np.isfinite(values.astype(np.float64))
    return [value if known else None for value, known in zip(values.tolist(), finite, strict=True)]
