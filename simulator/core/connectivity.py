"""Does this client have a network, and when does it try again once it has, sans-IO.

Two sources, each of which may be wrong: the operating system's signals (which know that a cable is
plugged in, not where it leads), and a periodic probe. The latest word counts.

A probe asks about the network, not about the server: whatever answers it, a 503 or a refusal
included, means yes. Otherwise every client would take a restart of the server for its own network,
stop dialling, and come back with the rest of the herd on its next probe.

Coming online is a herd of its own. The signal reaches all clients behind one access point (or one
carrier, or one VPN) at the same instant, and their backoff has been suspended, so nothing has
spread them: dialling "at once" means all at once. So "at once" is a uniform moment within a short
window.
"""

import math
from enum import Enum, auto
from typing import Annotated, Self

from pydantic import model_validator

from server_stub.settings import OrNone, PositiveSeconds, Seconds, Settings


class MonitorConfig(Settings):
    """How a client finds out whether it has a network."""

    interval: Annotated[PositiveSeconds | None, OrNone] = 30.0
    """Seconds between probes; "none" leaves it to the signals."""
    timeout: PositiveSeconds = 5.0
    """Seconds after which a probe counts as unanswered."""
    window: Seconds = 5.0
    """Seconds over which clients that come online together spread their retries; 0 for at once, as
    most libraries do. A choice: a user hardly notices it, and it divides the peak by hundreds."""

    @model_validator(mode="after")
    def _one_probe_at_a_time(self) -> Self:
        if self.interval is not None and self.timeout >= self.interval:
            raise ValueError(
                f"timeout = {self.timeout:g} is not below interval = {self.interval:g}"
            )
        return self


class Change(Enum):
    """What a piece of news did to the belief."""

    NONE = auto()
    CAME_ONLINE = auto()
    """Dial again, at `sooner`."""
    WENT_OFFLINE = auto()
    """Dialling is useless until further notice."""


class Monitor:
    """What one client believes of its network.

    The shell makes a probe when `probe_due_at` has come, within the config's timeout; it announces
    it with `begin_probe` and brings the result with `probed`.
    """

    __slots__ = ("_interval", "_signalled_at", "online", "probe_due_at")

    def __init__(self, config: MonitorConfig, *, now: float, u: float, online: bool = True) -> None:
        """Begin with a belief.

        Args:
            config: How often to probe.
            now: The clock.
            u: In (0, 1): the share of an interval before the first probe. Uniform, so that the
                probes of a herd do not align.
            online: What to believe until there is news.
        """
        self.online = online
        self._interval = math.inf if config.interval is None else config.interval
        self.probe_due_at = now + u * self._interval
        self._signalled_at = -math.inf

    def signal(self, online: bool, now: float) -> Change:
        """The operating system says that there is a network, or that there is none."""
        self._signalled_at = now
        return self._believe(online)

    def begin_probe(self, now: float) -> None:
        """The probe that was due starts now; the next keeps the rhythm, however late this one."""
        missed = max(0.0, now - self.probe_due_at) // self._interval
        self.probe_due_at += (missed + 1) * self._interval

    def probed(self, answered: bool, started_at: float) -> Change:
        """A probe is over; one that began before the last signal knows nothing about now."""
        if started_at < self._signalled_at:
            return Change.NONE
        return self._believe(answered)

    def _believe(self, online: bool) -> Change:
        if online == self.online:
            return Change.NONE
        self.online = online
        return Change.CAME_ONLINE if online else Change.WENT_OFFLINE


def spread(u: float, window: float) -> float:
    """Seconds to wait when an outside event wakes many clients at one instant, u in (0, 1)."""
    return u * window


def sooner(
    due_at: float, now: float, u: float, window: float, *, not_before: float = -math.inf
) -> float:
    """When to make the next attempt after the client has come online or into view.

    Args:
        due_at: When it was due by the backoff policy; it may have passed.
        now: The clock.
        u: A uniform draw in (0, 1).
        window: Seconds over which clients that are woken together spread.
        not_before: Until when the server wants to be left alone. A network that comes back does
            not make the server's wish void.
    """
    woken_at = now + spread(u, window)
    return max(not_before, min(due_at, woken_at) if due_at > now else woken_at)
