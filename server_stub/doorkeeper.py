"""Whom a node lets in and whom it turns away, and why, before anybody is served; sans-IO.

The rules stand one behind the other, as a rate limiter, a gateway and a server do: what passes the
first meets the second, and has used up its token even if a later one turns it away.
"""

import math
from collections import Counter
from collections.abc import Hashable
from enum import StrEnum

from server_stub.bucket import Bucket
from server_stub.config import ServerConfig

_FEWEST = 1024
"""Buckets that are kept before those that are full again are looked for."""


class Reason(StrEnum):
    """Which rule turned an arrival away."""

    BACKLOG = "backlog"
    """The queue was full (RULES 7)."""
    MAX_CONNECTIONS = "max_connections"
    """There were too many connections (RULES 10)."""
    ADMISSION = "admission"
    """The queue was too long, or the quota used up."""
    MAX_PER_ADDRESS = "max_per_address"
    """Its address had too many connections, or made too many connects."""
    OUTAGE = "outage"
    """It waited or was being served when an outage began (RULES 14)."""


class Doorkeeper:
    """Applies a node's rules to arrivals, in order; knows addresses, not clients."""

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        admission = config.admission
        self._quota = (
            None
            if admission is None or admission.rate is None
            else Bucket(admission.rate, admission.burst or 1)
        )
        self._queue_limit = None if admission is None else admission.limit
        self._inside: dict[Hashable, str] = {}
        """Where those that have been let in come from; only kept if that matters."""
        self._connections: Counter[str] = Counter()
        self._buckets: dict[str, Bucket] = {}
        self._most_buckets = _FEWEST

    def objection(
        self, now: float, *, address: str, n_present: int, n_waiting: int, has_place: bool
    ) -> Reason | None:
        """Why an arrival is turned away; None when it is not.

        Args:
            now: The clock.
            address: Where it comes from.
            n_present: Connections, open or being served.
            n_waiting: Handshakes that wait.
            has_place: Is there a free worker, or a place in the queue?
        """
        if not self._address_may(address, now):
            return Reason.MAX_PER_ADDRESS
        if self._queue_limit is not None and n_waiting >= self._queue_limit:
            return Reason.ADMISSION
        if self._quota is not None and not self._quota.take(now):
            return Reason.ADMISSION
        if (most := self._config.max_connections) is not None and n_present >= most:
            return Reason.MAX_CONNECTIONS
        return None if has_place else Reason.BACKLOG

    def enter(self, who: Hashable, address: str) -> None:
        """Somebody from this address is let in."""
        if self._config.max_per_address is not None:
            self._inside[who] = address
            self._connections[address] += 1

    def leave(self, who: Hashable) -> None:
        """Whoever it is has left, or has never been let in."""
        address = self._inside.pop(who, None)
        if address is not None:
            self._connections[address] -= 1
            if not self._connections[address]:
                del self._connections[address]

    def room(self, now: float, *, n_present: int, n_waiting: int) -> float:
        """How many arrivals the rules would let in now, whatever their addresses."""
        room = math.inf
        if self._config.max_connections is not None:
            room = min(room, self._config.max_connections - n_present)
        if self._queue_limit is not None:
            room = min(room, self._queue_limit - n_waiting)
        if self._quota is not None:
            room = min(room, self._quota.n_tokens(now))
        return room

    def next_token_at(self, now: float, n: int) -> float:
        """When the quota has n tokens: now, or later, or never."""
        return now if self._quota is None else self._quota.next_at(now, n)

    def address_waits(self, address: str, now: float) -> float:
        """Seconds until the bucket of an address has a token; 0 where it is not the matter."""
        bucket = self._buckets.get(address)
        return 0.0 if bucket is None else bucket.next_at(now) - now

    def _address_may(self, address: str, now: float) -> bool:
        limit = self._config.max_per_address
        if limit is None:
            return True
        if limit.connections is not None and self._connections[address] >= limit.connections:
            return False
        return limit.rate is None or self._bucket_of(address, limit.rate, limit.burst, now).take(
            now
        )

    def _bucket_of(self, address: str, rate: float, burst: int, now: float) -> Bucket:
        bucket = self._buckets.get(address)
        if bucket is None:
            if len(self._buckets) >= self._most_buckets:
                self._forget_full_ones(now)
            bucket = self._buckets[address] = Bucket(rate, burst)
        return bucket

    def _forget_full_ones(self, now: float) -> None:
        """One that is full again is as good as a new one: so memory is bounded by the rates."""
        self._buckets = {
            address: bucket for address, bucket in self._buckets.items() if bucket.full_at > now
        }
        self._most_buckets = max(_FEWEST, 2 * len(self._buckets))
