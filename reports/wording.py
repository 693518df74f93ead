"""Numbers as people read them, and the phrases that titles and tables share."""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from server_stub.outage import OutageKind
from simulator.core.outcomes import Outcome
from simulator.metrics.door import Met
from simulator.metrics.episodes import end_of_observation
from simulator.metrics.recovery import Span, spans_of
from simulator.metrics.series import share_connected
from simulator.metrics.states import FleetState
from simulator.results import RunResult

OUTCOME_WORDS: Mapping[Outcome, str] = MappingProxyType(
    {
        Outcome.CONNECTED: "connected",
        Outcome.REFUSED: "refused: nobody listens",
        Outcome.REJECTED: "rejected by the server",
        Outcome.TIMED_OUT: "timed out",
        Outcome.RESET: "reset",
        Outcome.EOF: "closed without an answer",
        Outcome.FAILED: "failed on this machine",
        Outcome.CANCELLED: "under way at the end",
    }
)
STATE_WORDS: Mapping[FleetState, str] = MappingProxyType(
    {
        FleetState.CONNECTED: "connected",
        FleetState.DIALLING: "attempt under way",
        FleetState.WAITING: "waiting to try again",
        FleetState.UNAWARE: "cut off, not yet noticed",
        FleetState.GAVE_UP: "gave up",
    }
)

MET_WORDS: Mapping[Met, str] = MappingProxyType(
    {
        Met.ADMITTED: "let in",
        Met.BACKLOG: "queue full",
        Met.MAX_CONNECTIONS: "too many connections",
        Met.ADMISSION: "not admitted by the rule in front",
        Met.MAX_PER_ADDRESS: "too many from one address",
    }
)
_TROUBLES: Mapping[OutageKind, str] = MappingProxyType(
    {
        OutageKind.NETWORK: "network down",
        OutageKind.SLOW: "server slow",
        OutageKind.IDLE_TIMEOUT: "idle connections forgotten",
    }
)
"""What is wrong while it lasts; with the other kinds the server is down."""


def percent(share: float) -> str:
    """A share in percent; only the whole is 100 %, and only nothing is 0 %."""
    percents = 100 * share
    if 0 < percents < 1 or 99 < percents < 100:
        return f"{min(max(percents, 0.1), 99.9):.1f} %"
    return f"{percents:.0f} %"


def seconds(duration: float) -> str:
    """A duration to a tenth of a second, below one second to a hundredth."""
    if math.isinf(duration):
        return "never"
    return f"{duration:,.2f} s" if 0 < duration < 1 else f"{duration:,.1f} s"


def per_second(rate: float) -> str:
    """A rate of events; below ten to a tenth."""
    return f"{rate:,.1f}/s" if 0 < rate < 10 else f"{rate:,.0f}/s"


def times(ratio: float) -> str:
    """How many times as much."""
    return f"{ratio:,.1f} times" if ratio < 10 else f"{ratio:,.0f} times"


def listed(words: Sequence[str]) -> str:
    """The words as a list in a sentence: "a, b and c"."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def setting(result: RunResult) -> str:
    """What the herd is up against: "1,000 clients, server down for 6.0 s"."""
    spans = spans_of(result, end_of_observation(result))
    clients = f"{result.scenario.n_clients:,} clients"
    if not spans:
        return f"{clients}, no outage"
    by_trouble: dict[str, list[Span]] = {}
    for span in sorted(spans, key=lambda span: span.kind in _TROUBLES):
        by_trouble.setdefault(_trouble(span, result), []).append(span)
    parts = [f"{trouble} {_how_long(its)}" for trouble, its in by_trouble.items()]
    return ", ".join([clients, *parts])


def _trouble(span: Span, result: RunResult) -> str:
    """What is wrong while an outage lasts."""
    n_nodes = result.scenario.server.nodes
    if span.is_deploy:
        return f"{n_nodes} node{'s' if n_nodes > 1 else ''} replaced"
    if span.kind in _TROUBLES:
        return _TROUBLES[span.kind]
    if span.n_nodes < n_nodes:
        return f"{span.n_nodes} of {n_nodes} nodes down"
    return "server down"


def _how_long(spans: Sequence[Span]) -> str:
    longest = max(span.ends_at - span.starts_at for span in spans)
    if math.isinf(longest):
        return "to the end"
    if len(spans) == 1:
        return f"{'within' if spans[0].is_deploy else 'for'} {seconds(longest)}"
    return f"{len(spans)} times, for up to {seconds(longest)}"


def back(result: RunResult, summary: Mapping[str, Any]) -> str:
    """How far the herd came back: "all back within 19.0 s", "23 % back after 28.0 s".

    Args:
        result: A run.
        summary: Its own.

    Returns:
        Seconds count from the end of the outage: the worst one for those who are all back, the
        last one where some are still missing.
    """
    end = end_of_observation(result)
    spans = spans_of(result, end)
    if not spans:
        return "no outage"
    over_at = max(span.ends_at for span in spans)
    if over_at > end:
        return "outage not over at the end"
    if summary["time_to_recovery_p100"] is not None:
        return f"all back within {seconds(summary['time_to_recovery_p100'])}"
    share = float(share_connected(result).share[-1])
    return f"{percent(share)} back after {seconds(end - over_at)}"


def seen_by_server(result: RunResult) -> bool:
    """Are these others' clients, of which only the server's side is known?"""
    return result.manifest.engine == "serve"


def policy_name(result: RunResult) -> str:
    """The policy of a run; of cohorts with different ones, all of them."""
    if seen_by_server(result):
        return "your clients"
    labels = {cohort.policy.label: None for cohort in result.scenario.cohorts}
    return " + ".join(labels)
