"""Other policies and defences at the present capacity: a grid, its front, and what jitter costs."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from simulator.core.backoff import Policy
from simulator.errors import InputError
from simulator.plan_results import Choice, Evidence, Number, Policies, Price
from simulator.planning.defences import Defence, defences
from simulator.planning.evidence import strain_of
from simulator.planning.floor import forbids
from simulator.planning.runs import OutOfTimeError, Runs
from simulator.scenario import Scenario

BASES = (0.5, 2.0)
CAPS = (10.0, 60.0)
JITTERS = ("full", "none", "decorrelated", "equal")
"""The grid: seconds, seconds, kinds; the factor is the usual one of each kind."""
_USUAL_FACTOR, _DECORRELATED_FACTOR = 2.0, 3.0
_FACTORS = (1.5, 3.0)
_TIMES = (0.5, 2.0)
"""Other factors, and multiples of base and cap, that are tried next to the best of the grid."""
_SEEDS_OF_GRID = 1
_FINALISTS = 1
"""Policies to which defences are added, beside today's."""
_CONFIRMED = 3
"""Of the best, so many are run under all seeds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A policy or defence, or both, and what they make of the scenario."""

    words: str
    scenario: Scenario
    policy: Policy | None = None
    """None for today's."""
    defence: Defence | None = None

    @property
    def changes(self) -> tuple[str, ...]:
        """What it changes, as `--set` takes it."""
        own = () if self.policy is None else (as_change(self.scenario, self.policy),)
        return (*own, *(() if self.defence is None else self.defence.changes))


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """A candidate with what it came to."""

    candidate: Candidate
    evidence: Evidence
    strain: float


def as_change(scenario: Scenario, policy: Policy) -> str:
    """A policy of the grid as `--set` takes it."""
    place = "cohort.policy" if scenario.cohort else "client.policy"
    return (
        f"{place}={{growth='exponential', base={policy.base}, factor={policy.growth_factor}, "
        f"cap={policy.cap}, jitter='{policy.jitter}'}}"
    )


def grid() -> Iterator[Policy]:
    """Every policy that is tried."""
    for base, cap, jitter in product(BASES, CAPS, JITTERS):
        factor = _USUAL_FACTOR if jitter != "decorrelated" else _DECORRELATED_FACTOR
        yield Policy.model_validate({"base": base, "factor": factor, "cap": cap, "jitter": jitter})


def neighbours(policy: Policy) -> Iterator[Policy]:
    """Policies of the same kind of jitter, each with one other number."""
    cap = policy.cap or policy.base
    own = {"base": policy.base, "factor": policy.factor, "cap": cap, "jitter": policy.jitter}
    for factor in sorted({*_FACTORS} - {policy.growth_factor}):
        yield Policy.model_validate({**own, "factor": factor})
    for times in _TIMES:
        yield Policy.model_validate({**own, "base": min(times * policy.base, cap)})
        yield Policy.model_validate({**own, "cap": max(times * cap, policy.base)})


def compare_policies(runs: Runs, scenario: Scenario) -> tuple[Policies, list[Judged], bool]:
    """Run the grid, add defences to the best, and look closer at the best of all.

    Where no policy can meet the objectives, the grid alone shows what each makes of it.

    Returns:
        What was found; the candidates from the best on, those that were looked at closer first;
        and whether there was time for all of it.
    """
    judged: list[Judged] = []
    refused: dict[str, str] = {}
    try:
        for found in _rounds(runs, scenario, judged, refused):
            judged += found
        n_confirmed = _CONFIRMED if forbids(runs.goals, scenario) is None else 0
        best = [one.candidate for one in _ranked(judged)[:n_confirmed]]
        final = _judged(runs, best, every_seed=True)
    except OutOfTimeError:
        ranked, complete = _ranked(judged), False
    else:
        done = {id(one.candidate) for one in final}
        judged = [*final, *(one for one in judged if id(one.candidate) not in done)]
        ranked, complete = [*_ranked(final), *_ranked(judged[len(final) :])], True
    recovery, peak = metrics_of(runs)
    choices = _choices(judged, recovery, peak)
    price_at = next((one.candidate.policy for one in ranked if one.candidate.policy), None)
    found_policies = Policies(
        recovery_metric=recovery,
        peak_metric=peak,
        choices=choices,
        price=tuple(_price(judged, price_at)) if price_at else (),
        price_of=_delays_of(price_at) if price_at else "",
        refused=refused,
    )
    return found_policies, ranked, complete


def _rounds(
    runs: Runs, scenario: Scenario, judged: Sequence[Judged], refused: dict[str, str]
) -> Iterator[list[Judged]]:
    """What is tried, a part after the other; each goes by what was found in those before.

    Raises:
        OutOfTimeError: The time is over.
    """
    yield _judged(runs, [Candidate(words=own_policy(scenario), scenario=scenario)])
    for jitter in JITTERS:
        alike = [policy for policy in grid() if policy.jitter == jitter]
        yield _judged(runs, [_candidate(scenario, policy) for policy in alike])
    if forbids(runs.goals, scenario) is not None:
        return
    first = next(one.candidate.policy for one in _ranked(judged) if one.candidate.policy)
    yield _judged(runs, [_candidate(scenario, policy) for policy in neighbours(first)])
    best = _ranked(judged)[:_FINALISTS]
    if all(one.candidate.policy is not None for one in best):
        best.append(judged[0])
    for one in best:
        defended = _with_defences(one.candidate)
        yield _judged(runs, [found for found in defended if _is_possible(runs, found, refused)])


def _candidate(scenario: Scenario, policy: Policy) -> Candidate:
    return Candidate(words=policy.label, scenario=scenario.with_policy(policy), policy=policy)


def own_policy(scenario: Scenario) -> str:
    """Today's policies, in words."""
    return " + ".join(dict.fromkeys(cohort.policy.label for cohort in scenario.cohorts))


def metrics_of(runs: Runs) -> tuple[str, str]:
    """The metrics of recovery and of peak that the objectives are about, or the usual ones."""
    named = [goal.metric for goal in runs.goals]
    recovery = [name for name in named if name.startswith(("time_to_recovery", "reconnect_time"))]
    peak = [name for name in named if name.startswith("peak_")]
    return (
        next(iter(recovery), "time_to_recovery_p99"),
        next(iter(peak), "peak_arrival_rate_up_1s"),
    )


def _judged(
    runs: Runs, candidates: Sequence[Candidate], *, every_seed: bool = False
) -> list[Judged]:
    n_seeds = None if every_seed else _SEEDS_OF_GRID
    found = runs.evidences([one.scenario for one in candidates], n_seeds=n_seeds)
    return [
        Judged(candidate=one, evidence=evidence, strain=strain_of(runs.goals, evidence))
        for one, evidence in zip(candidates, found, strict=True)
    ]


def _ranked(judged: Sequence[Judged]) -> list[Judged]:
    """By the seeds under which they meet the objectives, and by what they leave of the limits."""
    return sorted(judged, key=lambda one: (-one.evidence.share_met, one.strain))


def _with_defences(candidate: Candidate) -> Iterator[Candidate]:
    for defence in defences(candidate.scenario):
        yield Candidate(
            words=candidate.words,
            scenario=defence.scenario,
            policy=candidate.policy,
            defence=defence,
        )


def _is_possible(runs: Runs, candidate: Candidate, refused: dict[str, str]) -> bool:
    """Does the engine have that defence? If not, why not is noted."""
    if candidate.defence is None or candidate.defence.words in refused:
        return False
    try:
        runs.evidence(candidate.scenario, n_seeds=1)
    except InputError as error:
        refused[candidate.defence.words] = str(error)
        return False
    return True


def _choices(judged: Sequence[Judged], recovery: str, peak: str) -> tuple[Choice, ...]:
    points = [(one.evidence.median(recovery), one.evidence.median(peak)) for one in judged]
    front = pareto_front(points)
    return tuple(
        Choice(
            policy=one.candidate.words,
            settings=_settings(one.candidate.policy),
            defence="" if one.candidate.defence is None else one.candidate.defence.words,
            is_today=one.candidate.policy is None and one.candidate.defence is None,
            on_front=place in front,
            recovery=_finite(point[0]),
            peak=_finite(point[1]),
            strain=_finite(one.strain),
            evidence=one.evidence,
        )
        for place, (one, point) in enumerate(zip(judged, points, strict=True))
    )


def pareto_front(points: Sequence[tuple[float, float]]) -> set[int]:
    """The places of points that no other is below in one coordinate and not above in the other."""
    best = math.inf
    front = set()
    for place in sorted(range(len(points)), key=lambda place: points[place]):
        if math.isfinite(points[place][0]) and points[place][1] < best:
            best = points[place][1]
            front.add(place)
    return front


def _settings(policy: Policy | None) -> dict[str, float | str | None]:
    if policy is None:
        return {}
    return {
        "base": policy.base,
        "factor": policy.growth_factor,
        "cap": policy.cap,
        "jitter": policy.jitter,
    }


def _finite(value: float) -> Number:
    return value if math.isfinite(value) else None


def _price(judged: Sequence[Judged], at: Policy) -> Iterator[Price]:
    """What each kind of jitter comes to with these delays."""
    found: dict[str, Evidence] = {}
    for one in judged:
        policy = one.candidate.policy
        if policy is None or one.candidate.defence is not None:
            continue
        alike = policy.base == at.base and policy.cap == at.cap
        # Decorrelated jitter multiplies another delay: its factor is not comparable.
        factor_alike = policy.growth_factor == at.growth_factor
        if alike and (factor_alike or "decorrelated" in (policy.jitter, at.jitter)):
            found.setdefault(policy.jitter, one.evidence)
    for jitter in JITTERS:
        if jitter in found:
            median = found[jitter].median
            yield Price(
                jitter=jitter,
                time_to_recovery_p50=_finite(median("time_to_recovery_p50")),
                time_to_recovery_p99=_finite(median("time_to_recovery_p99")),
                time_to_recovery_p100=_finite(median("time_to_recovery_p100")),
                peak_arrival_rate_up_1s=_finite(median("peak_arrival_rate_up_1s")),
            )


def _delays_of(policy: Policy) -> str:
    return f"exponential, {policy.base:g} s up to {policy.cap:g} s"
