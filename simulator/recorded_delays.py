"""Delays that somebody recorded, as a policy: a CSV with the columns `attempt` and `delay`.

Several rows for an attempt are a sample: clients draw from it by its inverse, straight between two
recorded values that are neighbours, so that a value which was recorded over and over is as frequent
among them. After the last attempt that was recorded, its delays go on for ever.
"""

import csv
import math
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from simulator.core.backoff import LONGEST_DELAY, Policy
from simulator.errors import InputError

COLUMNS = ("attempt", "delay")
SUFFIX = ".csv"
_MOST_POINTS = 201
"""Of an attempt's distribution; a larger sample is thinned to so many of its quantiles. The points
become part of the scenario, which people read."""


def recorded_policy(path: Path) -> Policy:
    """The policy of clients whose delays were recorded.

    Args:
        path: The CSV file. Further columns are left alone.

    Raises:
        InputError: It cannot be read, or is malformed; says in which line.
    """
    by_attempt = _rows(path)
    last = max(by_attempt)
    for attempt in range(1, last):
        if attempt not in by_attempt:
            raise InputError(f"{path}: no row of attempt {attempt}, though there are of {last}")
    waits = [_wait(np.sort(by_attempt[attempt])) for attempt in range(1, last + 1)]
    return Policy.model_validate({"name": path.stem, "waits": waits})


def _wait(sample: np.ndarray) -> float | list[tuple[float, float]]:
    """A number, or points (probability, seconds)."""
    if sample[0] == sample[-1]:
        return float(sample[0])
    if sample.size > _MOST_POINTS:
        sample = np.quantile(sample, np.linspace(0.0, 1.0, _MOST_POINTS))
    last = sample.size - 1
    points: list[tuple[float, float]] = []
    for value, places in groupby(range(sample.size), key=lambda place: float(sample[place])):
        run = list(places)
        points += [(place / last, value) for place in dict.fromkeys((run[0], run[-1]))]
    return points


def _rows(path: Path) -> dict[int, list[float]]:
    """Seconds by attempt."""
    delays: dict[int, list[float]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for attempt, delay in _read(path, file):
                delays.setdefault(attempt, []).append(delay)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{path}: cannot be read ({reason})") from None
    if not delays:
        raise InputError(f"{path}: has no rows")
    return delays


def _read(path: Path, file: Any) -> Iterator[tuple[int, float]]:  # noqa: ANN401 - lines of text
    reader = csv.DictReader(file, skipinitialspace=True)
    names = [name.strip() for name in reader.fieldnames or ()]
    reader.fieldnames = names
    for column in COLUMNS:
        if column not in names:
            raise InputError(f"{path}, line 1: no column {column!r}; needed: {', '.join(COLUMNS)}")
    for row in reader:
        place = f"{path}, line {reader.line_num}"
        yield _attempt(row["attempt"], place), _delay(row["delay"], place)


def _attempt(text: str | None, place: str) -> int:
    try:
        attempt = int(text or "")
    except ValueError:
        attempt = 0
    if attempt < 1:
        raise InputError(
            f"{place}: attempt = {_shown(text)}: allowed: a whole number from 1, the first "
            "attempt after the loss"
        )
    return attempt


def _delay(text: str | None, place: str) -> float:
    try:
        delay = float(text or "")
    except ValueError:
        delay = math.nan
    if not 0 <= delay <= LONGEST_DELAY:
        raise InputError(
            f"{place}: delay = {_shown(text)}: allowed: seconds, from 0 to {LONGEST_DELAY:g}"
        )
    return delay


def _shown(text: str | None) -> str:
    return "nothing" if text is None else repr(text)
