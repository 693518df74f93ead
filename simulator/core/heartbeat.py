"""When to ping, and when a silent peer is dead (RULES 19), sans-IO."""

from enum import Enum, auto
from typing import Literal

from server_stub.settings import PositiveSeconds, Settings


class HeartbeatConfig(Settings):
    """How a client finds out that its peer is dead."""

    interval: PositiveSeconds = 25.0
    """Seconds between pings; below the 30 s after which the shortest common proxies cut off."""
    timeout: PositiveSeconds = 10.0
    """Seconds after a ping within which something must be heard."""
    kind: Literal["protocol", "application"] = "protocol"
    """Ping frames, which the peer's library answers, or texts, which its application answers."""


class Verdict(Enum):
    """What to do at a heartbeat's deadline."""

    PING = auto()
    WAIT = auto()
    DEAD = auto()


class Heartbeat:
    """Pings every `interval`; whatever is heard after a ping counts as life.

    The phase is uniform per client, so that the heartbeats of a herd do not align, and a silent
    loss at a random moment is noticed between `timeout` and `interval + timeout` later. A timer
    that runs late (a hidden page, a laptop that slept) skips what it missed and keeps the rhythm.
    """

    __slots__ = ("_interval", "_next_ping_at", "_pinged_at", "_timeout")

    def __init__(self, interval: float, timeout: float, *, now: float, phase: float) -> None:
        """Start the heartbeat of a new connection.

        Args:
            interval: Seconds between pings.
            timeout: Seconds after a ping within which something must be heard.
            now: The clock.
            phase: In (0, 1): the share of an interval before the first ping.
        """
        self._interval = interval
        self._timeout = timeout
        self._next_ping_at = now + phase * interval
        self._pinged_at: float | None = None

    @property
    def deadline(self) -> float:
        """When to ask for a verdict next."""
        if self._pinged_at is None:
            return self._next_ping_at
        return min(self._next_ping_at, self._pinged_at + self._timeout)

    def heard(self) -> None:
        """The peer has given a sign of life since the last ping."""
        self._pinged_at = None

    def verdict(self, now: float, heard_at: float) -> Verdict:
        """What is due now, given when the peer was last heard; asking for a ping sends it."""
        if self._pinged_at is not None:
            if heard_at >= self._pinged_at:
                self._pinged_at = None
            elif now >= self._pinged_at + self._timeout:
                return Verdict.DEAD
        if now >= self._next_ping_at:
            missed = (now - self._next_ping_at) // self._interval
            self._next_ping_at += (missed + 1) * self._interval
            if self._pinged_at is None:
                self._pinged_at = now
            return Verdict.PING
        return Verdict.WAIT
