"""Numbers as people read them, and the phrases that titles and tables share."""

import math
from collections.abc import Mapping
from typing import Any

from simulator.metrics.episodes import end_of_observation
from simulator.metrics.recovery import spans_of
from simulator.metrics.series import share_connected
from simulator.results import RunResult


def percent(share: float) -> str:
    """A share in percent; only all of it is 100 %, and only none of it 0 %."""
    percents = 100 * share
    if 0 < percents < 1 or 99 <= percents < 100:
        nearest = min(max(round(percents, 1), 0.1), 99.9)
        return f"{nearest:g} %"
    return f"{percents:.0f} %"


def seconds(duration: float) -> str:
    """A duration in seconds, to a tenth; to a hundredth below one."""
    if math.isinf(duration):
        return "never"
    rounded = round(duration, 1 if duration >= 1 else 2)
    return f"{rounded:,.1f} s" if rounded % 1 else f"{rounded:,.0f} s"


def per_second(rate: float) -> str:
    """A rate of events."""
    return f"{rate:,.0f}/s" if rate >= 10 or rate == 0 else f"{rate:.1f}/s"


def setting(result: RunResult) -> str:
    """What the herd is up against: "1,000 clients, down for 6 s, capacity 100/s"."""
    spans = spans_of(result, end_of_observation(result))
    downtime = " and ".join(seconds(span.ends_at - span.starts_at) for span in spans[:3])
    if len(spans) > 3:
        downtime = f"{len(spans)} times"
    down = f"server down for {downtime}" if spans else "no outage"
    return f"{result.scenario.n_clients:,} clients, {down}"


def back(result: RunResult, summary: Mapping[str, Any]) -> str:
    """How far the herd has come back: "all back within 19 s", "23 % back after 28 s".

    Args:
        result: A run.
        summary: Its own.
    """
    end = end_of_observation(result)
    spans = spans_of(result, end)
    if not spans:
        return "no outage"
    if spans[-1].ends_at > end:
        return "the outage was not over"
    if summary["time_to_recovery_p100"] is not None:
        return f"all back within {seconds(summary['time_to_recovery_p100'])}"
    share = float(share_connected(result).share[-1])
    return f"{percent(share)} back after {seconds(end - spans[-1].ends_at)}"
