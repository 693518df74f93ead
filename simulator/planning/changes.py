"""The same scenario with one thing changed: what a plan varies."""

import math
from collections.abc import Mapping
from typing import Any

from server_stub.capacity import stage_capacity
from server_stub.plan import PlanError
from server_stub.stages import HANDSHAKE, Stage
from simulator.errors import InputError
from simulator.metrics.stages import demand_of
from simulator.planning.scaling import slower, slower_stage
from simulator.scenario import Scenario


def possible(scenario: Scenario) -> Scenario:
    """The scenario itself, if its schedule makes sense.

    Raises:
        InputError: It does not: outages overlap, say.
    """
    try:
        _ = scenario.plan
    except PlanError as error:
        raise InputError(f"{error.field}: {error}") from None
    return scenario


def with_server(scenario: Scenario, **changes: Any) -> Scenario:  # noqa: ANN401 - any field
    """With some fields of the server changed."""
    server = scenario.server.model_copy(update=changes)
    return possible(scenario.model_copy(update={"server": server}))


def with_clients(scenario: Scenario, n_clients: float) -> Scenario:
    """With another size of the fleet, that assembles in the same time."""
    n = max(1, round(n_clients))
    rate = scenario.ramp_rate * n / scenario.n_clients
    return scenario.model_copy(update={"n_clients": n, "ramp_rate": rate})


def longest_outage(scenario: Scenario) -> float:
    """Seconds; 0 without any."""
    return max((outage.down_for for outage in scenario.outage), default=0.0)


def with_outages(scenario: Scenario, longest: float) -> Scenario:
    """With every outage longer or shorter in proportion, and as much time after the last one.

    Args:
        scenario: Any.
        longest: Seconds; of the longest of them.

    Raises:
        InputError: They would overlap.
    """
    factor = longest / longest_outage(scenario)
    outages = tuple(
        outage.model_copy(
            update={
                "down_for": outage.down_for * factor,
                "drain_over": outage.drain_over and outage.drain_over * factor,
            }
        )
        for outage in scenario.outage
    )
    longer = scenario.model_copy(update={"outage": outages})
    horizon = scenario.horizon + longer.last_outage_end - scenario.last_outage_end
    return possible(longer.model_copy(update={"horizon": max(horizon, 1.0)}))


def with_time_after(scenario: Scenario, seconds: float) -> Scenario:
    """With at least so much time after the last outage."""
    horizon = max(scenario.horizon, scenario.last_outage_end + seconds)
    return possible(scenario.model_copy(update={"horizon": horizon}))


def stages_to_pass(scenario: Scenario) -> Mapping[str, Stage | None]:
    """What stands between a client and its 101: the node's own workers, and stages, by name."""
    stages = {stage.name: stage for stage in scenario.server.stages if stage.when == "before"}
    return {HANDSHAKE: None, **stages}


def capacities(scenario: Scenario) -> dict[str, float]:
    """Connects per second that each of them can take, by name."""
    server, demand = scenario.server, demand_of(scenario)
    return {
        name: server.own_capacity
        if stage is None
        else stage_capacity(stage, demand, n_nodes=server.nodes)
        for name, stage in stages_to_pass(scenario).items()
    }


def capacity_of(scenario: Scenario) -> float:
    """Connects per second that the narrowest of them can take."""
    return min(capacities(scenario).values())


def narrowest(scenario: Scenario) -> str:
    """The stage that is passed with the least capacity; of equals the first."""
    found = capacities(scenario)
    return min(found, key=found.__getitem__)


def mean_service(scenario: Scenario, stage: str) -> float:
    """Seconds of a stage's services."""
    found = stages_to_pass(scenario)[stage]
    return (scenario.server if found is None else found).service_time.mean


def with_service(scenario: Scenario, stage: str, mean: float) -> Scenario:
    """With services of a stage that take another time on average."""
    factor = mean / mean_service(scenario, stage)
    if stage == HANDSHAKE:
        return with_server(scenario, service_time=slower(scenario.server.service_time, factor))
    return _with_stage(scenario, stage, lambda one: slower_stage(one, factor))


def workers_of(scenario: Scenario, stage: str) -> int:
    """Of a stage: at each node or, if it is shared, in all."""
    found = stages_to_pass(scenario)[stage]
    return (scenario.server if found is None else found).workers


def with_workers(scenario: Scenario, stage: str, workers: int) -> Scenario:
    """With another number of workers at a stage."""
    if stage == HANDSHAKE:
        return with_server(scenario, workers=workers)
    return _with_stage(scenario, stage, lambda one: one.model_copy(update={"workers": workers}))


def _with_stage(scenario: Scenario, name: str, change: Any) -> Scenario:  # noqa: ANN401
    stages = tuple(
        change(stage) if stage.name == name else stage for stage in scenario.server.stages
    )
    return with_server(scenario, stages=stages)


def capacity_steps(scenario: Scenario, capacity: float) -> dict[str, int]:
    """The fewest nodes and workers with which no stage takes less than this.

    Several nodes are made more or fewer, and so is what each of them brings along; a single one
    gets more or fewer workers, as does a stage that all share.

    Args:
        scenario: Where it starts from.
        capacity: Connects per second of the narrowest stage.

    Returns:
        The fields that change, as `--set` names them, and their values.
    """
    server, found = scenario.server, capacities(scenario)
    stages = stages_to_pass(scenario)
    steps: dict[str, int] = {}
    of_nodes = {name: stage for name, stage in stages.items() if stage is None or not stage.shared}
    if server.nodes > 1:
        least = min(found[name] for name in of_nodes)
        steps["server.nodes"] = _enough(server.nodes, capacity / least)
    for name, stage in stages.items():
        if (server.nodes > 1 and name in of_nodes) or math.isinf(found[name]):
            continue
        field = "server.workers" if stage is None else f"server.stages.{_place(scenario, name)}"
        field = field if stage is None else f"{field}.workers"
        steps[field] = _enough(workers_of(scenario, name), capacity / found[name])
    return steps


def enough_steps(scenario: Scenario, capacity: float) -> dict[str, int]:
    """The same, but nothing fewer than today: what there is in plenty may serve other purposes.

    Nodes hold connections, say.
    """
    steps = capacity_steps(scenario, capacity)
    return {field: max(value, value_of(scenario, field)) for field, value in steps.items()}


def _enough(now: int, factor: float) -> int:
    return max(1, math.ceil(now * factor * (1 - 1e-9)))


def _place(scenario: Scenario, name: str) -> int:
    return [stage.name for stage in scenario.server.stages].index(name)


def with_steps(scenario: Scenario, steps: Mapping[str, int]) -> Scenario:
    """With the nodes and workers that `capacity_steps` names.

    Raises:
        InputError: The schedule speaks of nodes that there would not be.
    """
    for field, value in steps.items():
        if field == "server.nodes":
            scenario = with_server(scenario, nodes=value)
        elif field == "server.workers":
            scenario = with_server(scenario, workers=value)
        else:
            name = scenario.server.stages[int(field.split(".")[2])].name
            scenario = with_workers(scenario, name, value)
    return scenario


def value_of(scenario: Scenario, field: str) -> int:
    """Today's value of a field that `capacity_steps` names."""
    match field.split("."):
        case ["server", "stages", place, _]:
            return scenario.server.stages[int(place)].workers
        case ["server", "nodes"]:
            return scenario.server.nodes
    return scenario.server.workers
