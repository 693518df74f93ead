"""How a node is, for whoever asks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from server_stub.agenda import Orders
from server_stub.outage import OutageWindow


@dataclass(frozen=True, kw_only=True, slots=True)
class Status:
    """A node at one instant."""

    at: float | None
    """Seconds on the run's clock; None before its schedule has begun."""
    n_connected: int
    backlog: int
    busy_workers: int
    n_clients: int
    """Different clients seen so far, as far as they can be told apart."""
    totals: Mapping[str, int]
    """Arrivals and what became of them, so far, by name."""
    n_outages: Mapping[str, int]
    """Outages that have begun so far, by kind."""
    now_on: OutageWindow | None
    planned: OutageWindow | None
    """The next one of the schedule."""

    @property
    def is_up(self) -> bool:
        """Is no outage on?"""
        return self.now_on is None

    def as_json(self) -> dict[str, Any]:
        """The same for `/api/state`."""
        return {
            "at": self.at,
            "up": self.is_up,
            "connections": self.n_connected,
            "backlog": self.backlog,
            "busy_workers": self.busy_workers,
            "clients": self.n_clients,
            "counts": dict(self.totals),
            "outage": {"now": _as_json(self.now_on), "next": _as_json(self.planned)},
        }


def _as_json(window: OutageWindow | None) -> dict[str, Any] | None:
    """An outage; an end that nobody knows is null."""
    if window is None:
        return None
    ends_at = window.ends_at if window.ends_at != float("inf") else None
    return {"kind": window.kind.value, "starts_at": window.starts_at, "ends_at": ends_at}


class Watched(Protocol):
    """A node that can be looked at and given orders."""

    def status(self) -> Status:
        """How it is now."""

    async def thawed(self) -> None:
        """Wait while it is frozen."""

    def orders(self) -> Orders:
        """Where to give it orders.

        Raises:
            OrderRefusedError: Its schedule has not begun.
        """

    def begin(self) -> None:
        """Let its schedule begin, if it has not."""
