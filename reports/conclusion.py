"""A comparison in one sentence of plain words, from the summaries alone."""

import math
from collections.abc import Mapping, Sequence

from reports.reading import NOTABLE, Summary, is_never_told, level_with, time_back, value_of
from reports.wording import listed, per_second, percent, seconds, times


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
    times_back = {name: time_back(summary) for name, summary in summaries.items()}
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
            "load generator": value_of(summary, "generator_lag_p99"),
            "server stub": value_of(summary, "server_lag_p99"),
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
    untold = _never_told([name for name in summaries if is_never_told(summaries[name])])
    found = f"{subject}: at the end of the observation {listed(shares)}"
    return "; ".join(filter(None, [found, untold])) + "."


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
    level = level_with(best, recovered)
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
    floor = value_of(summaries[fastest], "floor")
    beside = f" ({times(best / floor)} the fastest possible)" if floor > 0 and best > 0 else ""
    rest = f", {listed(slower)}" if slower else ""
    when = f"{seconds(best)} after the outage" if best > 0 else "when the outage is over"
    return f"{who}: 95 % of the clients are back {when}{beside}{rest}"


def _higher_peak(fastest: str, summaries: Mapping[str, Summary]) -> str:
    """How much higher than the fastest policy's the highest peak of arrivals is, if notably."""
    peaks = {
        name: value_of(summary, "peak_arrival_rate_up_1s") for name, summary in summaries.items()
    }
    highest = max(peaks, key=peaks.__getitem__)
    if not 0 < NOTABLE * peaks[fastest] <= peaks[highest]:
        return ""
    return (
        f"arrivals peak at {per_second(peaks[fastest])} with {fastest} and at "
        f"{per_second(peaks[highest])} with {highest} "
        f"({times(peaks[highest] / peaks[fastest])} as many)"
    )


def _never_recovers(names: Sequence[str], summaries: Mapping[str, Summary]) -> str:
    if not names:
        return ""
    untold = [name for name in names if is_never_told(summaries[name])]
    clauses = [_never_told(untold)] if untold else []
    names = [name for name in names if name not in untold]
    hurried = [name for name in names if value_of(summaries[name], "recovered_share") == 1.0]
    if hurried:
        clauses.append(f"with {listed(hurried)} not everybody is back when the next outage comes")
    never = [name for name in names if name not in hurried]
    if never:
        shares = listed([_back(summaries[name]) for name in never])
        verb = "recovers" if len(never) == 1 else "recover"
        clauses.append(f"{listed(never)} never {verb} ({shares} back)")
    return "; ".join(clauses)


def _back(summary: Summary) -> str:
    return percent(value_of(summary, "recovered_share"))
