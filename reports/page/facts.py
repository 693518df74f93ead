"""The answers of the first screen, beside the decision."""

import math
from collections.abc import Mapping

from reports.decision import Decision, Kind
from reports.page.content import Fact
from reports.reading import WASTEFUL, Summary, time_back, value_of
from reports.repeating import scenario_argument
from reports.trust import verdict_in_words
from reports.wording import per_second, percent, seconds, times
from simulator.core.outcomes import Outcome
from simulator.intervals import wilson
from simulator.results import RunResult

_GRAVITY = ("ok", "strained", "saturated")


def first_facts(
    decision: Decision,
    results: Mapping[str, RunResult],
    summaries: Mapping[str, Summary],
    commands: tuple[str, ...],
) -> tuple[Fact, ...]:
    """Recovery, peak, headroom, the assumption that would flip the answer, and trust.

    Args:
        decision: Whose numbers are shown.
        results: By policy.
        summaries: By policy.
        commands: That repeat the runs.
    """
    result, summary = results[decision.about], summaries[decision.about]
    return (
        _recovered(decision, result, summary),
        _time(result, summary),
        _peak(result, summary),
        Fact(
            term="Headroom",
            value="not looked for here",
            detail="How many more clients, or how much longer an outage, would break it:",
            command=f"herd plan {scenario_argument(result.manifest)}",
        ),
        _assumption(result, summaries, commands),
        _trust(results, summaries),
    )


def _recovered(decision: Decision, result: RunResult, summary: Summary) -> Fact:
    """How often the herd came back, in so many seeds: of one run, once or never."""
    if math.isnan(time_back(summary)):
        return Fact(term="Recovers", value="not measured", detail="No outage ended in this run.")
    n = int(math.isfinite(time_back(summary)))
    chance = wilson(n, 1)
    share = percent(float(value_of(summary, "recovered_share")))
    return Fact(
        term="Recovers",
        value=f"in {n} of 1 seed",
        detail=(
            f"{share} of the lost connections came back with {decision.about}. One seed proves "
            f"little (95 % interval: {percent(chance.low)} to "
            f"{percent(chance.high)}); replicate it:"
        ),
        command=f"herd sweep {scenario_argument(result.manifest)} --replications 20",
        tone="good" if n and decision.kind is Kind.SHIP else "plain" if n else "bad",
    )


def _time(result: RunResult, summary: Summary) -> Fact:
    time, floor = (float(value_of(summary, name)) for name in ("time_to_recovery_p95", "floor"))
    if math.isnan(floor):
        detail = "The fastest possible is not known: nobody measured the server's capacity."
    else:
        detail = f"The fastest possible is {seconds(floor)}, at {per_second(result.capacity)}"
        detail += f": {times(time / floor)} that." if 0 < floor <= time < math.inf else "."
    return Fact(
        term="95 % are back after",
        value="not measured" if math.isnan(time) else seconds(time),
        detail=detail,
        tone="bad" if math.isinf(time) else "plain",
    )


def _peak(result: RunResult, summary: Summary) -> Fact:
    peak, capacity = float(value_of(summary, "peak_arrival_rate_up_1s")), result.capacity
    if math.isnan(peak):
        rate = float(value_of(summary, "peak_attempt_rate_1s"))
        return Fact(
            term="Peak against capacity",
            value="not measured" if math.isnan(rate) else f"{per_second(rate)} attempts",
            detail="The server's own count of arrivals, and its capacity, are not known.",
        )
    if math.isnan(capacity):
        return Fact(term="Peak against capacity", value=f"{per_second(peak)} arrive")
    narrowest = "" if summary["binding_stage"] is None else summary["binding_stage"]
    return Fact(
        term="Peak against capacity",
        value=f"{per_second(peak)} on {per_second(capacity)}",
        detail=(
            f"In the busiest second {times(peak / capacity)} what the server lets in. "
            f"The narrowest stage is {narrowest!r}."
        ),
        tone="plain",
    )


def _assumption(
    result: RunResult, summaries: Mapping[str, Summary], commands: tuple[str, ...]
) -> Fact:
    """What the answer hangs on most, and how to look at the other side of it."""
    term = "What could flip the answer"
    again = commands[0] if len(commands) == 1 else _comparing(result)
    if result.manifest.target is not None or result.manifest.engine == "serve":
        return Fact(
            term=term,
            value="your server's own behaviour",
            detail="When it was down was inferred, and its queue cannot be seen. Repeat it under "
            "the load that it really carries.",
        )
    wasted = max(_finite(value_of(summary, "wasted_share")) for summary in summaries.values())
    if result.scenario.server.abandoned == "serve" and wasted >= WASTEFUL:
        return Fact(
            term=term,
            value="a server that notices who has left",
            detail=(
                f"Assumed: it still serves handshakes whose client has given up (up to "
                f"{percent(wasted)} of its work here). The other way round:"
            ),
            command=f"{again} --set server.abandoned=skip",
        )
    timed_out = max(
        summary["outcomes"].get(Outcome.TIMED_OUT.name.lower(), 0) for summary in summaries.values()
    )
    if result.scenario.server.abandoned == "skip" and timed_out:
        return Fact(
            term=term,
            value="a server that does not notice who has left",
            detail="Assumed: it spends nothing on clients that have given up. The other way round:",
            command=f"{again} --set server.abandoned=serve",
        )
    slower = 1.5 * result.scenario.server.service_time.mean
    return Fact(
        term=term,
        value="the capacity",
        detail=(
            f"Assumed: {per_second(result.capacity)}, by the service time and the workers of the "
            "scenario. With services half as long again:"
        ),
        command=f"{again} --set server.service_time.mean={slower:g}",
    )


def _comparing(result: RunResult) -> str:
    manifest = result.manifest
    return f"herd compare {scenario_argument(manifest)} --engine {manifest.engine}"


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0


def _trust(results: Mapping[str, RunResult], summaries: Mapping[str, Summary]) -> Fact:
    """The worst verdict among the runs, and what it means."""
    worst = max(summaries, key=lambda name: _GRAVITY.index(summaries[name]["verdict"]))
    verdict = summaries[worst]["verdict"]
    words = verdict_in_words(summaries[worst], results[worst].manifest)
    words = words.removeprefix(f"The verdict is {verdict}: ")
    return Fact(
        term="Can these figures be trusted?",
        value=f"verdict: {verdict}",
        detail=f"{words[:1].upper()}{words[1:]}",
        tone="good" if verdict == "ok" else "bad",
    )
