"""What is down when, and how it breaks: outages as written, and the windows they unfold into."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from server_stub.settings import Count, OrAll, PositiveCount, PositiveSeconds, Seconds, Settings


class OutageKind(StrEnum):
    """What goes wrong (RULES 13 to 16); the order is that of the codes in recorded tables."""

    GRACEFUL = "graceful"
    """Close frames, 503 to those who wait, listener closed."""
    CRASH = "crash"
    """TCP resets for everybody, listener closed."""
    FREEZE = "freeze"
    """Sockets stay open; nobody reads, answers or accepts until the thaw."""
    NETWORK = "network"
    """The server is well, but the path of a cohort is cut, without a sign."""
    DRAIN = "drain"
    """As graceful, but the close frames are spread over a while."""
    SLOW = "slow"
    """A brownout: the node is up, but every service takes longer."""
    COLD = "cold"
    """As graceful; the node comes back with cold caches, so that services take longer at first."""
    IDLE_TIMEOUT = "idle_timeout"
    """A middlebox on the path forgets connections on which nothing is said, without a sign."""
    SERVER_LOST = "server_lost"
    """As the clients of a server that is not ours see any of these; it can only be recorded."""

    @property
    def can_be_staged(self) -> bool:
        """May a scenario ask for it?"""
        return self is not OutageKind.SERVER_LOST

    @property
    def says_goodbye(self) -> bool:
        """Do open connections get a close frame?"""
        return self in (OutageKind.GRACEFUL, OutageKind.DRAIN, OutageKind.COLD)

    @property
    def is_restart(self) -> bool:
        """Is the node really gone for a while?"""
        return self.says_goodbye or self is OutageKind.CRASH

    @property
    def stops_the_node(self) -> bool:
        """Is nobody let in while it lasts?"""
        return self.is_restart or self in (OutageKind.FREEZE, OutageKind.SERVER_LOST)

    @property
    def breaks_connections(self) -> bool:
        """Does it disconnect anybody, by itself?"""
        return self is not OutageKind.SLOW

    @property
    def is_on_the_way(self) -> bool:
        """Does it happen between clients and server, where neither end is told?"""
        return self in (OutageKind.NETWORK, OutageKind.IDLE_TIMEOUT)


def _that_can_be_staged(value: Any) -> Any:  # noqa: ANN401 - whatever the input holds
    """Leave only the kinds of outage that a scenario may ask for."""
    names = [kind.value for kind in OutageKind if kind.can_be_staged]
    if value not in names:
        *others, last = map(repr, names)
        expected = f"{', '.join(others)} or {last}"
        raise PydanticCustomError("enum", "Input should be {expected}", {"expected": expected})
    return value


DEFAULT_CLOSE_CODE = 1012
"""Service restart."""


def _that_can_be_sent(code: int) -> int:
    """Leave only the codes that may stand in a close frame (RFC 6455, 7.4)."""
    if code not in {*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)}:
        raise PydanticCustomError(
            "close_code", "allowed: 1000 to 1003, 1007 to 1014, 3000 to 4999: others are never sent"
        )
    return code


CloseCode = Annotated[int, Field(strict=True), AfterValidator(_that_can_be_sent)]
Direction = Literal["both", "up", "down"]
"""To the server, to the client, or both ways."""
SlowFactor = Annotated[float, Field(gt=1, strict=True)]

_BELONGS_TO = {
    "close_code": tuple(kind for kind in OutageKind if kind.says_goodbye),
    "drain_over": (OutageKind.DRAIN,),
    "slow_factor": (OutageKind.SLOW, OutageKind.COLD, OutageKind.CRASH, OutageKind.DRAIN),
    "cold_for": (OutageKind.COLD, OutageKind.CRASH, OutageKind.DRAIN),
    "idle_for": (OutageKind.IDLE_TIMEOUT,),
    "cohort": (OutageKind.NETWORK, OutageKind.IDLE_TIMEOUT),
    "direction": (OutageKind.NETWORK,),
    "lost_at_thaw": (OutageKind.FREEZE,),
    "nodes": tuple(
        kind for kind in OutageKind if not kind.is_on_the_way and kind is not OutageKind.SERVER_LOST
    ),
}
"""The kinds that a setting means anything for."""
_NEEDED_BY = {
    OutageKind.DRAIN: ("drain_over",),
    OutageKind.SLOW: ("slow_factor",),
    OutageKind.COLD: ("slow_factor", "cold_for"),
    OutageKind.IDLE_TIMEOUT: ("idle_for",),
}
"""The settings that a kind cannot do without."""


def _either(kinds: Sequence[OutageKind]) -> str:
    """Kinds as alternatives: "'a', 'b' or 'c'"."""
    *others, last = [repr(kind.value) for kind in kinds]
    return f"{', '.join(others)} or {last}" if others else last


def needs(kind: OutageKind) -> tuple[str, ...]:
    """The settings that an outage of this kind cannot do without."""
    return _NEEDED_BY.get(kind, ())


class Outage(Settings):
    """One `[[outage]]` of a scenario; with `every` it repeats."""

    kind: Annotated[OutageKind, BeforeValidator(_that_can_be_staged)] = OutageKind.GRACEFUL
    starts_at: Seconds
    down_for: PositiveSeconds
    """How long it lasts, of whatever kind it is; a drain is part of it."""
    every: PositiveSeconds | None = None
    """Seconds from one start to the next, when the outage repeats."""
    count: PositiveCount = 1
    """How often it happens; of a scenario's outages, those that start before its horizon do."""
    close_code: CloseCode | None = None
    """Close code of an outage that says goodbye; 1012 (service restart) unless set."""
    refuse: Annotated[bool, Field(strict=True)] | None = None
    """While down: is the listening socket closed, so that a connect is refused at once (true
    unless set), or open with nobody accepting? Of the kinds that are no restart none refuses."""
    drain_over: PositiveSeconds | None = None
    """Seconds over which the close frames of a drain are spread, from its start on; nobody is let
    in from then to the outage's end, so it is at most `down_for`."""
    slow_factor: SlowFactor | None = None
    """How many times as long services take: those that begin while a slow outage lasts, or at the
    moment at which a restarted node is back."""
    cold_for: PositiveSeconds | None = None
    """Seconds after a restart within which that factor falls to 1, in a straight line."""
    idle_for: PositiveSeconds | None = None
    """Seconds without traffic, either way, after which a connection is forgotten."""
    cohort: str | None = None
    """Whose path is cut, or leads through the middlebox; everybody's unless set."""
    direction: Direction | None = None
    """Which way a cut path lets nothing through; both unless set."""
    lost_at_thaw: Annotated[bool, Field(strict=True)] = False
    """Does a freeze end in a restart that resets the connections that are still open?"""
    nodes: Annotated[tuple[Count, ...] | None, Field(min_length=1), OrAll] = None
    """Which nodes it hits, all at the same time: "all", or a list of their numbers, from 0."""

    @model_validator(mode="after")
    def _settings_fit_the_kind(self) -> "Outage":
        if problems := [*self._misplaced(), *self._misfits()]:
            raise ValueError("; ".join(problems))
        return self

    def _misplaced(self) -> Iterator[str]:
        """Settings that mean nothing for this kind, and those that it needs."""
        for field, kinds in _BELONGS_TO.items():
            is_set = getattr(self, field) != type(self).model_fields[field].default
            if is_set and self.kind not in kinds:
                yield f"{field} belongs to kind = {_either(kinds)}, not {self.kind.value!r}"
        for field in needs(self.kind):
            if getattr(self, field) is None:
                yield f"kind = {self.kind.value!r} needs {field}"
        if self.refuse and not self.kind.is_restart:
            yield f"refuse = true contradicts kind = {self.kind.value!r}"

    def _misfits(self) -> Iterator[str]:
        """Settings that contradict each other."""
        if self.count > 1 and self.every is None:
            yield f"count = {self.count} needs `every`, the seconds between two starts"
        if self.every is not None and self.count == 1:
            yield f"every = {self.every:g} needs `count`, how often the outage happens"
        if self.every is not None and self.every <= self.down_for:
            yield f"every = {self.every:g} must exceed down_for = {self.down_for:g}"
        if self.nodes is not None and len(set(self.nodes)) < len(self.nodes):
            yield f"nodes = {list(self.nodes)} names a node twice"
        if self.drain_over is not None and self.drain_over > self.down_for:
            yield f"drain_over = {self.drain_over:g} is part of down_for = {self.down_for:g}"
        if self.kind in (OutageKind.CRASH, OutageKind.DRAIN) and (
            (self.slow_factor is None) is not (self.cold_for is None)
        ):
            yield "slow_factor and cold_for need each other, for a node that comes back cold"


@dataclass(frozen=True, kw_only=True, slots=True)
class OutageWindow:
    """One stretch of trouble; `index` numbers them by start over the whole schedule."""

    index: int
    kind: OutageKind
    starts_at: float
    ends_at: float
    close_code: int
    refuse: bool
    lost_at_thaw: bool
    drain_over: float = 0.0
    slow_factor: float = 1.0
    cold_for: float = 0.0
    idle_for: float = 0.0
    cohort: str | None = None
    direction: Direction = "both"
    nodes: tuple[int, ...] | None = None
    """Those that it hits; None for all."""
    killed_at: float = math.inf
    """When whoever is still connected is reset, whatever the drain has come to."""
    returns_at: float | None = None
    """When a node is up again, where that is not at the end: in a deploy its place may stay empty
    for longer, or for good."""
    is_for_all: bool = False
    """Does it hit every node that there is, also one that is added later?"""
    others_serve: bool = False
    """Are there other nodes to go to meanwhile?"""

    @property
    def up_again_at(self) -> float:
        """When a node that it stops is up again; infinite for never."""
        return self.ends_at if self.returns_at is None else self.returns_at

    def hits(self, node: int) -> bool:
        """Is this node concerned?"""
        return self.nodes is None or node in self.nodes

    @property
    def restarts(self) -> bool:
        """Does the node begin anew afterwards?"""
        return self.kind.is_restart or self.lost_at_thaw


def unfold(outages: Iterable[Outage]) -> tuple[OutageWindow, ...]:
    """The windows of trouble of a schedule, in order of their start.

    Raises:
        ValueError: Two windows overlap, both in the same place: both stop the node, say, or both
            cut paths.
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
        _window(index, starts_at, outage) for index, (starts_at, outage) in enumerate(spans)
    )
    for of_one_place in (
        on_the_server(windows),
        *(of_kind(windows, kind) for kind in OutageKind if not kind.stops_the_node),
    ):
        _check_no_overlap(of_one_place)
    return windows


def _check_no_overlap(windows: Sequence[OutageWindow]) -> None:
    """Two outages at a time are one too many for a node; different nodes may have one each."""
    for node in sorted({node for window in windows for node in window.nodes or ()}) or [0]:
        for earlier, later in pairwise(window for window in windows if window.hits(node)):
            if later.starts_at < earlier.ends_at:
                raise ValueError(
                    f"the outage at {later.starts_at:g} s starts before the one at "
                    f"{earlier.starts_at:g} s has ended ({earlier.ends_at:g} s)"
                )


def _window(index: int, starts_at: float, outage: Outage) -> OutageWindow:
    return OutageWindow(
        index=index,
        kind=outage.kind,
        starts_at=starts_at,
        ends_at=starts_at + outage.down_for,
        close_code=outage.close_code or DEFAULT_CLOSE_CODE,
        refuse=outage.kind.is_restart and outage.refuse is not False,
        lost_at_thaw=outage.lost_at_thaw,
        drain_over=outage.drain_over or 0.0,
        slow_factor=outage.slow_factor or 1.0,
        cold_for=outage.cold_for or 0.0,
        idle_for=outage.idle_for or 0.0,
        cohort=outage.cohort,
        direction=outage.direction or "both",
        nodes=outage.nodes,
    )


def of_kind(windows: Iterable[OutageWindow], kind: OutageKind) -> tuple[OutageWindow, ...]:
    """Those of one kind."""
    return tuple(window for window in windows if window.kind is kind)


def on_the_server(windows: Iterable[OutageWindow]) -> tuple[OutageWindow, ...]:
    """Those that stop a node."""
    return tuple(window for window in windows if window.kind.stops_the_node)


def on_the_network(windows: Iterable[OutageWindow]) -> tuple[OutageWindow, ...]:
    """Those that cut paths."""
    return of_kind(windows, OutageKind.NETWORK)


def on_node(windows: Iterable[OutageWindow], node: int) -> tuple[OutageWindow, ...]:
    """Those that concern one node."""
    return tuple(window for window in windows if window.hits(node))
