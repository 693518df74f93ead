"""A small herd that stands for a large one: clients, rates and capacity alike.

With k clients for every one that is run, all that comes per second has to be k times less, and all
that takes time as long as it did. Nodes that meet the same fate become one. Workers become fewer;
where that does not come out even, or would leave less than one, each is slower, so that the
capacity is 1/k exactly. Queues, quotas and buckets are shortened alike, so that waiting in a full
one takes as long. In the limit of many clients nothing is lost by it; of few, rates scatter more
(their peaks come out too high by some standard deviations of a Poisson count), one service may
take longer, and how unevenly a balancer deals among nodes is not seen. What a plan recommends is
therefore run again at full size.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from server_stub.config import ServerConfig
from server_stub.defences import Admission, RetryAfter
from server_stub.service_time import ServiceTime
from server_stub.stages import Stage
from simulator.scenario import Scenario

_TABLES = ("outcomes", "causes", "turned_away")
"""Metrics that are tables of counts."""
_BY_STAGE = ("capacity", "arrivals", "completed", "wasted", "rejected")
"""Of a stage: what counts jobs."""
_PER_NODE = ("peak_backlog", "connection_imbalance", "generator_lag_p99", "generator_lag_max")
"""Metrics that a scaled herd has no say in."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scaled:
    """A herd that stands for a larger one."""

    scenario: Scenario
    factor: float
    """How many clients each of its own stands for."""


def can_scale(metric: str) -> bool:
    """Is the metric of a large herd known from a small one?"""
    parts = metric.split(".")
    return not any(part in _PER_NODE for part in parts)


def scaled(scenario: Scenario, n_clients: int) -> Scaled:
    """The same storm with fewer clients; the scenario itself if it has no more than that."""
    if scenario.n_clients <= n_clients:
        return Scaled(scenario=scenario, factor=1.0)
    factor = scenario.n_clients / n_clients
    load = scenario.load
    if load.rate is not None:
        load = load.model_copy(update={"rate": load.rate / factor})
    small = scenario.model_copy(
        update={
            "n_clients": n_clients,
            "ramp_rate": scenario.ramp_rate / factor,
            "server": _server(scenario, factor),
            "load": load,
        }
    )
    return Scaled(scenario=small, factor=factor)


def _server(scenario: Scenario, factor: float) -> ServerConfig:
    server = scenario.server
    n_nodes = 1 if _nodes_are_alike(scenario) else server.nodes
    per_node = factor * n_nodes / server.nodes
    workers = _fewer(server.workers, per_node)
    return server.model_copy(
        update={
            "nodes": n_nodes,
            "workers": workers,
            "service_time": slower(server.service_time, per_node * workers / server.workers),
            "backlog": _shorter(server.backlog, per_node),
            "listen_backlog": max(1, _shorter(server.listen_backlog, per_node)),
            "max_connections": _limit(server.max_connections, per_node),
            "admission": _admission(server.admission, per_node),
            "retry_after": _retry_after(server.retry_after, per_node),
            "stages": tuple(
                _stage(stage, factor if stage.shared else per_node) for stage in server.stages
            ),
        }
    )


def _nodes_are_alike(scenario: Scenario) -> bool:
    """Does whatever happens happen to all nodes at once?"""
    n_nodes = scenario.server.nodes
    return (
        scenario.server.autoscale is None
        and not scenario.deploy
        and all(len(window.nodes or range(n_nodes)) == n_nodes for window in scenario.windows)
    )


def _fewer(workers: int, factor: float) -> int:
    return max(1, round(workers / factor))


def slower(service: ServiceTime, factor: float) -> ServiceTime:
    """The same distribution, all of it that many times as long."""
    return service.model_copy(update={"mean": service.mean * factor})


def slower_stage(stage: Stage, factor: float) -> Stage:
    """A stage all of whose jobs take that many times as long."""
    cold = stage.cold
    if cold is not None and cold.service_time is not None:
        cold = cold.model_copy(update={"service_time": slower(cold.service_time, factor)})
    return stage.model_copy(
        update={
            "service_time": slower(stage.service_time, factor),
            "cold": cold,
            "per_event": stage.per_event * factor,
            "per_item": stage.per_item * factor,
        }
    )


def _stage(stage: Stage, factor: float) -> Stage:
    workers = _fewer(stage.workers, factor)
    backlog = max(_shorter(stage.backlog, factor), stage.per_connect)
    same = slower_stage(stage, factor * workers / stage.workers)
    return same.model_copy(update={"workers": workers, "backlog": backlog})


def _shorter(backlog: int, factor: float) -> int:
    return max(1, round(backlog / factor)) if backlog else 0


def _limit(limit: int | None, factor: float) -> int | None:
    return None if limit is None else max(1, round(limit / factor))


def _admission(admission: Admission | None, factor: float) -> Admission | None:
    if admission is None:
        return None
    rate = None if admission.rate is None else admission.rate / factor
    return admission.model_copy(
        update={
            "rate": rate,
            "limit": _limit(admission.limit, factor),
            "burst": _limit(admission.burst, factor),
        }
    )


def _retry_after(advice: RetryAfter | None, factor: float) -> RetryAfter | None:
    if advice is None:
        return None
    return advice.model_copy(update={"per_waiting": advice.per_waiting * factor})


def at_full_size(summary: Mapping[str, Any], factor: float) -> dict[str, Any]:
    """A small herd's summary in figures of the herd that it stands for.

    Args:
        summary: Of the small herd.
        factor: How many clients each of its own stands for.
    """
    return dict(_scaled_up(summary, factor)) if factor != 1 else dict(summary)


def _scaled_up(summary: Mapping[str, Any], factor: float) -> Iterator[tuple[str, Any]]:
    for name, value in summary.items():
        if name in ("outages", "cohorts"):
            yield name, {key: at_full_size(part, factor) for key, part in value.items()}
        elif name == "stages":
            yield name, {key: _times(part, factor, _BY_STAGE) for key, part in value.items()}
        elif name in _TABLES and isinstance(value, Mapping):
            yield name, _times(value, factor, tuple(value))
        elif name.startswith(("n_", "peak_")) and value is not None:
            yield name, value * factor
        else:
            yield name, value


def _times(table: Mapping[str, Any], factor: float, names: tuple[str, ...]) -> dict[str, Any]:
    return {
        name: value * factor if name in names and value is not None else value
        for name, value in table.items()
    }
