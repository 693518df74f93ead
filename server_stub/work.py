"""Work beside the handshakes that may be put on the same workers (RULES 12): the settings."""

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from server_stub.service_time import ServiceTime
from server_stub.settings import OrNone, Rate, Settings
from server_stub.stages import HANDSHAKE

StageName = Annotated[str, Field(min_length=1)]


class Work(Settings):
    """One job for each of something that connected clients ask for."""

    stage: StageName = HANDSHAKE
    """Whose workers do it: those of a stage or, as "handshake", the node's own."""
    service_time: ServiceTime = ServiceTime(kind="exponential", mean=0.001)
    """A millisecond is a placeholder of a plausible size."""


def _yes_or_no(value: Any) -> Any:  # noqa: ANN401 - whatever a TOML file holds
    """`true` stands for a table of defaults, `false` for none."""
    if value is True:
        return {}
    return None if value is False else value


AnyWork = Annotated[Work | None, BeforeValidator(_yes_or_no), OrNone]
"""A table, `true` for the defaults, or "none" or `false` for work that takes no time."""


class WorkConfig(Settings):
    """What connected clients ask for that keeps workers busy; what is "none" is done at once."""

    heartbeats: AnyWork = None
    """Answers to pings; a client that does not get them in time takes the server for dead."""
    operations: AnyWork = None
    """Operations; they are applied and acknowledged when their service ends."""


class Load(Settings):
    """Work in the background: a Poisson stream of jobs that nobody waits for."""

    rate: Annotated[Rate | None, OrNone] = None
    """Jobs per second at each node that is up or, on a shared stage, at all times in total."""
    per_connection: Annotated[Rate | None, OrNone] = None
    """Jobs per second for each open connection."""
    stage: StageName = HANDSHAKE
    """Whose workers do it: those of a stage or, as "handshake", the node's own."""
    service_time: ServiceTime | None = None
    """As long as that stage's own jobs unless set."""

    @model_validator(mode="after")
    def _there_is_some(self) -> Self:
        if self.rate is None and self.per_connection is None:
            if self.service_time is not None:
                raise ValueError("service_time needs a rate or per_connection")
            if self.stage != HANDSHAKE:
                raise ValueError("stage needs a rate or per_connection")
        return self
