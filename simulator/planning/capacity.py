"""The narrowest stage, and how much of what it takes to meet the objectives."""

import math
from collections.abc import Callable, Iterator
from functools import partial

from simulator.core.backoff import Policy
from simulator.errors import InputError
from simulator.plan_results import Capacity, CapacityNeeded, Probe, Resource
from simulator.planning.changes import (
    capacities,
    capacity_of,
    capacity_steps,
    enough_steps,
    narrowest,
    stages_to_pass,
    with_server,
    with_steps,
    with_workers,
    workers_of,
)
from simulator.planning.floor import forbids, least_capacity
from simulator.planning.runs import OutOfTimeError, Runs
from simulator.planning.search import smallest
from simulator.scenario import Scenario

_MOST = 32
"""How many times as much as today is looked at."""
_PERCENT = 100
"""Steps of capacity are a percent of today's."""
_AHEAD = 1.2
"""How many times what the floor demands is looked at first."""
_TOLERANCE = 0.02
"""By which share more than the least may be called the least."""


def describe(scenario: Scenario) -> Capacity:
    """What can be said without a run."""
    stage, found = narrowest(scenario), capacities(scenario)
    return Capacity(
        binding_stage=stage,
        capacity=found[stage],
        by_stage={name: one for name, one in found.items() if math.isfinite(one)},
        floor=scenario.n_clients / found[stage],
    )


def capacity_needed(
    runs: Runs, scenario: Scenario, label: str, *, replaced_by: Policy | None = None
) -> CapacityNeeded:
    """The least capacity of the narrowest stage, the others being no narrower, under a policy.

    If the time is over before that is certain, the least that was seen to do; then it is not
    `settled`.

    Args:
        runs: Where to run.
        scenario: Today's.
        label: What to call the policy.
        replaced_by: The policy, if it is not the scenario's own.

    Raises:
        OutOfTimeError: The time is over.
    """
    if replaced_by is not None:
        scenario = scenario.with_policy(replaced_by)
    today = capacity_of(scenario)
    probes: dict[float, Probe] = {}
    seen_to_do: list[int] = []

    def steps_for(percent: int) -> dict[str, int]:
        steps_to = capacity_steps if percent <= _PERCENT else enough_steps
        return steps_to(scenario, today * percent / _PERCENT)

    def meets(percent: int) -> bool:
        probe = _probe(runs, lambda: with_steps(scenario, steps_for(percent)))
        if probe is None:
            return False
        probes[probe.x] = probe
        if probe.evidence.meets:
            seen_to_do.append(percent)
        return probe.evidence.meets

    most = _MOST * _PERCENT
    low = math.floor(_PERCENT * least_capacity(runs.goals, scenario) / today)
    start = _PERCENT if low < _PERCENT else math.ceil(_AHEAD * low)
    settled = True
    try:
        found = _confirmed(
            runs,
            smallest(meets, start=start, most=most, tolerance=_TOLERANCE, low=min(low, start - 1)),
            lambda percent: with_steps(scenario, steps_for(percent)),
            most=most,
        )
    except OutOfTimeError:
        if not seen_to_do:
            raise
        found, settled = min(seen_to_do), False
    steps = {} if found is None else steps_for(found)
    reached = None if found is None else capacity_of(with_steps(scenario, steps))
    return CapacityNeeded(
        policy=label,
        needed=reached,
        limit=today * _MOST,
        changes={} if found is None else steps,
        settled=settled,
        probes=tuple(probes[x] for x in sorted(probes)),
    )


def resources(runs: Runs, scenario: Scenario) -> Iterator[Resource]:
    """How many of each kind of worker, and how many nodes, would do by themselves.

    Raises:
        OutOfTimeError: The time is over.
    """
    stages = stages_to_pass(scenario)
    for name in stages:
        yield _resource(
            runs,
            f"workers of {name}",
            workers_of(scenario, name),
            partial(with_workers, scenario, name),
        )
    if scenario.server.nodes > 1:
        yield _resource(
            runs, "nodes", scenario.server.nodes, lambda n: with_server(scenario, nodes=n)
        )


def _resource(runs: Runs, what: str, today: int, made: Callable[[int], Scenario]) -> Resource:
    probes: dict[float, Probe] = {}

    def meets(n: int) -> bool:
        probe = _probe(runs, lambda: made(n), x=float(n))
        if probe is None:
            return False
        probes[probe.x] = probe
        return probe.evidence.meets

    most = _MOST * today
    in_vain = not meets(today) and not meets(most)  # Another stage is in the way.
    needed = None if in_vain else smallest(meets, start=today, most=most, tolerance=_TOLERANCE)
    needed = _confirmed(runs, needed, made, most=most)
    capacity = None if needed is None else capacity_of(made(needed))
    return Resource(
        what=what,
        today=today,
        needed=needed,
        limit=most,
        capacity=capacity,
        probes=tuple(probes[x] for x in sorted(probes)),
    )


def _probe(runs: Runs, made: Callable[[], Scenario], *, x: float | None = None) -> Probe | None:
    """What a setting comes to; None if there is none, or if it cannot do by arithmetic alone."""
    try:
        scenario = made()
        if forbids(runs.goals, scenario) is not None:
            return None
        found = runs.judge(scenario)
    except InputError:
        return None
    capacity = capacity_of(scenario)
    return Probe(x=capacity if x is None else x, evidence=found)


def _confirmed(
    runs: Runs, found: int | None, made: Callable[[int], Scenario], *, most: int
) -> int | None:
    """What met the objectives at a glance, or a little more than it, under all seeds."""
    while found is not None and not runs.evidence(made(found)).meets:
        found += max(1, round(_TOLERANCE * found))
        found = found if found <= most else None
    return found
