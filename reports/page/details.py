"""The tables of a page: policies against metrics, and each outage, cohort and stage."""

import math
from collections.abc import Iterator, Mapping

from reports.page.content import Cell, DataTable
from reports.reading import Summary, value_of
from reports.tables import cell, comparison_rows, label_of, marks
from reports.wording import per_second, seconds
from simulator.results import RunResult

_SIDE_BY_SIDE = 6
"""Policies that are columns; more of them are rows."""
_IN_PARTS = (
    "recovered_share",
    "time_to_recovery_p95",
    "floor",
    "peak_attempt_rate_100ms",
    "amplification",
    "wasted_share",
    "detection_time_p99",
)
"""Metrics that are given for each outage and cohort."""


def policies_table(summaries: Mapping[str, Summary]) -> DataTable:
    """Metrics against policies; best and worst are marked where the verdicts allow a ranking."""
    is_ranked = len(summaries) > 1 and all(
        summary["verdict"] == "ok" and not summary.get("cut_short")
        for summary in summaries.values()
    )
    rows = []
    for row in comparison_rows(summaries):
        ranks = marks(row, summaries) if is_ranked else ("",) * len(row.cells)
        rows.append(
            (
                Cell(text=row.label),
                *(Cell(text=text, mark=mark) for text, mark in zip(row.cells, ranks, strict=True)),
            )
        )
    if len(summaries) == 1:
        caption = "The main numbers"
    elif is_ranked:
        caption = "Metrics by policy; the best and the worst are marked"
    else:
        caption = "Metrics by policy; not ranked, for the verdicts do not allow it"
    if len(summaries) <= _SIDE_BY_SIDE:
        return DataTable(caption=caption, headers=("metric", *summaries), rows=tuple(rows))
    labels, *columns = zip(*rows, strict=True)
    return DataTable(
        caption=caption,
        headers=("policy", *(label.text for label in labels)),
        rows=tuple(
            (Cell(text=name), *column) for name, column in zip(summaries, columns, strict=True)
        ),
    )


def outages_table(
    results: Mapping[str, RunResult], summaries: Mapping[str, Summary]
) -> DataTable | None:
    """A row per policy and outage; None where there is but one outage."""
    if max(len(summary["outages"]) for summary in summaries.values()) < 2:
        return None
    kinds = {
        name: dict(
            zip(
                map(str, result.outages["outage"].tolist()),
                result.to_words("outages", "kind"),
                strict=True,
            )
        )
        for name, result in results.items()
    }
    return _parts_table(
        "Each outage by itself, until the next one",
        "outage",
        {
            name: {
                f"{int(key) + 1}: {kinds[name].get(key, '')}": part
                for key, part in summary["outages"].items()
            }
            for name, summary in summaries.items()
        },
    )


def cohorts_table(summaries: Mapping[str, Summary]) -> DataTable | None:
    """A row per policy and cohort; None where there is but one cohort."""
    if max(len(summary["cohorts"]) for summary in summaries.values()) < 2:
        return None
    return _parts_table(
        "Each cohort by itself",
        "cohort",
        {name: summary["cohorts"] for name, summary in summaries.items()},
    )


def _parts_table(caption: str, what: str, parts: Mapping[str, Mapping[str, Summary]]) -> DataTable:
    shown = [
        metric
        for metric in _IN_PARTS
        if any(
            not _is_nan(value_of(part, metric)) for its in parts.values() for part in its.values()
        )
    ]
    return DataTable(
        caption=caption,
        headers=("policy", what, "connections lost", *map(label_of, shown)),
        rows=tuple(
            (
                Cell(text=name),
                Cell(text=key),
                Cell(text=f"{part['n_episodes']:,}"),
                *(Cell(text=cell(part, metric)) for metric in shown),
            )
            for name, its in parts.items()
            for key, part in its.items()
        ),
    )


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def stages_table(summaries: Mapping[str, Summary]) -> DataTable | None:
    """A row per policy and stage; None where no server left a record."""
    rows = tuple(row for name, summary in summaries.items() for row in _stage_rows(name, summary))
    if not rows:
        return None
    return DataTable(
        caption="Each stage of a connect, the server's own workers first",
        headers=(
            *("policy", "stage", "can take", "jobs", "served", "in vain", "turned away"),
            *("longest queue", "mean wait"),
        ),
        rows=rows,
    )


def _stage_rows(policy: str, summary: Summary) -> Iterator[tuple[Cell, ...]]:
    for stage, its in summary["stages"].items():
        capacity, wait = its["capacity"], its["mean_wait"]
        texts = (
            policy,
            f"{stage} (narrowest)" if stage == summary["binding_stage"] else stage,
            "no limit" if capacity is None else per_second(capacity),
            *(f"{its[name]:,}" for name in ("arrivals", "completed", "wasted", "rejected")),
            f"{its['peak_backlog']:,}",
            "-" if wait is None else seconds(wait),
        )
        yield tuple(Cell(text=text) for text in texts)
