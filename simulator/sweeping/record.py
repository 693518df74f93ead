"""What a sweep leaves on disk, row by row, and how it is read back and taken up again."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from simulator.errors import RunDirectoryError
from simulator.results import the_pandas
from simulator.run_directory import SCENARIO, write_json
from simulator.sweeping.grid import Grid
from simulator.sweeping.outcome import outcome_of

if TYPE_CHECKING:
    import pandas as pd

GRID = "grid.json"
ROWS = "rows.jsonl"
TABLE = "sweep.parquet"
OUTCOME = "sweep.json"

Row = Mapping[str, Any]
"""One replication of one cell: `cell`, `replication`, `seed`, the axes, the metrics; None where a
metric is infinite, or was not measured."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class Sweep:
    """A sweep that is on disk, finished or not."""

    directory: Path
    axes: Mapping[str, tuple[str, ...]]
    """Values by axis, as they were written."""
    engine: str
    replications: int
    rows: tuple[Row, ...]
    """By cell and replication."""
    failures: tuple[Mapping[str, Any], ...] = ()
    """Of replications that could not be run: `cell`, `replication`, `error`."""

    def __repr__(self) -> str:
        return f"Sweep({' x '.join(self.axes)}; {len(self.rows):,} rows; in {self.directory})"

    @property
    def outcome(self) -> dict[str, Any]:
        """The content of `sweep.json`; see `simulator.sweeping.outcome`."""
        return outcome_of(self.rows, axes=self.axes)

    def to_pandas(self) -> "pd.DataFrame":
        """A row per cell and replication; infinite and unmeasured metrics are missing.

        Raises:
            InputError: pandas is not installed.
        """
        frame: pd.DataFrame = the_pandas().DataFrame(list(self.rows))
        return frame


class Record:
    """The rows of a sweep while it runs: each is on disk as soon as it is known."""

    def __init__(self, directory: Path, grid: Grid) -> None:
        """Begin, or take up again what was interrupted.

        Raises:
            RunDirectoryError: Something else is there, or a sweep of another grid.
        """
        self.directory = directory
        self._grid = grid
        if directory.is_dir() and any(directory.iterdir()):
            self._rows = self._taken_up()
        else:
            try:
                directory.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                message = f"{directory}: cannot be created ({error.strerror})"
                raise RunDirectoryError(message) from None
            (directory / SCENARIO).write_text(grid.base.to_toml(), encoding="utf-8")
            self._rows = {}
        self._failures: list[Mapping[str, Any]] = []
        self._write_grid()
        self._file: TextIO = (directory / ROWS).open("a", encoding="utf-8")

    def _taken_up(self) -> dict[tuple[int, int], Row]:
        known = _read_grid(self.directory)
        if known["key"] != self._grid.key:
            raise RunDirectoryError(
                f"{self.directory}: holds a sweep of another grid, or by another engine; allowed: "
                "the same once more, or another --out"
            )
        rows = _read_rows(self.directory)
        # Half a line, left by a process that was killed, must not spoil the next one.
        text = "".join(f"{json.dumps(row)}\n" for row in rows)
        (self.directory / ROWS).write_text(text, encoding="utf-8")
        return {(row["cell"], row["replication"]): row for row in rows}

    def _write_grid(self) -> None:
        write_json(
            self.directory / GRID,
            {
                "key": self._grid.key,
                "axes": {axis: list(values) for axis, values in self._grid.axes.items()},
                "engine": self._grid.engine,
                "replications": self._grid.replications,
                "failures": self._failures,
            },
        )

    def has(self, cell: int, replication: int) -> bool:
        """Is this one done?"""
        return (cell, replication) in self._rows

    def add(self, row: Row) -> None:
        """Keep a row."""
        self._rows[row["cell"], row["replication"]] = row
        self._file.write(f"{json.dumps(row)}\n")
        self._file.flush()

    def fail(self, cell: int, replication: int, error: str) -> None:
        """Keep that one could not be run."""
        self._failures.append({"cell": cell, "replication": replication, "error": error})
        self._write_grid()

    def close(self) -> Sweep:
        """Write the table and the outcome, of what there is."""
        self._file.close()
        found = load_sweep(self.directory)
        if found.rows:
            _write_table(found.rows, self.directory / TABLE)
            write_json(self.directory / OUTCOME, found.outcome)
        return found


def load_sweep(directory: Path | str) -> Sweep:
    """Read a sweep back, also one that was interrupted.

    Raises:
        RunDirectoryError: It is not one, or cannot be read.
    """
    directory = Path(directory)
    known = _read_grid(directory)
    rows = [row for row in _read_rows(directory) if row["replication"] < known["replications"]]
    return Sweep(
        directory=directory,
        axes={axis: tuple(values) for axis, values in known["axes"].items()},
        engine=known["engine"],
        replications=known["replications"],
        rows=tuple(sorted(rows, key=lambda row: (row["cell"], row["replication"]))),
        failures=tuple(known["failures"]),
    )


def _read_grid(directory: Path) -> dict[str, Any]:
    try:
        known: dict[str, Any] = json.loads((directory / GRID).read_bytes())
    except FileNotFoundError:
        raise RunDirectoryError(f"{directory}: holds no sweep ({GRID} is missing)") from None
    except (OSError, ValueError) as error:
        raise RunDirectoryError(f"{directory / GRID}: cannot be read ({error})") from None
    return known


def _read_rows(directory: Path) -> list[Row]:
    """All rows that were written whole."""
    try:
        text = (directory / ROWS).read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    whole, _, _ = text.rpartition("\n")
    try:
        return [json.loads(line) for line in whole.splitlines()]
    except ValueError as error:
        raise RunDirectoryError(f"{directory / ROWS}: cannot be read ({error})") from None


def _write_table(rows: Sequence[Row], path: Path) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = pa.table({name: pa.array([row.get(name) for row in rows]) for name in names})
    pq.write_table(table, path)


def typed(text: str) -> str | float | int:
    """A value of an axis as a number, if all of it is one."""
    for read in (int, float):
        try:
            value = read(text)
        except ValueError:
            continue
        return value if math.isfinite(value) else text
    return text
