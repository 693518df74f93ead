"""What to ship, and why: the one sentence that a report begins with, from the summaries alone."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from reports.conclusion import conclusion
from reports.reading import (
    NOTABLE,
    RANKED_BY,
    Summary,
    is_never_told,
    level_with,
    time_back,
    value_of,
)
from reports.wording import listed, per_second, percent, seconds, times

_FEW = 3
"""Policies that are named one by one."""


class Kind(Enum):
    """What sort of answer it is."""

    SHIP = "ship"
    NONE = "none"
    """There is an answer, and it is that nothing of this will do."""
    REFUSED = "refused"
    """The figures do not allow one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """An answer."""

    kind: Kind
    headline: str
    """A few words."""
    reason: str
    """A sentence, with the numbers."""
    about: str
    """The policy whose numbers are to be shown beside it."""


def decide(summaries: Mapping[str, Summary]) -> Decision:
    """Which policy to ship.

    The one with which 95 % of the clients are back first; of those that one run each does not tell
    apart (see `reports.reading.LEVEL`), the one under which the fewest arrive at the server in its
    busiest second. Where a run was cut short, or its verdict is not ok, there is no answer.

    Args:
        summaries: By policy; one at least.
    """
    back = {name: time_back(summary) for name, summary in summaries.items()}
    foremost = min(summaries, key=lambda name: (_nan_last(back[name]), -_share(summaries[name])))
    if not _allow_an_answer(summaries) or any(map(math.isnan, back.values())):
        return Decision(
            kind=Kind.REFUSED,
            headline="No decision: these figures do not allow one",
            reason=conclusion(summaries),
            about=foremost,
        )
    by_time = sorted(back, key=back.__getitem__)
    recovered = {name: back[name] for name in by_time if math.isfinite(back[name])}
    if not recovered:
        return Decision(
            kind=Kind.NONE,
            headline=f"Do not ship {foremost}" if len(summaries) == 1 else "Ship none of these",
            reason=conclusion(summaries),
            about=foremost,
        )
    level = level_with(min(recovered.values()), recovered)
    chosen = min(level, key=lambda name: (_peak(summaries[name]), recovered[name]))
    return Decision(
        kind=Kind.SHIP,
        headline=(f"{chosen} brings the herd back" if len(summaries) == 1 else f"Ship {chosen}"),
        reason=_reason(chosen, level, recovered, summaries),
        about=chosen,
    )


def _allow_an_answer(summaries: Mapping[str, Summary]) -> bool:
    """Did every run come to its end unblurred, and did anybody have to come back?"""
    return any(summary["n_episodes"] for summary in summaries.values()) and all(
        summary["verdict"] == "ok" and not summary.get("cut_short")
        for summary in summaries.values()
    )


def _nan_last(time: float) -> float:
    return math.inf if math.isnan(time) else time


def _share(summary: Summary) -> float:
    share = float(value_of(summary, "recovered_share"))
    return share if math.isfinite(share) else 0.0


def _peak(summary: Summary) -> float:
    """Arrivals per second at worst; where nobody saw them, attempts."""
    for metric in ("peak_arrival_rate_up_1s", "peak_attempt_rate_1s"):
        peak = float(value_of(summary, metric))
        if not math.isnan(peak):
            return peak
    return math.inf


def _reason(
    chosen: str,
    level: list[str],
    recovered: Mapping[str, float],
    summaries: Mapping[str, Summary],
) -> str:
    """Why this one: its own numbers, then what the others do."""
    own = summaries[chosen]
    floor, peak = value_of(own, "floor"), _peak(own)
    beside = (
        f", {times(recovered[chosen] / floor)} the fastest possible"
        if floor > 0 and recovered[chosen] > 0
        else ""
    )
    lost = f"; {percent(1 - _share(own))} never came back" if _share(own) < 1 else ""
    clauses = [
        f"95 % of the clients are back {seconds(recovered[chosen])} after the outage{beside}, and "
        f"arrivals peak at {per_second(peak)}{lost}"
    ]
    if as_fast := [name for name in level if name != chosen]:
        rougher = [name for name in as_fast if _peak(summaries[name]) >= NOTABLE * peak]
        if rougher:
            peaks = listed([per_second(_peak(summaries[name])) for name in rougher])
            verbs = ("is", "sends") if len(rougher) == 1 else ("are", "send")
            clauses.append(f"{listed(rougher)} {verbs[0]} about as fast, but {verbs[1]} {peaks}")
        if alike := [name for name in as_fast if name not in rougher]:
            clauses.append(f"{listed(alike)} {'does' if len(alike) == 1 else 'do'} about as well")
    if slower := [name for name in recovered if name not in level]:
        clauses.append(_slower({name: recovered[name] for name in slower}))
        gentlest = min(slower, key=lambda name: _peak(summaries[name]))
        lowest = _peak(summaries[gentlest])
        if NOTABLE * lowest <= peak:
            clauses.append(f"the gentlest is {gentlest}, with a peak of {per_second(lowest)}")
    failed = {name: summaries[name] for name in summaries if name not in recovered}
    clauses += _failures(failed)
    return "; ".join(clauses) + "."


def _slower(times: Mapping[str, float]) -> str:
    """How long the others take: a few one by one, many in a range.

    Args:
        times: Seconds by policy, the shortest first; one at least.
    """
    if len(times) <= _FEW:
        return listed([f"{name} takes {seconds(time)}" for name, time in times.items()])
    shortest, *_, longest = times.values()
    return f"{len(times)} others take {seconds(shortest)} to {seconds(longest)}"


def _failures(summaries: Mapping[str, Summary]) -> list[str]:
    """What becomes of the herd under policies with which it does not recover, the like together."""
    by_fate: dict[str, list[str]] = {}
    for name, summary in summaries.items():
        by_fate.setdefault(_fate(summary), []).append(name)
    return [f"with {listed(names)} {fate}" for fate, names in by_fate.items()]


def _fate(summary: Summary) -> str:
    share = _share(summary)
    if share == 0:
        return "nobody comes back"
    if share < 1:
        return f"only {percent(share)} come back"
    if is_never_told(summary) and math.isfinite(value_of(summary, RANKED_BY)):
        return "clients that are back are never told what they missed"
    return "not everybody stays connected"
