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

_RANKED_BY = "time_to_recovery_p95"
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


def _is_measured(metric: str) -> Callable[[Summary], bool]:
    return lambda summary: metric not in summary["unmeasured"]


def _is_told_late(summary: Summary) -> bool:
    """Do clients wait for what they missed long after they are back?"""
    told, back = (_value(summary, name) for name in ("time_to_sync_p95", _RANKED_BY))
    return math.isinf(told) or bool(told > _LEVEL * back)


_SHOWN_IF: Mapping[str, Callable[[Summary], bool]] = MappingProxyType(
    {
        **{
            metric: _is_measured(metric)
            for metric in ("n_events_missed", "n_full_refresh", "n_operations_lost")
        },
        "time_to_sync_p95": _is_told_late,
        "n_healthy_lost": lambda summary: summary["n_healthy_lost"] > 0,
        "binding_stage": lambda summary: len(summary["stages"]) > 1,
    }
)
"""Rows that are shown only where this holds for some run."""


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
        if metric not in _SHOWN_IF or any(map(_SHOWN_IF[metric], summaries.values()))
    ]
    return Table(headers=("metric", *summaries), rows=tuple(rows))


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

    Policies are ranked by the time until 95 % of the clients are back for good; where those that
    ask what they missed are never told, they are not back.

    Args:
        summaries: By policy; one at least.
    """
    if partial := [name for name, summary in summaries.items() if summary.get("cut_short")]:
        return (
            f"There is nothing to conclude: {listed(partial)} "
            f"{'was' if len(partial) == 1 else 'were'} cut short."
        )
    late = {name: summary for name, summary in summaries.items() if summary["verdict"] != "ok"}
    if late:
        return _not_to_be_trusted(late)
    if not any(summary["n_episodes"] for summary in summaries.values()):
        return "Nobody lost a connection, so there was no recovery to compare."
    times_back = {name: _time_back(summary) for name, summary in summaries.items()}
    if any(map(math.isnan, times_back.values())):
        return "No outage ended within the observation, so there was no recovery to compare."
    by_time = sorted(summaries, key=times_back.__getitem__)
    recovered = {name: times_back[name] for name in by_time if math.isfinite(times_back[name])}
    if not recovered:
        return _nobody_recovers(summaries)
    clauses = [
        _recovers(recovered, summaries),
        _higher_peak(by_time[0], summaries),
        _never_recovers([name for name in summaries if name not in recovered], summaries),
    ]
    return "; ".join(filter(None, clauses)) + "."


def _not_to_be_trusted(late: Mapping[str, Summary]) -> str:
    """Which runs a busy machine blurred, by the worse of the two lags."""
    findings, culprits = [], set()
    for name, summary in late.items():
        lags = {
            "load generator": _value(summary, "generator_lag_p99"),
            "server stub": _value(summary, "server_lag_p99"),
        }
        culprit = max(lags, key=lambda who: -1.0 if math.isnan(lags[who]) else lags[who])
        culprits.add(culprit)
        findings.append(f"{name} is {summary['verdict']} ({culprit} {seconds(lags[culprit])} late)")
    owners = listed([f"the {culprit}'s" for culprit in sorted(culprits)])
    return (
        f"These figures are not to be trusted, for they show {owners} own limits rather than "
        f"those of the policies: {listed(findings)}; try fewer clients or longer delays."
    )


def _nobody_recovers(summaries: Mapping[str, Summary]) -> str:
    shares = [f"{_back(summary)} are back with {name}" for name, summary in summaries.items()]
    subject = "The herd does not recover" if len(shares) == 1 else "No policy lets the herd recover"
    untold = _never_told([name for name in summaries if _is_never_told(summaries[name])])
    found = f"{subject}: at the end of the observation {listed(shares)}"
    return "; ".join(filter(None, [found, untold])) + "."


def _time_back(summary: Summary) -> float:
    """Seconds; infinite also for clients that are back but never told what they missed."""
    return math.inf if _is_never_told(summary) else float(_value(summary, _RANKED_BY))


def _is_never_told(summary: Summary) -> bool:
    """Of a herd that is not back at all it is not worth saying."""
    return summary["recovered_share"] != 0 and math.isinf(_value(summary, "time_to_sync_p95"))


def _never_told(names: Sequence[str]) -> str:
    if not names:
        return ""
    return f"with {listed(names)} clients that are connected are never told what they missed"


def _recovers(recovered: Mapping[str, float], summaries: Mapping[str, Summary]) -> str:
    """Who recovers fastest, and how long the others take.

    Args:
        recovered: Seconds by policy, the fastest first; those that recover.
        summaries: Of all policies.
    """
    fastest, best = next(iter(recovered.items()))
    level = [name for name, time in recovered.items() if time <= _LEVEL * best]
    slower = [
        f"{name} after {seconds(time)}" for name, time in recovered.items() if name not in level
    ]
    if len(summaries) == 1:
        who = f"With {fastest} the herd recovers"
    elif len(level) > 1:
        who = f"{listed(level)} recover about equally fast"
    elif len(recovered) == 1:
        who = f"Only {fastest} lets the herd recover"
    else:
        who = f"{fastest} recovers fastest"
    floor = _value(summaries[fastest], "floor")
    beside = f" ({times(best / floor)} the fastest possible)" if floor > 0 and best > 0 else ""
    rest = f", {listed(slower)}" if slower else ""
    when = f"{seconds(best)} after the outage" if best > 0 else "when the outage is over"
    return f"{who}: 95 % of the clients are back {when}{beside}{rest}"


def _higher_peak(fastest: str, summaries: Mapping[str, Summary]) -> str:
    """How much higher than the fastest policy's the highest peak of arrivals is, if notably."""
    peaks = {
        name: _value(summary, "peak_arrival_rate_up_1s") for name, summary in summaries.items()
    }
    highest = max(peaks, key=peaks.__getitem__)
    if not 0 < _NOTABLE * peaks[fastest] <= peaks[highest]:
        return ""
    return (
        f"arrivals peak at {per_second(peaks[fastest])} with {fastest} and at "
        f"{per_second(peaks[highest])} with {highest} "
        f"({times(peaks[highest] / peaks[fastest])} as many)"
    )


def _never_recovers(names: Sequence[str], summaries: Mapping[str, Summary]) -> str:
    if not names:
        return ""
    untold = [name for name in names if _is_never_told(summaries[name])]
    clauses = [_never_told(untold)] if untold else []
    names = [name for name in names if name not in untold]
    hurried = [name for name in names if _value(summaries[name], "recovered_share") == 1.0]
    if hurried:
        clauses.append(f"with {listed(hurried)} not everybody is back when the next outage comes")
    never = [name for name in names if name not in hurried]
    if never:
        shares = listed([_back(summaries[name]) for name in never])
        verb = "recovers" if len(never) == 1 else "recover"
        clauses.append(f"{listed(never)} never {verb} ({shares} back)")
    return "; ".join(clauses)


def _back(summary: Summary) -> str:
    return percent(_value(summary, "recovered_share"))
