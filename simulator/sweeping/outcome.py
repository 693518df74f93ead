"""What a sweep says: first how often the herd recovers, then how, then what makes a difference.

A herd either recovers or it does not, and near the edge chance decides. A mean over replications
that did and others that did not says nothing of either, so metrics are given of the recovered
alone, beside how many these are.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from simulator.intervals import Interval, mean_of, paired_difference, wilson

RECOVERED_BY = "time_to_recovery_p99"
"""A replication recovered if this is finite: 99 % of the clients are back, and stay so."""
METRICS = (
    "time_to_recovery_p50",
    "time_to_recovery_p95",
    "time_to_recovery_p99",
    "reconnect_time_p95",
    "peak_attempt_rate_100ms",
    "peak_attempt_rate_1s",
    "amplification",
    "wasted_share",
)
"""What is summed up over replications."""
COMPARED = ("time_to_recovery_p95", "peak_attempt_rate_1s", "amplification")
"""Of these the differences between the values of an axis are given."""

Row = Mapping[str, Any]


def recovered(row: Row) -> bool:
    """Did the herd come back? It did if it never left."""
    return row["n_episodes"] == 0 or row[RECOVERED_BY] is not None


def outcome_of(rows: Sequence[Row], *, axes: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """The content of `sweep.json`.

    Args:
        rows: By cell.
        axes: Values by axis.
    """
    cells = {number: list(of_cell) for number, of_cell in groupby(rows, lambda row: row["cell"])}
    return {
        "axes": {axis: list(values) for axis, values in axes.items()},
        "recovered_by": RECOVERED_BY,
        "cells": [_cell(number, of_cell, axes) for number, of_cell in cells.items()],
        "differences": list(_differences(cells, axes)),
    }


def _cell(number: int, rows: Sequence[Row], axes: Mapping[str, Any]) -> dict[str, Any]:
    back = [row for row in rows if recovered(row)]
    return {
        "cell": number,
        "values": {axis: rows[0][axis] for axis in axes},
        "recovered": as_json(wilson(len(back), len(rows))),
        "n_recovered": len(back),
        "n": len(rows),
        "metrics": {
            metric: as_json(mean_of([row[metric] for row in back if row[metric] is not None]))
            for metric in METRICS
        },
    }


def _differences(
    cells: Mapping[int, Sequence[Row]], axes: Mapping[str, tuple[str, ...]]
) -> Iterator[dict[str, Any]]:
    """Of each further value of an axis from its first one, all else and the seed being equal."""
    by_values = {tuple(str(rows[0][axis]) for axis in axes): rows for rows in cells.values()}
    for place, axis in enumerate(axes):
        for values, rows in by_values.items():
            first = _first_of_axis(by_values, values, place)
            if first is None:
                continue
            seeds = {row["seed"]: row for row in first}
            pairs = [(seeds[row["seed"]], row) for row in rows if row["seed"] in seeds]
            yield {
                "axis": axis,
                "from": str(first[0][axis]),
                "to": values[place],
                "others": {other: values[n] for n, other in enumerate(axes) if other != axis},
                "n_pairs": len(pairs),
                "n_recovered": [
                    sum(recovered(row) for row in side) for side in zip(*pairs, strict=True)
                ],
                "metrics": {
                    metric: as_json(
                        paired_difference(
                            [_value(one, metric) for one, _ in pairs],
                            [_value(other, metric) for _, other in pairs],
                        )
                    )
                    for metric in COMPARED
                },
            }


def _first_of_axis(
    by_values: Mapping[tuple[str, ...], Sequence[Row]], values: tuple[str, ...], place: int
) -> Sequence[Row] | None:
    """The cell that differs in this axis alone, and has its first value; None for that cell."""
    for others, rows in by_values.items():
        if others[:place] == values[:place] and others[place + 1 :] == values[place + 1 :]:
            return None if others == values else rows
    return None


def _value(row: Row, metric: str) -> float:
    value = row[metric]
    return math.inf if value is None or not recovered(row) else float(value)


def as_json(interval: Interval) -> dict[str, float | int | None]:
    """An interval as JSON can hold it; None for what is unbounded or unknown."""

    def finite(value: float) -> float | None:
        return value if math.isfinite(value) else None

    return {
        "estimate": finite(interval.estimate),
        "low": finite(interval.low),
        "high": finite(interval.high),
        "n": interval.n,
    }
