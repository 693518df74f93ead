"""What the stub server is told: its capacity, its queue and how it turns clients away."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from server_stub.autoscale import Autoscale
from server_stub.balancer import Balance
from server_stub.capacity import Demand, capacity_before_101
from server_stub.defences import AddressLimit, Admission, RetryAfter
from server_stub.endpoints import HealthCheck
from server_stub.history import HistoryConfig
from server_stub.ledger import LedgerConfig
from server_stub.lifetime import ConnectionAge
from server_stub.limits import Limits
from server_stub.service_time import ServiceTime
from server_stub.settings import Count, OrNone, PositiveCount, PositiveSeconds, Seconds, Settings
from server_stub.stages import HANDSHAKE, MOST_STAGES, AnyStage
from server_stub.work import WorkConfig

__all__ = ["ServerConfig", "ServiceTime"]

MOST_NODES = 1000


class ServerConfig(Settings):
    """The stub: nodes of `workers` that each serve one handshake at a time, and a backlog.

    All that is said of a queue, a limit or a defence holds for each node by itself.
    """

    nodes: Annotated[int, Field(gt=0, le=MOST_NODES, strict=True)] = 1
    """How many there are, behind a balancer."""
    balance: Balance = "round_robin"
    """Which node the balancer sends a connect to: the next in turn, the one that holds the fewest
    connections, any, or for the same client always the same while that takes part."""
    health_check: Annotated[HealthCheck | None, OrNone] = HealthCheck()
    """How the balancer finds out that a node is down, whatever made it so; with "none" it never
    does, and goes on sending connects to it."""
    autoscale: Annotated[Autoscale | None, OrNone] = None
    """When further nodes are started; "none" for never."""
    port: Annotated[int, Field(ge=0, le=65535, strict=True)] = 0
    """TCP port on 127.0.0.1 for the live engine; 0 lets the kernel choose a free one. Further nodes
    listen on the ports that follow."""
    workers: PositiveCount = 2
    service_time: ServiceTime = ServiceTime()
    backlog: Count = 400
    """Waiting handshakes; those in service do not count."""
    order: Literal["fifo", "lifo"] = "fifo"
    """Who of those that wait is served next: who has waited longest, or who came last. In a storm
    the last still wants its answer, while the first may have given up."""
    listen_backlog: PositiveCount = 4096
    """The kernel's queue of connections nobody has accepted yet; it holds one more than this."""
    overflow: Literal["reject", "reset", "drop"] = "reject"
    """What an arrival meets when the backlog is full, or when another rule turns it away: HTTP
    503, a TCP reset, or silence (the server stops accepting, so that the kernel's queue fills)."""
    abandoned: Literal["serve", "skip"] = "serve"
    """Whether service is spent on a client that has given up."""
    retry_after: Annotated[RetryAfter | None, OrNone] = None
    """When those that get a 503 are asked to come back: a number of seconds, or a table with a
    window over which they are spread; "none" asks nothing."""
    reconnect_window: Annotated[Seconds | None, OrNone] = None
    """Seconds of a window that begins when a restart is expected to be over, and over which those
    that it disconnects are asked to come back: each is told an instant of its own, by the reason of
    its close frame or by its 503. "none" tells nothing."""
    max_connections: Annotated[PositiveCount | None, OrNone] = None
    """Connections (open or being served) beyond which an arrival is turned away like an overflow;
    "none" for no limit."""
    admission: Annotated[Admission | None, OrNone] = None
    """A rule in front of the queue; who does not get past it is turned away like an overflow."""
    max_per_address: Annotated[AddressLimit | None, OrNone] = None
    """What one client address may do; beyond that it is answered 429."""
    max_connection_age: Annotated[ConnectionAge | None, OrNone] = None
    """How old a connection may get before its node closes it; "none" for no limit."""
    request_timeout: PositiveSeconds = 10.0
    """How long a peer may take to send its complete upgrade request before it is cut off."""
    limits: Limits = Limits()
    """What else one peer may take before it is cut off."""

    history: HistoryConfig = HistoryConfig()
    """The events that clients subscribe to."""
    ledger: LedgerConfig = LedgerConfig()
    """The operations that clients send."""
    stages: Annotated[tuple[AnyStage, ...], Field(max_length=MOST_STAGES)] = ()
    """What a connect passes beside the node's own workers, in order."""
    work: WorkConfig = WorkConfig()
    """What else, asked for by connected clients, keeps workers busy."""

    @model_validator(mode="after")
    def _stages_are_known_by_name(self) -> Self:
        names = self.stage_names
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"stages: each name once; named twice: {', '.join(twice)}")
        for field in WorkConfig.model_fields:
            work = getattr(self.work, field)
            if work is not None and work.stage not in names:
                raise ValueError(
                    f"work.{field}.stage = {work.stage!r} is no stage; allowed: {', '.join(names)}"
                )
        return self

    @property
    def stage_names(self) -> tuple[str, ...]:
        """The node's own workers, then the stages in order."""
        return (HANDSHAKE, *(stage.name for stage in self.stages))

    @property
    def own_capacity(self) -> float:
        """Handshakes per second that the nodes' own workers serve: nodes * workers / mean time."""
        return self.nodes * self.workers / self.service_time.mean

    @property
    def capacity(self) -> float:
        """Connects per second that get through all that stands before the 101."""
        return self.capacity_for(is_cold=False)

    def capacity_for(self, *, is_cold: bool) -> float:
        """The same for clients that their node has, or has not, seen since it restarted."""
        demand = Demand(is_cold=is_cold)
        return capacity_before_101(self.own_capacity, self.stages, demand, n_nodes=self.nodes)
