"""What the model engine does with arrays, what one event at a time, and what it refuses."""

from collections.abc import Iterator

from server_stub.config import ServerConfig
from server_stub.outage import OutageKind
from server_stub.problems import Problem
from server_stub.stages import Stage
from server_stub.work import Load, WorkConfig
from simulator.errors import ScenarioError
from simulator.scenario import Scenario

_KINDS = tuple(
    kind for kind in OutageKind if kind.can_be_staged and kind is not OutageKind.IDLE_TIMEOUT
)
"""Of outages that it models."""
_NONE_ONLY = ("max_per_address", "max_connection_age", "autoscale")
"""Of the server's settings: those that it can only do without."""
REFERENCE_LIMIT = 200_000
"""Clients that the reference runs, one event at a time; beyond it would take hours."""


def check(scenario: Scenario) -> None:
    """Refuse what would have to be ignored.

    Raises:
        ScenarioError: With every such setting.
    """
    problems = [*_foreign(scenario), *_of_the_server(scenario), *_of_the_outages(scenario)]
    reason = needs_reference(scenario)
    if reason is not None and scenario.n_clients > REFERENCE_LIMIT:
        problems.append(
            Problem(
                place="n_clients",
                value=f"{scenario.n_clients}",
                allowed=f"at most {REFERENCE_LIMIT} with {reason}, which the model engine follows "
                "one event at a time",
            )
        )
    if problems:
        raise ScenarioError(f"{scenario.name}, engine = 'model'", problems)


def _foreign(scenario: Scenario) -> Iterator[Problem]:
    for cohort in scenario.cohorts:
        place = f"cohort {cohort.name!r}" if scenario.cohort else "client"
        monitor = cohort.network_monitor
        if monitor is not None and monitor.interval is not None:  # No signal comes in a run.
            yield _refused(f"{place}: network_monitor", "a table", '"none"')
        if cohort.visible_share < 1:
            yield _refused(f"{place}: visible_share", f"{cohort.visible_share:g}", "1")
        if cohort.brake is not None:
            yield _refused(f"{place}: brake", repr(cohort.brake), '"none"')
        if cohort.connect_timeout is not None and cohort.connect_timeout <= cohort.rtt:
            yield _refused(
                f"{place}: connect_timeout",
                f"{cohort.connect_timeout:g}",
                f"more than the rtt, {cohort.rtt:g}",
            )


def _of_the_server(scenario: Scenario) -> Iterator[Problem]:
    server = scenario.server
    if scenario.deploy:
        yield _refused("deploy", "a table", "none")
    if server.work != WorkConfig():
        yield _refused("server.work", "set", "nothing")
    if scenario.load != Load():
        yield _refused("load", "set", "none")
    if (server.nodes > 1 or server.stages) and (reason := needs_reference(scenario)):
        place = "server.nodes" if server.nodes > 1 else "server.stages"
        yield _refused(place, "set", f"none with {reason}")
    if server.overflow == "drop" and server.admission and server.admission.rate is not None:
        yield _refused("server.admission", "a token bucket", "none with overflow = 'drop'")
    for field in _NONE_ONLY:
        if getattr(server, field) is not None:
            yield _refused(f"server.{field}", "set", '"none"')


def _of_the_outages(scenario: Scenario) -> Iterator[Problem]:
    for index, outage in enumerate(scenario.outage):
        if outage.kind not in _KINDS:
            kinds = ", ".join(repr(kind.value) for kind in _KINDS)
            yield _refused(f"outage.{index}.kind", repr(outage.kind.value), f"one of {kinds}")
        elif outage.direction not in (None, "both"):
            yield _refused(f"outage.{index}.direction", repr(outage.direction), "'both'")


def _refused(place: str, value: str, allowed: str) -> Problem:
    return Problem(
        place=place, value=value, allowed=f"not modelled; allowed: {allowed}, or another engine"
    )


def needs_reference(scenario: Scenario) -> str | None:
    """What of a scenario the arrays cannot express; None if there is nothing."""
    return next(_beyond_arrays(scenario), None)


def _beyond_arrays(scenario: Scenario) -> Iterator[str]:
    yield from _of_the_queue(scenario.server)
    yield from _of_the_defences(scenario.server)
    for index, stage in enumerate(scenario.server.stages):
        if trouble := _of_a_stage(stage):
            yield f"server.stages.{index}.{trouble}"
    for window in scenario.windows:
        if window.kind not in (OutageKind.GRACEFUL, OutageKind.CRASH):
            yield f"an outage of kind = {window.kind.value!r}"
        if window.cold_for:
            yield "an outage that leaves caches cold"
        if not window.refuse:
            yield "an outage with refuse = false"


def _of_the_queue(server: ServerConfig) -> Iterator[str]:
    if server.abandoned == "skip":
        yield "server.abandoned = 'skip'"
    if server.overflow == "drop":
        yield "server.overflow = 'drop'"
    if server.nodes > 1 and server.balance == "least_connections":
        yield "server.balance = 'least_connections'"
    if server.order != "fifo":
        yield f"server.order = {server.order!r}"


def _of_the_defences(server: ServerConfig) -> Iterator[str]:
    advice = server.retry_after
    if advice is not None and (advice.spread or advice.per_waiting):
        yield "a window of server.retry_after"
    if server.admission is not None:
        yield "server.admission"
    if server.reconnect_window is not None:
        yield "server.reconnect_window"
    if server.max_connections is not None:
        yield "server.max_connections"


def _of_a_stage(stage: Stage) -> str | None:
    """What of a stage the arrays cannot express."""
    if stage.when != "before":
        return f"when = {stage.when!r}"
    if stage.order != "fifo":
        return f"order = {stage.order!r}"
    if stage.abandoned == "skip":
        return "abandoned = 'skip'"
    if stage.per_connect > 1:
        return f"per_connect = {stage.per_connect}"
    return "cold" if stage.cold is not None else None


def notes(scenario: Scenario) -> Iterator[str]:
    """What a reader of the result must know."""
    reason = needs_reference(scenario)
    if reason is not None:
        yield f"followed one event at a time because of {reason}"
    if any(cohort.sync != "none" or cohort.operation_rate for cohort in scenario.cohorts):
        yield "operations, events and what clients fetch after a connect are not modelled"
