"""What around a client decides when it may dial: its network, its page, and its browser's brake."""

import math
from collections.abc import Awaitable, Callable

import trio

from server_stub.draws import Purpose, uniform
from server_stub.wire import Identity
from simulator.core.brake import Brake
from simulator.core.connectivity import Change, Monitor, MonitorConfig, sooner
from simulator.core.visibility import HiddenPage
from simulator.scenario import ClientConfig

Probe = Callable[[], Awaitable[bool]]
"""Asks the network for a sign of life; whether one came."""

_DEFAULT_WINDOW = MonitorConfig().window
"""Seconds over which pages that come into view spread their retries, without a network monitor."""


class Surroundings:
    """One client's; each part is optional and without effect when it is missing."""

    __slots__ = ("_config", "_number", "_seed", "_wake_ups", "brake", "monitor", "page", "probe")

    def __init__(
        self, number: int, config: ClientConfig, *, seed: int, now: float, probe: Probe | None
    ) -> None:
        """Begin with a network and a page in view.

        Args:
            number: Of the client.
            config: Which parts there are.
            seed: Keys the random draws, together with the number.
            now: When the client's life begins.
            probe: How the network monitor probes; None leaves it to the signals.
        """
        self._number = number
        self._config = config
        self._seed = seed
        self._wake_ups = 0
        self.brake = None if config.brake is None else Brake()
        self.monitor = None
        if config.network_monitor is not None:
            phase = uniform(seed, Purpose.PROBE, number)
            self.monitor = Monitor(config.network_monitor, now=now, u=phase)
        self.probe = None if self.monitor is None else probe
        self.page: HiddenPage | None = None
        """None while it is in view."""

    @property
    def is_online(self) -> bool:
        """Does the client believe to have a network?"""
        return self.monitor is None or self.monitor.online

    def hide(self, since: float) -> None:
        """The page goes out of view."""
        phase = uniform(self._seed, Purpose.HIDDEN, self._number, index=1)
        self.page = HiddenPage(since, phase)

    def show(self) -> None:
        """The page comes into view."""
        self.page = None

    def due_at(self, due_at: float, *, is_retry: bool) -> float:
        """When an attempt that is due then is really made: never, while there is no network."""
        if not self.is_online:
            return math.inf
        if self.page is not None and is_retry and self._config.page.hidden == "no-retry":
            return math.inf
        # A delay that is set when a connection closes, or fails to open, is no chained timer.
        return due_at if self.page is None else self.page.runs_at(due_at, chained=False)

    def online_at(self, due_at: float, now: float, *, not_before: float) -> float:
        """When to make an attempt that is due then, once the network is back."""
        return self._woken_at(due_at, now, self._window, not_before)

    def shown_at(
        self, due_at: float, now: float, *, hidden_due_at: float, not_before: float
    ) -> float:
        """When to make an attempt once the page is in view.

        Args:
            due_at: When it is due.
            now: The clock.
            hidden_due_at: When the page would have made it, had it stayed hidden.
            not_before: Until when the server wants to be left alone.
        """
        match self._config.page.shown:
            case "timers":
                return max(due_at, now)
            case "at-once":
                return self._woken_at(hidden_due_at, now, 0.0, not_before)
            case "spread":
                return self._woken_at(hidden_due_at, now, self._window, not_before)

    @property
    def _window(self) -> float:
        """Seconds over which those who are woken together spread."""
        config = self._config.network_monitor
        return _DEFAULT_WINDOW if config is None else config.window

    def _woken_at(self, due_at: float, now: float, window: float, not_before: float) -> float:
        """Whatever says that now is a good time says so to many others."""
        self._wake_ups += 1
        draw = uniform(self._seed, Purpose.WAKE_UP, self._number, index=self._wake_ups)
        return sooner(due_at, now, draw, window, not_before=not_before)

    def failed(
        self, identity: Identity, started_at: float, now: float, *, given_up: bool = False
    ) -> None:
        """An attempt, or the connection that it had led to, has come to a bad end."""
        if self.brake is not None:
            draw = uniform(self._seed, Purpose.BRAKE, *identity)
            self.brake.failed(started_at, now, draw, given_up=given_up)

    async def watch(self, on_change: Callable[[Change], None]) -> None:
        """Probe the network again and again, and tell what that changes; needs a probe."""
        monitor, probe, config = self.monitor, self.probe, self._config.network_monitor
        if monitor is None or probe is None or config is None:
            return
        while True:
            await trio.sleep_until(monitor.probe_due_at)
            started_at = trio.current_time()
            monitor.begin_probe(started_at)
            answered = False
            with trio.move_on_after(config.timeout):
                answered = await probe()
            on_change(monitor.probed(answered, started_at))
