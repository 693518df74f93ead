"""What a server, or whoever restarts it, can do against a storm: changes to try."""

from collections.abc import Iterator
from dataclasses import dataclass

from reports.wording import percent
from server_stub.defences import Admission, RetryAfter
from server_stub.outage import OutageKind
from simulator.planning.changes import capacity_of, with_server
from simulator.scenario import Scenario

_WAITS = (2.0, 10.0)
"""Seconds of a Retry-After for everybody."""
_DRAIN_SHARE = 0.8
"""Of an outage, for which a drain spreads the close frames; a drain is part of the outage."""
_PATIENCE_SHARE = 0.5
"""Of the shortest patience, that a full queue may take."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Defence:
    """A change, in words and as `--set` takes it."""

    words: str
    changes: tuple[str, ...]
    scenario: Scenario


def defences(scenario: Scenario) -> Iterator[Defence]:
    """The defences that a scenario can be given; an engine may refuse some of them."""
    capacity = capacity_of(scenario)
    for seconds in _WAITS:
        yield Defence(
            words=f"Retry-After {seconds:g} s",
            changes=(f"server.retry_after={seconds:g}",),
            scenario=with_server(scenario, retry_after=RetryAfter(at_least=seconds)),
        )
    window = max(1.0, round(scenario.n_clients / capacity, 1))
    yield Defence(
        words=f"Retry-After spread over {window:g} s",
        changes=(f"server.retry_after={{spread={window}}}",),
        scenario=with_server(scenario, retry_after=RetryAfter(spread=window)),
    )
    rate = round(capacity / scenario.server.nodes, 3)
    burst = max(1, round(rate))
    bucket = Admission(kind="token_bucket", rate=rate, burst=burst)
    yield Defence(
        words=f"token bucket of {rate:g}/s at each node",
        changes=(f"server.admission={{kind='token_bucket', rate={rate}, burst={burst}}}",),
        scenario=with_server(scenario, admission=bucket),
    )
    yield from _shorter_queue(scenario)
    yield from _drain(scenario)


def _shorter_queue(scenario: Scenario) -> Iterator[Defence]:
    """A queue in front of the nodes that nobody loses patience in."""
    capacity = min(scenario.server.own_capacity, scenario.capacity)
    backlog = queue_in_time(scenario, capacity)
    if backlog is not None:
        yield Defence(
            words=f"a queue of {backlog:,} at each node",
            changes=(f"server.backlog={backlog}",),
            scenario=with_server(scenario, backlog=backlog),
        )


def queue_in_time(scenario: Scenario, capacity: float) -> int | None:
    """Places of a node's queue that is served before anybody's patience ends.

    Args:
        scenario: Whose clients.
        capacity: Connects per second of all nodes.

    Returns:
        None if nobody's patience ends, or if today's queue is no longer.
    """
    patience = [c.connect_timeout for c in scenario.cohorts if c.connect_timeout is not None]
    if not patience:
        return None
    server = scenario.server
    backlog = max(1, round(_PATIENCE_SHARE * min(patience) * capacity / server.nodes))
    return backlog if backlog < server.backlog else None


def _drain(scenario: Scenario) -> Iterator[Defence]:
    """Close frames over a while, where a restart sends them all at once."""
    if not any(outage.kind is OutageKind.GRACEFUL for outage in scenario.outage):
        return
    changes: list[str] = []
    outages = []
    for index, outage in enumerate(scenario.outage):
        if outage.kind is OutageKind.GRACEFUL:
            over = round(_DRAIN_SHARE * outage.down_for, 3)
            update = {"kind": OutageKind.DRAIN, "drain_over": over}
            outages.append(outage.model_copy(update=update))
            changes += [f"outage.{index}.kind=drain", f"outage.{index}.drain_over={over}"]
        else:
            outages.append(outage)
    yield Defence(
        words=f"connections drained over {percent(_DRAIN_SHARE)} of the outage",
        changes=tuple(changes),
        scenario=scenario.model_copy(update={"outage": tuple(outages)}),
    )
