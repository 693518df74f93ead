"""When a run is over: everybody is back, a collapse has settled, or the horizon has come."""

import math
from collections import deque
from dataclasses import dataclass

from simulator.inference import n_needed
from simulator.scenario import Scenario

HORIZON = "the horizon has come"
SETTLED = "everybody is back or has given up, and it stays so"
COLLAPSED = "the collapse has settled"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """The counters of a run at one instant."""

    at: float
    """Seconds after t = 0."""
    n_connected: int
    n_gave_up: int
    n_connects: int
    """Connects so far."""
    n_arrivals: int
    """Upgrade requests that have reached the server so far."""


class _Settling:
    """How long everybody has been connected, or has given up."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._since = math.inf

    def is_over(self, sample: Sample) -> bool:
        """Has it been long enough?"""
        if not _is_whole(sample, self._scenario):
            self._since = math.inf
            return False
        self._since = min(self._since, sample.at)
        return sample.at - self._since >= self._scenario.settle


def _is_whole(sample: Sample, scenario: Scenario) -> bool:
    """Is everybody connected, but for those who have given up?"""
    return sample.n_connected + sample.n_gave_up >= scenario.n_clients


class Ending:
    """Watches a run whose outages are ours, sample by sample."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._settling = _Settling(scenario)
        self._capacity = scenario.server.capacity
        self._outage_ends_at = scenario.last_outage_end
        self._window = max(0.0, scenario.horizon - self._outage_ends_at) / 2
        self._samples: deque[Sample] = deque()

    def reason(self, sample: Sample) -> str | None:
        """Why the run is over now; None while it goes on."""
        if sample.at >= self._scenario.horizon + self._scenario.grace:
            return HORIZON
        if sample.at < self._outage_ends_at or not self._scenario.windows:
            return None
        if self._scenario.server.max_connection_age is not None:
            return None  # There is always somebody whose connection is about to end.
        if self._settling.is_over(sample):
            return SETTLED
        if self._collapsed(sample):
            return COLLAPSED
        return None

    def _collapsed(self, sample: Sample) -> bool:
        """Metastable over half the time that was left for recovery after the last outage.

        Offered load above capacity while hardly a tenth of it goes to clients that still want it.
        """
        self._samples.append(sample)
        while sample.at - self._samples[0].at > self._window:
            self._samples.popleft()
        first = self._samples[0]
        span = sample.at - first.at
        if sample.at - self._outage_ends_at < self._window or span <= 0:
            return False
        arrival_rate = (sample.n_arrivals - first.n_arrivals) / span
        connect_rate = (sample.n_connects - first.n_connects) / span
        return arrival_rate > self._capacity and connect_rate < self._capacity / 10


class EndingBySight:
    """Watches a run whose outages are not ours: they show in what the clients lose.

    It is over when as many outages as the scenario has were seen, all of them have had their time,
    and everybody is back. An outage has been seen when, since everybody was last connected, so many
    clients were lost as make up a wave.
    """

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._settling = _Settling(scenario)
        self._last_start = max((window.starts_at for window in scenario.windows), default=math.inf)
        self._n_needed = n_needed(scenario.n_clients)
        self._n_seen = 0
        self._n_lost: int | None = None
        """Connections lost when everybody was last connected."""

    def reason(self, sample: Sample) -> str | None:
        """Why the run is over now; None while it goes on."""
        if sample.at >= self._scenario.horizon + self._scenario.grace:
            return HORIZON
        if _is_whole(sample, self._scenario):
            self._look_back(sample)
        is_settled = self._settling.is_over(sample)
        is_complete = self._n_seen >= len(self._scenario.windows) and sample.at >= self._last_start
        return SETTLED if is_settled and is_complete else None

    def _look_back(self, sample: Sample) -> None:
        """The herd is whole: has it been through an outage since it last was?"""
        n_lost = sample.n_connects - sample.n_connected
        if self._n_lost is not None and n_lost - self._n_lost >= self._n_needed:
            self._n_seen += 1
        self._n_lost = n_lost
