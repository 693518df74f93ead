"""A scenario: which herd meets which server, and what goes wrong when.

Read from TOML, checked whole (every mistake is reported at once), immutable from then on.
"""

import copy
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal, Self

import tomli_w
from pydantic import BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from server_stub.config import ServerConfig
from server_stub.deploy import Deploy
from server_stub.endpoints import HealthCheck
from server_stub.outage import Outage, OutageWindow
from server_stub.plan import Plan, PlanError, plan
from server_stub.problems import Problem, misfit_error, problems_of, suggest
from server_stub.settings import (
    Count,
    OrNone,
    PositiveCount,
    PositiveSeconds,
    Rate,
    Seconds,
    Settings,
    Share,
)
from server_stub.work import Load
from simulator.core.backoff import BASIC, Policy
from simulator.core.close_codes import CloseRules
from simulator.core.connectivity import MonitorConfig
from simulator.core.heartbeat import HeartbeatConfig
from simulator.core.outgoing import OutgoingConfig
from simulator.core.presets import PRESETS
from simulator.core.statuses import StatusRules
from simulator.core.visibility import PageRules
from simulator.errors import ScenarioError
from simulator.own_policies import resolve

_MOST_PORTS = 65_536
_SHARE_ROUNDING = 1e-6
"""Shares written with few decimals need not add up to 1 exactly."""

AnyPolicy = Annotated[Policy, BeforeValidator(resolve)]
"""A policy by name, or as a table."""


class ClientConfig(Settings):
    """What one client does around a lost connection."""

    policy: AnyPolicy = BASIC["exponential-full-jitter"]
    connect_timeout: Annotated[PositiveSeconds | None, OrNone] = 10.0
    """Seconds from an attempt's start to giving it up; "none" waits for ever."""
    rtt: PositiveSeconds = 0.02
    """Seconds of network round trip that every dial costs."""
    heartbeat: Annotated[HeartbeatConfig | None, OrNone] = HeartbeatConfig()
    close_codes: CloseRules = CloseRules()
    """Which close codes mean come back, come back later, or stay away."""
    statuses: StatusRules = StatusRules()
    """Which HTTP statuses, in the place of the 101, end reconnecting."""
    retry_after: Literal["obey", "ignore"] = "obey"
    """Does it wait as long as a Retry-After header asks? A web page cannot: browsers do not show it
    the headers of a handshake that was turned away."""
    outgoing: OutgoingConfig = OutgoingConfig()
    """Messages that wait for a connection."""
    sync: Literal["none", "delta", "full"] = "none"
    """After a connect: fetch nothing, what was missed, or the whole state."""
    clients_per_address: PositiveCount = 1
    """How many clients share an address, as behind a NAT or the proxy of an office. The server
    learns it from an X-Forwarded-For header, as behind a proxy of its own."""
    operation_rate: Annotated[Rate | None, OrNone] = None
    """Operations per second that a client's user issues, connected or not."""
    visible_share: Share = 1.0
    """Share of the clients whose page is in view; the timers of the others are throttled."""
    page: PageRules = PageRules()
    """What it does while its page is hidden, and when it comes into view."""
    network_monitor: Annotated[MonitorConfig | None, OrNone] = None
    """Whether and how a client finds out that its network is gone."""
    brake: Annotated[Literal["firefox"] | None, OrNone] = None
    """Whose rule delays the attempts of a page beyond what its own policy asks for."""

    @model_validator(mode="after")
    def _habits_of_the_library(self) -> Self:
        """Take what is not set here from the library whose policy it is."""
        library = self.policy.library
        if not library:
            return self
        if library not in PRESETS:
            raise misfit_error(
                [
                    Problem(
                        place="policy.library",
                        value=repr(library),
                        allowed=suggest(library, PRESETS),
                    )
                ]
            )
        habits = PRESETS[library].client
        # Not among the fields that are set: what is set must outlive a change of the policy.
        self.__dict__.update(
            {field: habits[field] for field in habits.keys() - self.model_fields_set}
        )
        return self

    def with_policy(self, policy: Policy) -> Self:
        """The same client with another policy, and with the habits that go with that one."""
        own = {field: getattr(self, field) for field in self.model_fields_set}
        return type(self)(**{**own, "policy": policy})

    @property
    def heartbeat_by_application(self) -> bool:
        """Are pings texts rather than ping frames?"""
        return self.heartbeat is not None and self.heartbeat.kind == "application"


class Cohort(ClientConfig):
    """A share of the fleet with settings of its own; what it leaves out comes from `[client]`."""

    name: Annotated[str, Field(min_length=1)] = "all"
    share: Annotated[Share, Field(gt=0)] = 1.0


class Objective(Settings):
    """A condition on one metric of a summary."""

    metric: str
    op: Literal["<", "<=", ">", ">=", "==", "!="]
    value: Annotated[float, Field(strict=True)]


def _with_client_defaults(data: Any) -> Any:  # noqa: ANN401 - whatever a TOML file holds
    """Give every `[[cohort]]` the fields of `[client]` that it does not set itself."""
    if not isinstance(data, Mapping) or not isinstance(data.get("cohort"), list | tuple):
        return data
    client = data.get("client", {})
    if not isinstance(client, Mapping):
        return data
    cohorts = [
        {**client, **cohort} if isinstance(cohort, Mapping) else cohort for cohort in data["cohort"]
    ]
    return {**data, "cohort": cohorts}


@lru_cache(maxsize=64)
def _plan_of(
    n_nodes: int,
    outages: tuple[Outage, ...],
    deploys: tuple[Deploy, ...],
    check: HealthCheck | None,
    *,
    until: float,
    most: int,
) -> Plan:
    return plan(n_nodes, outages, deploys, check, until=until, most=most)


class Scenario(Settings):
    """Which herd meets which server, and what goes wrong when."""

    name: Annotated[str, Field(min_length=1, pattern=r"^[\w.-]+$")] = "custom"
    description: str = ""
    """What the scenario shows, in one or two sentences."""
    seed: Count = 1
    n_clients: PositiveCount = 1000
    horizon: PositiveSeconds = 60.0
    """End of new attempts, in seconds after t = 0."""
    grace: Seconds = 5.0
    """How much longer attempts started before the horizon may run on."""
    ramp_rate: Rate = 500.0
    """Connects per second while the fleet assembles."""
    settle: Seconds = 3.0
    """How long everybody must stay connected before a run ends early."""
    transport: Literal["trio-websocket", "wsproto"] = "wsproto"
    outbox: Literal["memory", "sqlite"] = "memory"
    """Where clients keep operations until they are acknowledged: in memory, as suits a large herd,
    or in an SQLite file beside the run's tables, as suits one that must survive its process."""
    attempts_limit: Count = 5_000_000
    """The most attempts of which the model engine keeps a table, at 43 bytes each; of more it keeps
    how many there were in each 10 ms, and when each client was connected again."""
    server: ServerConfig = ServerConfig()
    load: Load = Load()
    """Background work on the server's workers, or on those of a stage."""
    outage: tuple[Outage, ...] = ()
    deploy: tuple[Deploy, ...] = ()
    client: ClientConfig = ClientConfig()
    cohort: tuple[Cohort, ...] = ()
    compare: tuple[AnyPolicy, ...] = ()
    """The policies that `herd compare` sets side by side when none are named."""
    objective: tuple[Objective, ...] = ()

    _inherit = model_validator(mode="before")(_with_client_defaults)

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        if misfits := tuple(self._misfits()):
            raise misfit_error(misfits)
        return self

    def _misfits(self) -> Iterator[Problem]:
        """Settings that are valid each, but not together."""
        yield from self._schedule_misfits()
        yield from self._cohort_misfits()

    def _schedule_misfits(self) -> Iterator[Problem]:
        for field, starts_at in (
            *((f"outage.{n}", outage.starts_at) for n, outage in enumerate(self.outage)),
            *((f"deploy.{n}", deploy.starts_at) for n, deploy in enumerate(self.deploy)),
        ):
            if starts_at >= self.horizon:
                yield Problem(
                    place=f"{field}.starts_at",
                    value=f"{starts_at:g}",
                    allowed=f"past the horizon; allowed: less than horizon = {self.horizon:g}",
                )
        try:
            n_places = self.plan.n_places
        except PlanError as error:
            yield Problem(place=error.field, value="", allowed=str(error))
            return
        if (autoscale := self.server.autoscale) is not None:
            if autoscale.most < self.server.nodes:
                yield Problem(
                    place="server.autoscale.most",
                    value=str(autoscale.most),
                    allowed=f"allowed: at least server.nodes = {self.server.nodes}",
                )
            if self.deploy:
                yield Problem(
                    place="deploy",
                    value="",
                    allowed="not with server.autoscale: a deploy replaces the nodes that the "
                    "schedule knows",
                )
        if self.server.port + n_places > _MOST_PORTS:
            yield Problem(
                place="server.port",
                value=str(self.server.port),
                allowed=f"allowed: at most {_MOST_PORTS - n_places}, for each of {n_places} nodes "
                "needs a port",
            )

    def _cohort_misfits(self) -> Iterator[Problem]:
        names = [cohort.name for cohort in self.cohort]
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield Problem(place="cohort.name", value=repr(name), allowed="allowed: each name once")
        known = [cohort.name for cohort in self.cohorts]
        for index, outage in enumerate(self.outage):
            if outage.cohort is not None and outage.cohort not in known:
                yield Problem(
                    place=f"outage.{index}.cohort",
                    value=repr(outage.cohort),
                    allowed=suggest(outage.cohort, known),
                )
        if self.load.stage not in self.server.stage_names:
            yield Problem(
                place="load.stage",
                value=repr(self.load.stage),
                allowed=suggest(self.load.stage, self.server.stage_names),
            )
        total = sum(cohort.share for cohort in self.cohort)
        if self.cohort and abs(total - 1.0) > _SHARE_ROUNDING:
            yield Problem(
                place="cohort.share",
                value=" + ".join(f"{cohort.share:g}" for cohort in self.cohort),
                allowed=f"adds up to {total:g}; allowed: shares that add up to 1",
            )

    @property
    def plan(self) -> Plan:
        """What happens to which node when."""
        server = self.server
        most = 0 if server.autoscale is None else server.autoscale.most
        return _plan_of(
            server.nodes,
            self.outage,
            self.deploy,
            server.health_check,
            until=self.horizon,
            most=most,
        )

    @property
    def is_balanced(self) -> bool:
        """Is there a balancer between clients and nodes?"""
        return self.plan.n_places > 1 or bool(self.deploy)

    @property
    def windows(self) -> tuple[OutageWindow, ...]:
        """The stretches of trouble that begin before the horizon, by start."""
        return tuple(window for window in self.plan.windows if window.starts_at < self.horizon)

    @property
    def cohorts(self) -> tuple[Cohort, ...]:
        """The cohorts; without any `[[cohort]]`, the whole fleet is one, called "all"."""
        return self.cohort or (
            Cohort(**{field: getattr(self.client, field) for field in ClientConfig.model_fields}),
        )

    @property
    def tells_addresses(self) -> bool:
        """Does the server hear where its clients come from?"""
        return self.server.max_per_address is not None or any(
            cohort.clients_per_address > 1 for cohort in self.cohorts
        )

    @property
    def restarts(self) -> bool:
        """Does any outage restart the server, so that it knows nobody afterwards?"""
        return any(window.restarts for window in self.windows)

    @property
    def capacity(self) -> float:
        """Connects per second that the server can let in once its outages are over."""
        return self.server.capacity_for(is_cold=self.restarts)

    @property
    def last_outage_end(self) -> float:
        """Seconds; when the last outage is scheduled to end, 0 when there is none."""
        return max((window.ends_at for window in self.windows), default=0.0)

    def with_policy(self, policy: Policy) -> Self:
        """The same herd with this policy in every cohort."""
        return self.model_copy(
            update={
                "client": self.client.with_policy(policy),
                "cohort": tuple(cohort.with_policy(policy) for cohort in self.cohort),
            }
        )

    def to_toml(self) -> str:
        """The whole scenario as TOML, every field spelt out; `parse` reads it back."""
        return tomli_w.dumps(_without_none(self.model_dump(mode="json")))


def _without_none(table: Mapping[str, Any]) -> dict[str, Any]:
    """A table without the fields that are not set; TOML has no word for those."""
    return {
        key: _without_none(value)
        if isinstance(value, Mapping)
        else [_without_none(entry) if isinstance(entry, Mapping) else entry for entry in value]
        if isinstance(value, list)
        else value
        for key, value in table.items()
        if value is not None
    }


def parse(data: Mapping[str, Any], *, source: str) -> Scenario:
    """Check a scenario given as nested mappings.

    Args:
        data: What a TOML file holds.
        source: The file, or whatever else the messages should name.

    Raises:
        ScenarioError: With every mistake in it.
    """
    try:
        return Scenario.model_validate(data)
    except ValidationError as error:
        details = _own_mistakes(error, data)
    problems = [*problems_of(details, Scenario), *_hidden_problems(data, details)]
    raise ScenarioError(source, problems)


def _own_mistakes(error: ValidationError, data: Mapping[str, Any]) -> list[ErrorDetails]:
    """What is wrong where it is written: not once more in every cohort that inherits it."""

    def is_inherited(location: tuple[int | str, ...]) -> bool:
        match location:
            case ("cohort", int(index), str(field), *_):
                return field not in data["cohort"][index]
        return False

    return [detail for detail in error.errors() if not is_inherited(detail["loc"])]


def _hidden_problems(data: Mapping[str, Any], details: list[ErrorDetails]) -> Iterator[Problem]:
    """What only shows once the fields that were found wrong are out of the way."""
    rest = copy.deepcopy(dict(data))
    for detail in details:
        _leave_out(rest, detail["loc"])
    try:
        Scenario.model_validate(rest)
    except ValidationError as error:
        deeper = _own_mistakes(error, rest)
        known = {detail["loc"] for detail in details}
        if not known.intersection(detail["loc"] for detail in deeper):
            yield from problems_of(deeper, Scenario)


def _leave_out(data: Any, location: tuple[int | str, ...]) -> None:  # noqa: ANN401
    """Drop the field at this place from nested tables; of a list, drop everything."""
    for step in location:
        if isinstance(data, list):
            data.clear()
            return
        if not isinstance(data, dict) or step not in data:
            return
        if step == location[-1]:
            del data[step]
            return
        data = data[step]
