"""What to do: the least change that was found to meet the objectives, run again at full size."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from reports.wording import per_second, seconds
from simulator.errors import InputError
from simulator.plan_results import Advice, Capacity, CapacityNeeded, Evidence
from simulator.planning.capacity import capacity_needed
from simulator.planning.changes import capacity_of, enough_steps, value_of, with_steps
from simulator.planning.evidence import binding_goal
from simulator.planning.floor import forbids, least_capacity
from simulator.planning.objective import Goal
from simulator.planning.policies import Judged, as_change
from simulator.planning.runs import Runs
from simulator.planning.words import measured, met_in_words, value_in_words
from simulator.scenario import Scenario

CONFIRMATIONS = 2
"""Seeds at full size."""
_TRIES = 3
"""Proposals that are run at full size at most."""
_HEADROOM = 1.05
"""How many times the least capacity is recommended: no two storms are alike."""
_MORE = 1.03
"""Capacity that is added where that turns out too little at full size."""
_WORTH = 0.95
"""A change of policy beside one of capacity has to save more than the rest of this share of it."""

Kind = Literal["keep", "policy", "capacity", "both"]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Proposal:
    kind: Kind
    scenario: Scenario
    changes: tuple[str, ...]
    words: str


def needed_capacities(
    runs: Runs, scenario: Scenario, own: str, ranked: Sequence[Judged]
) -> Iterator[CapacityNeeded]:
    """The capacity that it takes under today's policy, and under the best of the others.

    Raises:
        OutOfTimeError: The time is over.
    """
    needed = capacity_needed(runs, scenario, own)
    yield needed
    if needed.needed is not None and least_capacity(runs.goals, scenario) > _WORTH * needed.needed:
        return  # No policy could save enough to be worth a change.
    best = _best_policy(ranked)
    if best is not None and best.candidate.policy is not None:
        policy = best.candidate.policy
        yield capacity_needed(runs, scenario, best.candidate.words, replaced_by=policy)


def _best_policy(ranked: Sequence[Judged]) -> Judged | None:
    """The best one without a defence that is not today's."""
    alone = (one for one in ranked if one.candidate.policy and one.candidate.defence is None)
    return next(alone, None)


def advise(
    runs: Runs,
    scenario: Scenario,
    today: Evidence,
    ranked: Sequence[Judged],
    capacity: Capacity | None,
) -> Advice:
    """Choose, confirm at full size, and say it in words.

    Args:
        runs: Where to run.
        scenario: Today's.
        today: What it comes to.
        ranked: Policies and defences from the best on.
        capacity: What it takes, as far as there was time to search for it.
    """
    goal = binding_goal(runs.goals, today)
    opening = _opening(today, goal.text, goal.metric)
    if today.meets:
        return Advice(
            kind="keep",
            lines=(opening,),
            scenario=scenario.to_toml(),
            confirmation=today if today.scale == 1 else None,
        )
    for proposal in _proposals(runs, scenario, ranked, capacity):
        confirmed = _confirmed(runs, proposal.scenario)
        if confirmed is None or confirmed.meets:
            lines = [opening, proposal.words]
            if confirmed is None:
                lines.append("The engine cannot run it at full size: that rests on small herds.")
            else:
                lines.append(
                    f"At full size ({scenario.n_clients:,} clients): "
                    f"{measured(confirmed, goal.metric)}, {met_in_words(confirmed)}."
                )
            return Advice(
                kind=proposal.kind,
                lines=tuple(lines),
                changes=proposal.changes,
                scenario=proposal.scenario.to_toml(),
                confirmation=confirmed,
            )
    if capacity is None or not capacity.needed:
        return _undecided(goal, opening, today, least=least_capacity(runs.goals, scenario))
    return _infeasible(runs, today, opening, ranked, capacity)


def _undecided(goal: Goal, opening: str, today: Evidence, *, least: float) -> Advice:
    """What can be said where there was no time to search."""
    value = today.median(goal.metric)
    known = f"; it takes {per_second(least)} at the very least" if least else ""
    return Advice(
        kind="none",
        lines=(
            opening,
            f"There was no time to find what meets it{known}. Give it a longer --budget.",
        ),
        binding_objective=goal.text,
        nearest=value if math.isfinite(value) else None,
    )


def _opening(today: Evidence, text: str, metric: str) -> str:
    found = f"{measured(today, metric)}, {met_in_words(today)}"
    if today.meets:
        return f"Today's setting meets the objectives; the tightest is {text}: {found}."
    return f"Today's setting misses {text}: {found}."


def _confirmed(runs: Runs, scenario: Scenario) -> Evidence | None:
    """What a setting comes to at full size; None if the engine cannot run that."""
    if runs.small(scenario).factor == 1:
        return runs.evidence(scenario)
    try:
        return runs.full_size(scenario, n_seeds=CONFIRMATIONS)
    except InputError:
        return None


def _proposals(
    runs: Runs, scenario: Scenario, ranked: Sequence[Judged], capacity: Capacity | None
) -> Iterator[_Proposal]:
    """What may do, the least change first."""
    meeting = [one for one in ranked if one.evidence.meets][:_TRIES]
    if meeting:
        for one in meeting:
            defence = f", with {one.candidate.defence.words}" if one.candidate.defence else ""
            yield _Proposal(
                kind="policy",
                scenario=one.candidate.scenario,
                changes=one.candidate.changes,
                words=f"At the present capacity this does: {one.candidate.words}{defence}.",
            )
    if capacity is None:
        return
    found = [needed for needed in capacity.needed if needed.needed is not None]
    if not found:
        return
    own, best = capacity.needed[0], min(found, key=lambda needed: needed.needed or math.inf)
    alone = own.needed is not None and (best.needed or 0.0) > _WORTH * own.needed
    chosen = own if alone else best
    policy = None if chosen is own else _best_policy(ranked)
    base = scenario
    if policy is not None and policy.candidate.policy is not None:
        base = policy.candidate.scenario
    ruled_out = forbids(runs.goals, scenario) is not None
    does = "does" if chosen.settled else "was seen to do, in the time there was,"
    none_does = "No policy can do it" if ruled_out else "No policy that was tried does it"
    for turn in range(_TRIES):
        aim = (chosen.needed or 0.0) * _HEADROOM * _MORE**turn
        steps = enough_steps(scenario, aim)
        larger = with_steps(base, steps)
        now = {field: value_of(scenario, field) for field in steps}
        more = {field: value for field, value in steps.items() if value != now[field]}
        words = ", ".join(f"{field} {now[field]:,} -> {value:,}" for field, value in more.items())
        changes = tuple(f"{field}={value}" for field, value in more.items())
        under = ""
        if policy is not None and policy.candidate.policy is not None:
            changes = (as_change(scenario, policy.candidate.policy), *changes)
            under = f" under {policy.candidate.words}"
        reached = capacity_of(larger)
        yield _Proposal(
            kind="capacity" if policy is None else "both",
            scenario=larger,
            changes=changes,
            words=f"{none_does} at the present {per_second(capacity.capacity)}, "
            f"where the fastest possible recovery is {seconds(capacity.floor)}. The "
            f"least that {does}{under} is {per_second(chosen.needed or 0.0)}; with some headroom, "
            f"{per_second(reached)}: {words}.",
        )


def _infeasible(
    runs: Runs,
    today: Evidence,
    opening: str,
    ranked: Sequence[Judged],
    capacity: Capacity | None,
) -> Advice:
    """Which objective stands in the way, and how near one can get."""
    seen = [today, *(one.evidence for one in ranked)]
    if capacity is not None:
        seen += [probe.evidence for needed in capacity.needed for probe in needed.probes]
    nearest = {goal.text: min(seen, key=partial(_strain, goal)) for goal in runs.goals}
    alone = [goal for goal in runs.goals if not any(sum(one.met[goal.text]) for one in seen)]
    best = min(seen, key=lambda one: max(_strain(goal, one) for goal in runs.goals))
    if alone:
        goal = max(alone, key=lambda goal: _strain(goal, nearest[goal.text]))
        value = nearest[goal.text].median(goal.metric)
        why = "no setting that was tried meets it, whatever becomes of the others"
    else:
        goal = binding_goal(runs.goals, best)
        value = best.median(goal.metric)
        why = "each objective can be met, but not all of them together"
    lines = (
        opening,
        f"Nothing that was tried meets the objectives, up to {_most(capacity)} of capacity. "
        f"{goal.text} binds ({why}); the nearest is {value_in_words(goal.metric, value)}.",
    )
    return Advice(
        kind="none",
        lines=lines,
        binding_objective=goal.text,
        nearest=value if math.isfinite(value) else None,
    )


def _strain(goal: Goal, evidence: Evidence) -> float:
    return goal.strain(evidence.median(goal.metric))


def _most(capacity: Capacity | None) -> str:
    if capacity is None:
        return "today's"
    return per_second(max((one.limit for one in capacity.needed), default=capacity.capacity))
