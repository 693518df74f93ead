"""What stands out in a run, found by rule: a sentence each, with the numbers that it rests on."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from reports.reading import WASTEFUL, Summary, is_told_late, value_of
from reports.wording import per_second, percent, seconds, times
from simulator.metrics.bunching import overload_time, tightest_bunch
from simulator.results import RunResult

_MANY = 0.5
"""Of the clients that lost their connection: from so many in one bunch on it is a herd."""
_SLOW_TO_NOTICE = 2.0
"""Seconds from which on detection is part of the outage for those who wait."""
_LONG_TAIL = 1.5
"""Ratio of the last client's return to that of 95 %."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that stands out."""

    text: str
    rests_on: str
    """The metrics or tables behind it."""
    is_bad: bool = True


_Rule = Callable[[RunResult, Summary], Iterator[Finding]]


def findings(result: RunResult, summary: Summary) -> tuple[Finding, ...]:
    """What stands out in a run, the gravest first.

    Args:
        result: The run.
        summary: Its own.
    """
    return tuple(finding for rule in _RULES for finding in rule(result, summary))


def findings_by_policy(
    results: Mapping[str, RunResult], summaries: Mapping[str, Summary]
) -> dict[str, tuple[Finding, ...]]:
    """The same for each run of a comparison."""
    return {name: findings(result, summaries[name]) for name, result in results.items()}


def _collapse(result: RunResult, summary: Summary) -> Iterator[Finding]:
    if summary["metastable"]:
        yield Finding(
            text=(
                f"The storm outlives its cause: to the end of the observation more than the "
                f"{per_second(result.capacity)} arrive that the server can take, and hardly any "
                "work is of use. It does not end by itself."
            ),
            rests_on="metastable",
        )


def _still_down(result: RunResult, summary: Summary) -> Iterator[Finding]:
    n = summary["n_censored"]
    if n:
        share = percent(n / summary["n_episodes"])
        yield Finding(
            text=f"{_so_many(n, 'client')} ({share}) still had no connection at the end.",
            rests_on="n_censored",
        )


def _gave_up(result: RunResult, summary: Summary) -> Iterator[Finding]:
    n = summary["n_gave_up"]
    if n:
        first = float(np.nanmin(result.clients["gave_up_at"]))
        yield Finding(
            text=(
                f"{_so_many(n, 'client')} ({percent(n / summary['n_episodes'])}) gave up for good, "
                f"the first of them {seconds(first)} into the run."
            ),
            rests_on="n_gave_up, clients.gave_up_at",
        )


def _starvation(result: RunResult, summary: Summary) -> Iterator[Finding]:
    n = summary["n_healthy_lost"]
    if n:
        yield Finding(
            text=(
                f"{_so_many(n, 'connection')} broke that no outage had touched: the storm starved "
                "them of answers to their heartbeats, or they were closed as no use."
            ),
            rests_on="n_healthy_lost",
        )


def _lockstep(result: RunResult, summary: Summary) -> Iterator[Finding]:
    bunch, n_lost = tightest_bunch(result), summary["n_episodes"]
    if bunch is None or "n_attempts" in summary["unmeasured"]:
        return
    lost = min(n_lost, summary["n_clients"])
    n = bunch.n_attempts if bunch.n_clients is None else bunch.n_clients
    if lost < 2 or n < _MANY * lost:
        return
    what = "attempts fell" if bunch.n_clients is None else "clients tried"
    who = f"All {n:,}" if n == summary["n_clients"] else f"{n:,}"
    within = (
        f"at the same instant, second {bunch.at:.1f}"
        if bunch.width < 0.0005
        else f"within {1000 * bunch.width:,.0f} ms of second {bunch.at:.1f}"
    )
    yield Finding(
        text=f"{who} {what} {within}: the herd moves as one.",
        rests_on="attempts.started_at, peak_attempt_rate_100ms",
    )


def _waste(result: RunResult, summary: Summary) -> Iterator[Finding]:
    share = value_of(summary, "wasted_share")
    if share >= WASTEFUL:
        yield Finding(
            text=f"{percent(share)} of the service at the narrowest stage went to clients that had "
            "already given up on it.",
            rests_on="wasted_share",
        )


def _storm_width(result: RunResult, summary: Summary) -> Iterator[Finding]:
    duration, peak = overload_time(result), value_of(summary, "peak_arrival_rate_up_1s")
    if duration > 0 and peak > result.capacity:
        yield Finding(
            text=(
                f"For {seconds(duration)} after the outage more arrived than the "
                f"{per_second(result.capacity)} that the server can take, at worst "
                f"{per_second(peak)} ({times(peak / result.capacity)} as many)."
            ),
            rests_on="peak_arrival_rate_up_1s, server.arrivals",
        )


def _turned_away(result: RunResult, summary: Summary) -> Iterator[Finding]:
    met = summary["turned_away"] or {}
    n, n_arrivals = sum(met.values()), summary["n_arrivals"]
    if n and n_arrivals:
        most = max(met, key=met.__getitem__)
        yield Finding(
            text=(
                f"{n:,} of {n_arrivals:,} arrivals were turned away, {met[most]:,} of them by "
                f"the rule {most!r}."
            ),
            rests_on="turned_away",
            is_bad=False,
        )


def _closed_door(result: RunResult, summary: Summary) -> Iterator[Finding]:
    n, total = summary["outcomes"].get("refused", 0), summary["n_attempts"]
    if total and n >= _MANY * total:
        yield Finding(
            text=f"{n:,} of {total:,} attempts found nobody listening: harmless to the server, and "
            "of no use to the client.",
            rests_on="outcomes.refused",
            is_bad=False,
        )


def _late_notice(result: RunResult, summary: Summary) -> Iterator[Finding]:
    late = value_of(summary, "detection_time_p99")
    if late >= _SLOW_TO_NOTICE:
        when = "not within the observation" if math.isinf(late) else f"only after {seconds(late)}"
        yield Finding(
            text=f"One client in a hundred noticed its loss {when}: the heartbeat is the delay.",
            rests_on="detection_time_p99",
        )


def _long_tail(result: RunResult, summary: Summary) -> Iterator[Finding]:
    most, everybody = (value_of(summary, f"time_to_recovery_{name}") for name in ("p95", "p100"))
    if 0 < most * _LONG_TAIL <= everybody < math.inf:
        yield Finding(
            text=(
                f"The last client was back {seconds(everybody)} after the outage, "
                f"{times(everybody / most)} as long as 95 % took: the price of long delays."
            ),
            rests_on="time_to_recovery_p100",
            is_bad=False,
        )


def _sync(result: RunResult, summary: Summary) -> Iterator[Finding]:
    told = value_of(summary, "time_to_sync_p95")
    if is_told_late(summary) and math.isfinite(told):
        yield Finding(
            text=(
                f"To be connected is not to be served: 95 % know what they missed only "
                f"{seconds(told)} after the outage."
            ),
            rests_on="time_to_sync_p95",
        )
    n = value_of(summary, "n_full_refresh")
    if n > 0:
        yield Finding(
            text=f"{n:,.0f} full refreshes were asked for.",
            rests_on="n_full_refresh",
            is_bad=False,
        )


def _losses(result: RunResult, summary: Summary) -> Iterator[Finding]:
    for metric, what in (
        ("n_events_missed", "events never reached their clients"),
        ("n_operations_lost", "operations were lost"),
        ("n_operations_duplicated", "operations were applied twice"),
    ):
        n = value_of(summary, metric)
        if n > 0:
            yield Finding(text=f"{n:,.0f} {what}.", rests_on=metric)


def _so_many(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


_RULES: tuple[_Rule, ...] = (
    _collapse,
    _still_down,
    _gave_up,
    _starvation,
    _lockstep,
    _waste,
    _storm_width,
    _late_notice,
    _sync,
    _losses,
    _turned_away,
    _closed_door,
    _long_tail,
)
"""The gravest first."""
