"""What is down when, and how it breaks: outages as written, and the windows they unfold into."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from server_stub.settings import PositiveCount, PositiveSeconds, Seconds, Settings


class OutageKind(StrEnum):
    """How a node goes away (RULES 14 and 15)."""

    GRACEFUL = "graceful"
    """Close frames, 503 to those who wait, listener closed."""
    CRASH = "crash"
    """TCP resets for everybody, listener closed."""
    FREEZE = "freeze"
    """Sockets stay open; nobody reads, answers or accepts until the thaw."""
    NETWORK = "network"
    """The server is well, but the path of a cohort is cut, without a sign."""
    SERVER_LOST = "server_lost"
    """As the clients of a server that is not ours see any of these; it can only be recorded."""


def _that_can_be_staged(value: Any) -> Any:  # noqa: ANN401 - whatever the input holds
    """Leave only the kinds of outage that a scenario may ask for."""
    names = [kind.value for kind in OutageKind if kind is not OutageKind.SERVER_LOST]
    if value not in names:
        *others, last = map(repr, names)
        expected = f"{', '.join(others)} or {last}"
        raise PydanticCustomError("enum", "Input should be {expected}", {"expected": expected})
    return value


CloseCode = Annotated[int, Field(ge=1000, le=4999, strict=True)]


_RESTARTS = (OutageKind.GRACEFUL, OutageKind.CRASH)
"""Kinds of outage in which the node is really gone for a while."""


class Outage(Settings):
    """One `[[outage]]` of a scenario; with `every` it repeats."""

    kind: Annotated[OutageKind, BeforeValidator(_that_can_be_staged)] = OutageKind.GRACEFUL
    starts_at: Seconds
    down_for: PositiveSeconds
    every: PositiveSeconds | None = None
    """Seconds from one start to the next, when the outage repeats."""
    count: PositiveCount = 1
    """How often it happens; of a scenario's outages, those that start before its horizon do."""
    close_code: CloseCode | None = None
    """Close code of a graceful outage; 1012 (service restart) unless set."""
    refuse: Annotated[bool, Field(strict=True)] | None = None
    """While down: is the listening socket closed, so that a connect is refused at once (true
    unless set), or open with nobody accepting? A freeze never refuses."""
    cohort: str | None = None
    """Whose path a network outage cuts; everybody's unless set."""
    lost_at_thaw: Annotated[bool, Field(strict=True)] = False
    """Does a freeze end in a restart that resets the connections that are still open?"""

    @model_validator(mode="after")
    def _settings_fit_the_kind(self) -> "Outage":
        if self.count > 1 and self.every is None:
            raise ValueError(f"count = {self.count} needs `every`, the seconds between two starts")
        if self.every is not None and self.count == 1:
            raise ValueError(f"every = {self.every:g} needs `count`, how often the outage happens")
        if self.every is not None and self.every <= self.down_for:
            raise ValueError(f"every = {self.every:g} must exceed down_for = {self.down_for:g}")
        if self.close_code is not None and self.kind is not OutageKind.GRACEFUL:
            raise ValueError(f"close_code belongs to kind = 'graceful', not {self.kind.value!r}")
        if self.refuse and self.kind not in _RESTARTS:
            raise ValueError(f"refuse = true contradicts kind = {self.kind.value!r}")
        if self.cohort is not None and self.kind is not OutageKind.NETWORK:
            raise ValueError(f"cohort belongs to kind = 'network', not {self.kind.value!r}")
        if self.lost_at_thaw and self.kind is not OutageKind.FREEZE:
            raise ValueError(f"lost_at_thaw belongs to kind = 'freeze', not {self.kind.value!r}")
        return self


@dataclass(frozen=True, kw_only=True, slots=True)
class OutageWindow:
    """One stretch of downtime; `index` numbers them by start over the whole schedule."""

    index: int
    kind: OutageKind
    starts_at: float
    ends_at: float
    close_code: int
    refuse: bool
    lost_at_thaw: bool
    cohort: str | None = None


def unfold(outages: Iterable[Outage]) -> tuple[OutageWindow, ...]:
    """The windows of downtime of a schedule, in order of their start.

    Raises:
        ValueError: Two windows overlap, both of the server or both of the network.
    """
    spans = sorted(
        (
            (outage.starts_at + turn * (outage.every or 0.0), outage)
            for outage in outages
            for turn in range(outage.count)
        ),
        key=lambda span: span[0],
    )
    windows = tuple(
        OutageWindow(
            index=index,
            kind=OutageKind(outage.kind),
            starts_at=starts_at,
            ends_at=starts_at + outage.down_for,
            close_code=outage.close_code or 1012,
            refuse=outage.kind in _RESTARTS and outage.refuse is not False,
            lost_at_thaw=outage.lost_at_thaw,
            cohort=outage.cohort,
        )
        for index, (starts_at, outage) in enumerate(spans)
    )
    for of_one_place in (on_the_server(windows), on_the_network(windows)):
        for earlier, later in pairwise(of_one_place):
            if later.starts_at < earlier.ends_at:
                raise ValueError(
                    f"the outage at {later.starts_at:g} s starts before the one at "
                    f"{earlier.starts_at:g} s has ended ({earlier.ends_at:g} s)"
                )
    return windows


def on_the_server(windows: Iterable[OutageWindow]) -> tuple[OutageWindow, ...]:
    """Those that a server goes through."""
    return tuple(window for window in windows if window.kind is not OutageKind.NETWORK)


def on_the_network(windows: Iterable[OutageWindow]) -> tuple[OutageWindow, ...]:
    """Those that cut paths."""
    return tuple(window for window in windows if window.kind is OutageKind.NETWORK)
