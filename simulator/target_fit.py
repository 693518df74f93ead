"""What of a scenario makes sense at a server that is not ours: refused, not applied, or applied.

A client's side of things works anywhere. What needs herd's own protocol is refused. What describes
a server describes another one than this: it is not applied, and the record of the run says so.
"""

from collections.abc import Iterator

from server_stub.config import ServerConfig
from server_stub.outage import Outage, OutageKind
from server_stub.work import Load
from simulator.errors import TargetError
from simulator.scenario import Scenario
from simulator.target import Target

NEEDS_OUR_SERVER = {
    "sync": ("none", "what was missed can only be asked for in herd's own protocol"),
    "operation_rate": (None, "operations are acknowledged in herd's own protocol"),
}
"""By a client's field: the only value that fits, and why."""
_WHEN = ("starts_at", "down_for", "every", "count")
"""Of an outage, what says when it is due."""


def check_fit(target: Target, *scenarios: Scenario) -> None:
    """Refuse what cannot be done at this server.

    Raises:
        TargetError: With all of it, each thing once.
    """
    problems = [
        problem
        for scenario in scenarios
        for problem in (*_client_problems(scenario), *_run_problems(scenario, target))
    ]
    if problems:
        raise TargetError(dict.fromkeys(problems))


def _client_problems(scenario: Scenario) -> Iterator[str]:
    table = "cohort" if scenario.cohort else "client"
    for cohort in scenario.cohorts:
        place = f"cohort {cohort.name}: " if scenario.cohort else "client."
        for field, (fitting, why) in NEEDS_OUR_SERVER.items():
            value = getattr(cohort, field)
            if value != fitting:
                yield _refusal(f"{place}{field} = {value}", why, f"{table}.{field}=none")
        if cohort.heartbeat_by_application:
            yield _refusal(
                f"{place}heartbeat.kind = application",
                "not every server answers herd's texts",
                f"{table}.heartbeat.kind=protocol",
            )
        monitor = cohort.network_monitor
        if monitor is not None and monitor.interval is not None:
            yield _refusal(
                f"{place}network_monitor.interval = {monitor.interval:g}",
                "no path is cut, and probes would be a load of their own",
                f"{table}.network_monitor.interval=none",
            )


def _refusal(setting: str, why: str, change: str) -> str:
    return f"{setting}: not with --target, {why}; allowed: --set {change}"


def _run_problems(scenario: Scenario, target: Target) -> Iterator[str]:
    restarts = [kind for kind in OutageKind if kind.is_restart]
    for kind in sorted({outage.kind for outage in scenario.outage} - set(restarts)):
        yield (
            f"outage.kind = {kind.value}: not with --target, which can only have its server "
            f"restarted; allowed: {', '.join(restarts)}"
        )
    if scenario.deploy:
        yield (
            "deploy: not with --target, whose nodes are not herd's; allowed: an [[outage]], with a "
            "--restart-command that deploys"
        )
    if target.max_clients is not None and scenario.n_clients > target.max_clients:
        yield (
            f"n_clients = {scenario.n_clients}: above the ceiling for {target.host}; allowed: at "
            f"most {target.max_clients}, or a higher --max-clients"
        )
    if target.restart_command is not None and not scenario.windows:
        yield "--restart-command: has no effect, the scenario has no [[outage]]"


def as_applied(scenario: Scenario) -> Scenario:
    """A scenario without what describes a server, or what goes on there: what such a run is of."""
    outages = tuple(
        Outage(**{field: getattr(outage, field) for field in _WHEN}) for outage in scenario.outage
    )
    ours = {"server": ServerConfig(), "load": Load(), "outage": outages, "deploy": ()}
    return scenario.model_copy(update=ours)


def not_applied(scenario: Scenario, target: Target) -> tuple[str, ...]:
    """What the record of a run must say of a scenario's settings that were left aside."""
    return tuple(_remarks(scenario, target))


def _remarks(scenario: Scenario, target: Target) -> Iterator[str]:
    fields = [
        f"server.{name}"
        for name, default in ServerConfig().model_dump().items()
        if scenario.server.model_dump()[name] != default
    ]
    if scenario.load != Load():
        fields.append("load")
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
