"""The documentation of every column of every table, made from the schemas themselves.

`python -m reports.columns_table reports/COLUMNS.md` writes it anew.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from server_stub.tables import Column
from simulator.results import DIGEST, TABLES

_HEAD = """# The columns of a run's tables

Written by `python -m reports.columns_table reports/COLUMNS.md` from the schemas.

A run directory holds a Parquet file per table; `herd export RUN_DIR` writes them as CSV or JSON
lines, `RunResult.to_pandas(NAME)` gives them as data frames. Instants are seconds on the run's
clock, 0 being the moment at which the whole fleet was connected. Columns of words are codes in
`RunResult.table(NAME)`, and words everywhere else. What is NaN here is null in Parquet and in JSON
lines, and empty in CSV; JSON lines have null for infinity, too. `episodes` and `rates` are there in
the place of `attempts` and `disconnects` where the model engine met more attempts than it was to
keep.
"""
_NAMED_BY_SCENARIO = ("cohort", "stage")


def columns_table() -> str:
    """The whole document."""
    return "\n".join([_HEAD, *_rows(), ""])


def _rows() -> Iterator[str]:
    yield "| table | column | type | unit | meaning |"
    yield "| --- | --- | --- | --- | --- |"
    for name, schema in (TABLES | DIGEST).items():
        for column in schema.columns:
            cells = (f"`{name}`", f"`{column.name}`", _type(column), column.unit, _meaning(column))
            yield f"| {' | '.join(cells)} |"


def _type(column: Column) -> str:
    if column.labels or column.name in _NAMED_BY_SCENARIO:
        return "word"
    return str(np.dtype(column.dtype))


def _meaning(column: Column) -> str:
    if column.name in _NAMED_BY_SCENARIO:
        return f"{column.meaning}, by its name in the scenario"
    if not column.labels:
        return column.meaning
    return f"{column.meaning}: {', '.join(f'`{label}`' for label in column.labels)}"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(columns_table(), encoding="utf-8")
