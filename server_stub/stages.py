"""What a connect passes beside the node's own workers: the settings of its stages (RULES 11).

    [server]
    stages = ["tls", { shape = "auth-database", workers = 8 }]

A stage is written as a table, as the name of a built-in shape to start from, or as a table that
says which shape it changes.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from server_stub.service_time import ServiceTime
from server_stub.settings import (
    Count,
    OrNone,
    PositiveCount,
    PositiveSeconds,
    Seconds,
    Settings,
    Share,
)
from server_stub.shapes import SHAPES

HANDSHAKE = "handshake"
"""What the node's own workers are called where a stage is named."""
MOST_STAGES = 64
"""Enough for any chain; a stage's number is part of the key of its draws."""

When = Literal["before", "after", "sync", "delta", "full"]
"""Before the 101; after it; before a client is told what it missed, or only if that is a batch of
events (`delta`), or only if it is the whole state (`full`)."""

_SYNCS = ("sync", "delta", "full")


class Cold(Settings):
    """What is different for a client that the node has not seen since it restarted."""

    share: Share | None = None
    """Share of these clients' connects that need the stage; the stage's own unless set."""
    service_time: ServiceTime | None = None
    """How long they take; as long as others unless set."""

    @model_validator(mode="after")
    def _something_is(self) -> Self:
        if self.share is None and self.service_time is None:
            raise ValueError("cold needs a share, a service_time, or both")
        return self


class Stage(Settings):
    """Workers with a queue of their own that a connect, or a request to sync, has to pass."""

    name: Annotated[str, Field(pattern=r"^[\w-]+$")]
    when: When = "before"
    workers: PositiveCount
    service_time: ServiceTime
    backlog: Count = 1000
    """Waiting jobs; those in service do not count."""
    order: Literal["fifo", "lifo"] = "fifo"
    """Who of those that wait is served next: who has waited longest, or who came last."""
    timeout: Annotated[PositiveSeconds | None, OrNone] = None
    """Seconds from joining the stage after which the node gives a job up; "none" for never."""
    shared: Annotated[bool, Field(strict=True)] = False
    """Is it one for all nodes, which outlives their restarts, or is it part of each node?"""
    share: Share = 1.0
    """Share of the connects that need it: for a cache, the ratio of its misses."""
    cold: Cold | None = None
    """What is different for clients that the node has not seen since it restarted: the sessions of
    TLS and the caches of a process are gone then."""
    per_connect: PositiveCount = 1
    """Jobs per connect, such as one for each channel; they join together, and the connect goes on
    when the last is done."""
    per_event: Seconds = 0.0
    """Mean seconds more for each event that the client missed and is told."""
    per_item: Seconds = 0.0
    """Mean seconds more for each item of the whole state; see `history.snapshot_items`."""
    abandoned: Literal["serve", "skip"] | None = None
    """Whether service is spent on a job that nobody waits for any more; the server's rule unless
    set."""

    @model_validator(mode="after")
    def _settings_fit_together(self) -> Self:
        if self.name == HANDSHAKE:
            raise ValueError(f"{HANDSHAKE!r} is what the node's own workers are called")
        if self.shared and self.cold is not None:
            raise ValueError("a shared stage survives the nodes' restarts: cold would never apply")
        if self.share == 0 and (self.cold is None or not self.cold.share):
            raise ValueError("with share = 0 nobody needs the stage; only cold can change that")
        if self.per_connect > 1 and self.when in _SYNCS:
            raise ValueError(
                f"per_connect belongs to when = 'before' or 'after', not '{self.when}'"
            )
        if self.per_connect > self.workers + self.backlog:
            raise ValueError(
                f"per_connect = {self.per_connect} jobs need as many workers and places in the "
                f"backlog; there are {self.workers + self.backlog}"
            )
        if self.per_event and self.when not in ("sync", "delta"):
            raise ValueError(f"per_event belongs to when = 'sync' or 'delta', not {self.when!r}")
        if self.per_item and self.when not in ("sync", "full"):
            raise ValueError(f"per_item belongs to when = 'sync' or 'full', not {self.when!r}")
        return self

    @property
    def is_for_syncs(self) -> bool:
        """Do requests to sync pass it, rather than connects?"""
        return self.when in _SYNCS

    def is_for(self, *, full: bool) -> bool:
        """Does a request to sync pass it that is answered with the whole state, or with events?"""
        return self.when in ("sync", "full" if full else "delta")


def _from_shape(data: Any) -> Any:  # noqa: ANN401 - whatever a TOML file holds
    """The table that a shape's name, or a table with changes to a shape, stands for."""
    if isinstance(data, str):
        data = {"shape": data}
    if not isinstance(data, Mapping) or "shape" not in data:
        return data
    name = data["shape"]
    if not isinstance(name, str) or name not in SHAPES:
        raise ValueError(f"{name!r} is no shape of a stage; allowed: {', '.join(SHAPES)}")
    changes = {field: value for field, value in data.items() if field != "shape"}
    return _merged({"name": name, **SHAPES[name]}, changes)


def _merged(table: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A table with some of its values changed, also those within tables of it."""
    merged = {**table, **changes}
    for field, value in changes.items():
        inner = table.get(field)
        if isinstance(inner, Mapping) and isinstance(value, Mapping):
            # Another kind of distribution does not inherit the spread of the first.
            merged[field] = dict(value) if "kind" in value else _merged(inner, value)
    return merged


AnyStage = Annotated[Stage, BeforeValidator(_from_shape)]
"""A stage as a table, or as the name of a shape."""
