"""Fits a server's capacity to the connects per second of a real incident, from a CSV file."""

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simulator.calibration.fitted import Fitted
from simulator.errors import InputError
from simulator.intervals import Z

_NEAR = 0.8
"""Share of the highest rates above which a bin belongs to the plateau."""
_LEAST_BINS = 3
"""Bins of a plateau from which it counts as one."""
_MOST_ROWS = 20_000_000
_ALLOWED = (
    "allowed: a CSV of one column of timestamps, or of a time and a count; times as seconds or as "
    "ISO 8601"
)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Counts:
    """Connects per bin of time."""

    width: float
    """Seconds of a bin."""
    n: NDArray[np.float64]
    """Connects in each bin."""


def fit_incident(path: Path) -> Fitted:
    """The capacity of a server whose connects were exported.

    The storm's plateau is the longest stretch of bins near the highest rates; what the server did
    there, bin by bin but for the first and the last, is its capacity, if it was a server at its
    limit: that clients were waiting all the time is what the file cannot show.

    Raises:
        InputError: The file cannot be read as one.
    """
    counts = read_counts(path)
    plateau = _plateau(counts.n)
    inside = counts.n[plateau]
    if inside.size > _LEAST_BINS + 2:
        inside = inside[1:-1]
    capacity = float(inside.mean()) / counts.width
    is_plateau = inside.size >= _LEAST_BINS
    error = Z * math.sqrt(max(float(inside.sum()), 1.0)) / max(float(inside.sum()), 1.0)
    remarks = ["Connects alone: workers, service time and queue cannot be told apart."]
    if not is_plateau:
        remarks.append("No plateau: this is the most the server was seen to do, not its limit.")
    return Fitted(
        source=path.name,
        capacity=capacity,
        capacity_low=capacity * (1 - error) if is_plateau else capacity,
        capacity_high=capacity * (1 + error) if is_plateau else math.inf,
        n_busy=int(inside.sum()),
        service_time=None,
        service_cv=None,
        n_idle=0,
        workers=None,
        backlog=None,
        backlog_at_least=0,
        overflow="reject",
        abandoned=None,
        remarks=tuple(remarks),
    )


def _plateau(n: NDArray[np.float64]) -> slice:
    """The longest run of bins near the highest rates."""
    level = _NEAR * float(np.quantile(n[n > 0], 0.9))
    high = np.r_[False, n >= level, False]
    begins = np.flatnonzero(~high[:-1] & high[1:])
    ends = np.flatnonzero(high[:-1] & ~high[1:])
    longest = int(np.argmax(ends - begins))
    return slice(int(begins[longest]), int(ends[longest]))


def read_counts(path: Path) -> Counts:
    """Connects over time from a CSV of timestamps, or of times and counts; a header may be there.

    Raises:
        InputError: It cannot be read, or is neither.
    """
    rows = list(_rows(path))
    if not rows:
        raise InputError(f"{path}: no rows; {_ALLOWED}")
    at = np.array([row[0] for row in rows])
    order = np.argsort(at, kind="stable")
    at = at[order]
    if len(rows[0]) == 1:
        return _binned(path, at)
    n = np.array([row[1] for row in rows])[order]
    steps = np.diff(at)
    steps = steps[steps > 0]
    if steps.size != at.size - 1 or not steps.size:
        raise InputError(f"{path}: times repeat, or there is one only; {_ALLOWED}")
    width = float(np.median(steps))
    filled = np.zeros(round((at[-1] - at[0]) / width) + 1)
    filled[np.round((at - at[0]) / width).astype(int)] = n
    if not filled.any():
        raise InputError(f"{path}: no connects in it; {_ALLOWED}")
    return Counts(width=width, n=filled)


def _binned(path: Path, at: NDArray[np.float64]) -> Counts:
    width = 1.0
    if at[-1] - at[0] < 2 * width:
        raise InputError(f"{path}: timestamps within {at[-1] - at[0]:g} s; allowed: 2 s or more")
    n = np.bincount((at - at[0]).astype(np.int64)).astype(np.float64)
    return Counts(width=width, n=n)


def _rows(path: Path) -> Iterator[tuple[float, ...]]:
    n_columns = 0
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for number, row in enumerate(csv.reader(file), start=1):
                if not row or not any(cell.strip() for cell in row):
                    continue
                values = _values(row)
                if values is None:
                    if number == 1:
                        continue
                    raise InputError(f"{path}, line {number}: {','.join(row)!r}; {_ALLOWED}")
                n_columns = n_columns or len(values)
                if len(values) != n_columns or number > _MOST_ROWS:
                    raise InputError(f"{path}, line {number}: {','.join(row)!r}; {_ALLOWED}")
                yield values
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"{path}: {reason}; {_ALLOWED}") from None


def _values(row: Sequence[str]) -> tuple[float, ...] | None:
    """Time, and count if there is one; None if it is no such row."""
    if len(row) > 2:
        return None
    try:
        at = _seconds(row[0].strip())
        values = (at,) if len(row) == 1 else (at, float(row[1]))
    except ValueError:
        return None
    return values if all(map(math.isfinite, values)) and values[-1] >= min(0.0, at) else None


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return datetime.fromisoformat(text).timestamp()
