"""A comparison as a table, from the summaries alone."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from reports.reading import Summary, is_told_late, time_back, value_of
from reports.wording import per_second, percent, seconds

NOT_MEASURED = "-"


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """Text in rows and columns."""

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One metric under each policy."""

    metric: str
    """Its name in a summary."""
    label: str
    """What it is called here."""
    cells: tuple[str, ...]
    """One per policy."""


_ROWS: Mapping[str, tuple[str, Callable[[Any], str]]] = MappingProxyType(
    {
        "recovered_share": ("clients back", percent),
        "time_to_recovery_p95": ("95 % back after", seconds),
        "time_to_recovery_p99": ("99 % back after", seconds),
        "time_to_sync_p95": ("95 % told what they missed after", seconds),
        "floor": ("fastest possible", seconds),
        "peak_attempt_rate_100ms": ("peak attempts (100 ms)", per_second),
        "peak_arrival_rate_up_1s": ("peak arrivals, server up (1 s)", per_second),
        "amplification": ("attempts per client", "{:,.1f}".format),
        "n_healthy_lost": ("healthy connections lost", "{:,}".format),
        "binding_stage": ("narrowest stage", str),
        "wasted_share": ("service wasted", percent),
        "detection_time_p99": ("loss noticed after (99 %)", seconds),
        "n_events_missed": ("events missed", "{:,}".format),
        "n_full_refresh": ("full refreshes", "{:,}".format),
        "n_operations_lost": ("operations lost", "{:,}".format),
        "verdict": ("verdict", str),
    }
)
"""What a comparison shows: the metric, what it is called here, and how it is written."""

_BEST_IS_HIGHEST = frozenset({"recovered_share"})
_BEST_IS_LOWEST = frozenset(
    {
        "time_to_recovery_p95",
        "time_to_recovery_p99",
        "time_to_sync_p95",
        "peak_attempt_rate_100ms",
        "peak_arrival_rate_up_1s",
        "amplification",
        "n_healthy_lost",
        "wasted_share",
        "detection_time_p99",
        "n_events_missed",
        "n_full_refresh",
        "n_operations_lost",
    }
)


def _is_measured(metric: str) -> Callable[[Summary], bool]:
    return lambda summary: metric not in summary["unmeasured"]


_SHOWN_IF: Mapping[str, Callable[[Summary], bool]] = MappingProxyType(
    {
        **{
            metric: _is_measured(metric)
            for metric in ("n_events_missed", "n_full_refresh", "n_operations_lost")
        },
        "time_to_sync_p95": is_told_late,
        "n_healthy_lost": lambda summary: summary["n_healthy_lost"] > 0,
        "binding_stage": lambda summary: len(summary["stages"]) > 1,
    }
)
"""Rows that are shown only where this holds for some run."""


def comparison_rows(summaries: Mapping[str, Summary]) -> tuple[Row, ...]:
    """The metrics that a comparison shows.

    Args:
        summaries: By policy.

    Returns:
        Text with units; "never" for what is infinite, "-" for what was not measured.
    """
    return tuple(
        Row(
            metric=metric,
            label=label,
            cells=tuple(cell(summary, metric) for summary in summaries.values()),
        )
        for metric, (label, _) in _ROWS.items()
        if metric not in _SHOWN_IF or any(map(_SHOWN_IF[metric], summaries.values()))
    )


def comparison_table(summaries: Mapping[str, Summary]) -> Table:
    """Metrics against policies: one row per metric, one column per policy.

    Args:
        summaries: By policy.
    """
    rows = tuple((row.label, *row.cells) for row in comparison_rows(summaries))
    return Table(headers=("metric", *summaries), rows=rows)


def table_by_policy(summaries: Mapping[str, Summary]) -> tuple[Table, list[tuple[str, str]]]:
    """Policies against metrics: one row per policy, for comparisons of many.

    Args:
        summaries: By policy.

    Returns:
        The table, without the metrics that are the same for all; and those, by name.
    """
    wide = comparison_table(summaries)
    same = [(label, cells[0]) for label, *cells in wide.rows if len(set(cells)) == 1]
    columns = [row for row in wide.rows if len(set(row[1:])) > 1]
    rows = zip(summaries, *(cells for _, *cells in columns), strict=True)
    headers = ("policy", *(label for label, *_ in columns))
    return Table(headers=headers, rows=tuple(rows)), same


def marks(row: Row, summaries: Mapping[str, Summary]) -> tuple[str, ...]:
    """Which policies are "best" and "worst" by a metric, "" for the others.

    Equals share a mark; where all read the same, or a metric is good or bad to nobody, there is
    none. A policy under which the herd does not recover is best at nothing, as long as another
    does: to give up is easy on the server.

    Args:
        row: Of these summaries.
        summaries: By policy.
    """
    nothing = ("",) * len(row.cells)
    sign = -1.0 if row.metric in _BEST_IS_HIGHEST else 1.0
    if sign > 0 and row.metric not in _BEST_IS_LOWEST:
        return nothing
    values = {
        name: sign * value
        for name, summary in summaries.items()
        if not math.isnan(value := float(value_of(summary, row.metric)))
    }
    if len(values) < 2:
        return nothing
    recovered = {name for name in values if math.isfinite(time_back(summaries[name]))}
    texts = dict(zip(summaries, row.cells, strict=True))
    fit = recovered or set(values)
    best = texts[min((name for name in values if name in fit), key=values.__getitem__)]
    worst = texts[max(values, key=values.__getitem__)]
    if best == worst:
        return nothing
    return tuple(
        "best" if text == best and name in fit else "worst" if text == worst else ""
        for name, text in texts.items()
    )


def label_of(metric: str) -> str:
    """What a metric is called in tables."""
    return _ROWS[metric][0]


def cell(summary: Summary, metric: str) -> str:
    """A metric as tables write it.

    Args:
        summary: Of a run, an outage or a cohort.
        metric: One that comparisons show.
    """
    value = value_of(summary, metric)
    if isinstance(value, float) and not math.isfinite(value):
        return NOT_MEASURED if math.isnan(value) else "never"
    return _ROWS[metric][1](value)
