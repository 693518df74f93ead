"""A comparison as a table, and in one sentence of plain words; both from the summaries alone."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from reports.wording import listed, per_second, percent, seconds, times

Summary = Mapping[str, Any]
"""The content of a `summary.json`."""

NOT_MEASURED = "-"

_LEVEL = 1.1
"""Two policies less than a tenth apart are not told apart by one run each."""
_NOTABLE = 1.5
"""From this ratio on, another policy's higher peak is worth a word."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """Text in rows and columns."""

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


_ROWS: Mapping[str, tuple[str, Callable[[Any], str]]] = MappingProxyType(
    {
        "recovered_share": ("clients back", percent),
        "time_to_recovery_p95": ("95 % back after", seconds),
        "time_to_recovery_p99": ("99 % back after", seconds),
        "floor": ("fastest possible", seconds),
        "peak_attempt_rate_100ms": ("peak attempts (100 ms)", per_second),
        "peak_arrival_rate_up_1s": ("peak arrivals, server up (1 s)", per_second),
        "amplification": ("attempts per client", "{:,.1f}".format),
        "wasted_share": ("service wasted", percent),
        "verdict": ("verdict", str),
    }
)
"""What a comparison shows: the metric, what it is called here, and how it is written."""


def comparison_table(summaries: Mapping[str, Summary]) -> Table:
    """Metrics against policies: one row per metric, one column per policy.

    Args:
        summaries: By policy.

    Returns:
        Text with units; "never" for what is infinite, "-" for what was not measured.
    """
    rows = [
        (label, *(_cell(summary, metric, write) for summary in summaries.values()))
        for metric, (label, write) in _ROWS.items()
    ]
    return Table(headers=("", *summaries), rows=tuple(rows))


def _cell(summary: Summary, metric: str, write: Callable[[Any], str]) -> str:
    value = _value(summary, metric)
    if isinstance(value, float) and not math.isfinite(value):
        return NOT_MEASURED if math.isnan(value) else "never"
    return write(value)


def _value(summary: Summary, metric: str) -> Any:  # noqa: ANN401 - a metric is a number or a word
    """A metric; infinite for never, NaN for not measured."""
    if metric in summary["unmeasured"]:
        return math.nan
    value = summary[metric]
    return math.inf if value is None else value


def conclusion(summaries: Mapping[str, Summary]) -> str:
    """What a comparison shows, in one sentence.

    Policies are ranked by the time until 95 % of the clients are back for good.

    Args:
        summaries: By policy; one at least.
    """
    late = {name: summary for name, summary in summaries.items() if summary["verdict"] != "ok"}
    if late:
        return _not_to_be_trusted(late)
    if not any(summary["n_episodes"] for summary in summaries.values()):
        return "Nobody lost a connection, so there was no recovery to compare."
    if any(math.isnan(_recovery(summary)) for summary in summaries.values()):
        return "No outage happened, so there was no recovery to compare."
    back = {name: _recovery(summary) for name, summary in summaries.items()}
    finite = {name: time for name, time in back.items() if math.isfinite(time)}
    if not finite:
        return _nobody_recovers(summaries)
    fastest = min(finite.values())
    leaders = [name for name, time in finite.items() if time <= _LEVEL * fastest]
    clauses = [
        _recovers(leaders, summaries, alone=len(summaries) == 1),
        _against_the_rest(leaders, finite, summaries),
    ]
    never = [name for name in summaries if name not in finite]
    if never:
        clauses.append(f"{listed(never)} never {_verb(never, 'recovers')}")
    return "; ".join(filter(None, clauses)) + "."
