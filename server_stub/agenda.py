"""What a node is to go through and when: its schedule, and what somebody orders beside it.

The schedule and orders are two sources of the same thing, outage windows, and the node cannot tell
them apart. One thing happens at a time: an order is refused while the node is down, and what was
scheduled to begin while an ordered outage lasts does not happen.
"""

import math
from collections import Counter, deque
from collections.abc import Iterable
from typing import Protocol

import trio

from server_stub.outage import OutageKind, OutageWindow


class OrderRefusedError(Exception):
    """An order makes no sense now; the message is one clear line."""


class Orders(Protocol):
    """Where orders are given."""

    async def order(self, kind: OutageKind, *, down_for: float = math.inf) -> None:
        """Let the node go down now, and wait until it has."""

    async def recall(self) -> None:
        """End the outage that is on, and wait until the node is back."""


class Agenda:
    """The outages of one node, one after the other."""

    def __init__(
        self, windows: Iterable[OutageWindow], *, origin: float, takes_orders: bool = False
    ) -> None:
        """Set it up.

        Args:
            windows: The schedule, by start; none overlaps another.
            origin: The clock reading that is t = 0.
            takes_orders: May there be more to come when the schedule is over?
        """
        self._planned = deque(windows)
        self._origin = origin
        self._takes_orders = takes_orders
        self._next_index = 1 + max((window.index for window in self._planned), default=-1)
        self._ordered: OutageWindow | None = None
        self._now_on: OutageWindow | None = None
        self.n_begun: Counter[str] = Counter()
        """Outages so far, by kind."""
        self._has_order = trio.Event()
        self._is_recalled = trio.Event()
        self._moved = trio.Event()

    @property
    def origin(self) -> float:
        """The clock reading that is t = 0."""
        return self._origin

    @property
    def now_on(self) -> OutageWindow | None:
        """The outage that is on, or about to begin by order."""
        return self._now_on or self._ordered

    @property
    def planned(self) -> OutageWindow | None:
        """The next one of the schedule."""
        return self._planned[0] if self._planned else None

    @property
    def next_starts_at(self) -> float:
        """The clock reading at which the next one of the schedule begins; infinite for none."""
        return self._origin + self._planned[0].starts_at if self._planned else math.inf

    # Giving orders

    async def order(self, kind: OutageKind, *, down_for: float = math.inf) -> None:
        """Let the node go down now, and wait until it has.

        Args:
            kind: How; its other settings are those of an outage that sets none.
            down_for: Seconds; until it is recalled, unless given.

        Raises:
            OrderRefusedError: It is down already.
        """
        if (on := self.now_on) is not None:
            raise OrderRefusedError(f"it is down already ({on.kind.value})")
        starts_at = trio.current_time() - self._origin
        self._ordered = OutageWindow(
            index=self._next_index,
            kind=kind,
            starts_at=starts_at,
            ends_at=starts_at + down_for,
            close_code=1012,
            refuse=kind is not OutageKind.FREEZE,
            lost_at_thaw=False,
        )
        self._next_index += 1
        self._has_order.set()
        await self._moved.wait()

    async def recall(self) -> None:
        """End the outage that is on, scheduled or ordered, and wait until the node is back.

        Raises:
            OrderRefusedError: None is.
        """
        if self.now_on is None:
            raise OrderRefusedError("it is up")
        self._is_recalled.set()
        await self._moved.wait()

    # Following them

    async def next(self) -> OutageWindow | None:
        """Wait for the next outage to begin; None when there will be none.

        Call it when the node is back from the one before, and `over` when it has gone down.
        """
        self._move()
        if self._planned or self._takes_orders:
            with trio.move_on_at(self.next_starts_at):
                await self._has_order.wait()
        self._now_on = self._ordered or (self._planned.popleft() if self._planned else None)
        if self._now_on is not None:
            self.n_begun[self._now_on.kind.value] += 1
        return self._now_on

    async def over(self) -> None:
        """Wait until the outage that is on is over."""
        self._move()
        on = self._now_on
        if on is None:
            return
        with trio.move_on_at(self._origin + on.ends_at):
            await self._is_recalled.wait()
        if on is self._ordered:
            self._forget_what_was_due(trio.current_time())
        self._is_recalled, self._has_order = trio.Event(), trio.Event()
        self._now_on = self._ordered = None

    def _move(self) -> None:
        """The node has done what it was told."""
        self._moved.set()
        self._moved = trio.Event()

    def _forget_what_was_due(self, now: float) -> None:
        while self.next_starts_at < now:
            self._planned.popleft()
