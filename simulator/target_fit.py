"""What of a scenario makes sense at a server that is not ours: refused, not applied, or applied.

A client's side of things works anywhere. What needs herd's own protocol is refused. What describes
a server describes another one than this: it is not applied, and the record of the run says so.
"""

from collections.abc import Iterator

from server_stub.config import ServerConfig
from server_stub.outage import OutageKind
from simulator.errors import TargetError
from simulator.scenario import Scenario
from simulator.target import Target

RESTARTS = (OutageKind.GRACEFUL, OutageKind.CRASH)
"""Kinds of outage that a restart of somebody else's server can stand for."""
NEEDS_OUR_SERVER = {
    "sync": ("none", "what was missed can only be asked for in herd's own protocol"),
    "operation_rate": (None, "operations are acknowledged in herd's own protocol"),
    "network_monitor": (None, "no path is cut, and probes would be a load of their own"),
}
"""By a client's field: the only value that fits, and why."""


def check_fit(scenario: Scenario, target: Target) -> None:
    """Refuse what cannot be done at this server.

    Raises:
        TargetError: With all of it.
    """
    if problems := [*_client_problems(scenario), *_run_problems(scenario, target)]:
        raise TargetError(problems)


def _client_problems(scenario: Scenario) -> Iterator[str]:
    table = "cohort" if scenario.cohort else "client"
    for cohort in scenario.cohorts:
        place = f"cohort {cohort.name}: " if scenario.cohort else "client."
        for field, (fitting, why) in NEEDS_OUR_SERVER.items():
            value = getattr(cohort, field)
            if value != fitting:
                shown = value if isinstance(value, str | float) else "{...}"
                yield _refusal(f"{place}{field} = {shown}", why, f"{table}.{field}=none")
        if cohort.heartbeat_by_application:
            yield _refusal(
                f"{place}heartbeat.kind = application",
                "not every server answers herd's texts",
                f"{table}.heartbeat.kind=protocol",
            )


def _refusal(setting: str, why: str, change: str) -> str:
    return f"{setting}: not with --target, {why}; allowed: --set {change}"


def _run_problems(scenario: Scenario, target: Target) -> Iterator[str]:
    for kind in sorted({outage.kind for outage in scenario.outage} - set(RESTARTS)):
        yield (
            f"outage.kind = {kind.value}: not with --target, which can only have its server "
            f"restarted; allowed: {', '.join(RESTARTS)}"
        )
    if target.max_clients is not None and scenario.n_clients > target.max_clients:
        yield (
            f"n_clients = {scenario.n_clients}: above the ceiling for {target.host}; allowed: at "
            f"most {target.max_clients}, or a higher --max-clients"
        )
    if target.restart_command is not None and not scenario.windows:
        yield "--restart-command: has no effect, the scenario has no [[outage]]"


def not_applied(scenario: Scenario, target: Target) -> tuple[str, ...]:
    """What the record of a run must say of a scenario's settings that were left aside."""
    return tuple(_remarks(scenario, target))


def _remarks(scenario: Scenario, target: Target) -> Iterator[str]:
    fields = [
        f"server.{name}"
        for name, default in ServerConfig().model_dump().items()
        if scenario.server.model_dump()[name] != default
    ]
    if fields:
        yield f"not applied, for the server is not herd's: {', '.join(fields)}"
    if not scenario.outage:
        return
    if target.restart_command is None:
        yield (
            "not applied: outage; the server is restarted by hand, and what the clients then saw "
            "is what counts"
        )
    else:
        yield (
            "not applied: of outage all but when it starts; how the server goes down, and for how "
            "long, is up to the restart command"
        )
