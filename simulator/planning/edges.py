"""How far each quantity can go before the answer changes, and whether there is a cliff there."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from simulator.errors import InputError
from simulator.plan_results import Edge, Probe
from simulator.planning.changes import (
    longest_outage,
    mean_service,
    narrowest,
    stages_to_pass,
    with_clients,
    with_outages,
    with_service,
)
from simulator.planning.evidence import binding_goal
from simulator.planning.floor import forbids
from simulator.planning.runs import Runs
from simulator.planning.search import Bracket, edge
from simulator.scenario import Scenario

_MOST = 16.0
"""How many times as much or as little is looked at."""
_TOLERANCE = 0.05
"""Width of the bracket at the edge, as a share."""
_STEP = 1.06
"""How far to either side of it the growth is measured."""
_SEEDS_OF_GROWTH = 1
"""Seeds there: what is wanted is whether it is a percent for one, or many."""
_STEEP = 5.0
"""Percent for one percent, from which on an edge is called a cliff."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Knob:
    """A quantity that can be more or less than it is."""

    what: str
    unit: str
    today: float
    turned: Callable[[float], Scenario]


def knobs(scenario: Scenario) -> Iterator[Knob]:
    """What is varied, one at a time."""
    yield Knob(
        what="clients",
        unit="",
        today=float(scenario.n_clients),
        turned=partial(with_clients, scenario),
    )
    if longest_outage(scenario):
        yield Knob(
            what="outage length",
            unit="s",
            today=longest_outage(scenario),
            turned=partial(with_outages, scenario),
        )
    stages = list(stages_to_pass(scenario))
    for stage in dict.fromkeys([narrowest(scenario), *stages]):
        yield Knob(
            what=f"service time of {stage}",
            unit="s",
            today=mean_service(scenario, stage),
            turned=partial(with_service, scenario, stage),
        )


def edge_of(runs: Runs, knob: Knob) -> Edge:
    """Search for the point at which the answer changes.

    What makes it worse is made more where the objectives are met today, and less where they are
    not.

    Raises:
        OutOfTimeError: The time is over.
    """
    probes: dict[float, Probe] = {}
    is_met = runs.evidence(knob.turned(knob.today)).meets

    def answer(x: float) -> bool:
        try:
            turned = knob.turned(x)
            if forbids(runs.goals, turned) is not None:
                return False
            probes[x] = Probe(x=x, evidence=runs.judge(turned))
        except InputError:  # Outages that overlap, say: nothing is known from there on.
            return is_met
        return probes[x].evidence.meets

    found = edge(answer, start=knob.today, up=is_met, most=_MOST, tolerance=_TOLERANCE)
    if found.first is None:
        return Edge(
            what=knob.what,
            unit=knob.unit,
            today=knob.today,
            last=found.last,
            first=None,
            limit=found.last,
            objective=None,
            elasticity=None,
            cliff=False,
            probes=tuple(probes[x] for x in sorted(probes)),
        )
    objective, elasticity = _steepness(runs, knob, found, probes)
    return Edge(
        what=knob.what,
        unit=knob.unit,
        today=knob.today,
        last=found.last,
        first=found.first,
        limit=knob.today * _MOST if is_met else knob.today / _MOST,
        objective=objective,
        elasticity=elasticity,
        cliff=elasticity is None or abs(elasticity) > _STEEP,
        probes=tuple(probes[x] for x in sorted(probes)),
    )


def _steepness(
    runs: Runs,
    knob: Knob,
    found: Bracket,
    probes: dict[float, Probe],
) -> tuple[str, float | None]:
    """The objective that decides, and by how many percent its metric grows for one percent."""
    if found.first is None:
        raise ValueError("there is no edge")
    below, above = sorted((found.last, found.first))
    ends = (below / _STEP, above * _STEP)
    for x in (above, *ends):
        if x not in probes:
            evidence = runs.evidence(knob.turned(x), n_seeds=_SEEDS_OF_GROWTH)
            probes[x] = Probe(x=x, evidence=evidence)
    goal = binding_goal(runs.goals, probes[above].evidence)
    values = [probes[x].evidence.median(goal.metric) for x in ends]
    if not all(0 < value < math.inf for value in values):
        return goal.text, None
    growth = math.log(values[1] / values[0]) / math.log(ends[1] / ends[0])
    return goal.text, growth
