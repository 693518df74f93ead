"""When a run is over: everybody is back, a collapse has settled, or the horizon has come."""

import math
from collections import deque
from dataclasses import dataclass

from simulator.scenario import Scenario

HORIZON_HAS_COME = "the horizon has come"


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


class Ending:
    """Watches a run, sample by sample."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._capacity = scenario.server.capacity
        self._outage_ends_at = scenario.last_outage_end
        self._window = max(0.0, scenario.horizon - self._outage_ends_at) / 2
        self._samples: deque[Sample] = deque()
        self._settled_since = math.inf

    def reason(self, sample: Sample) -> str | None:
        """Why the run is over now; None while it goes on."""
        if sample.at >= self._scenario.horizon + self._scenario.grace:
            return HORIZON_HAS_COME
        if sample.at < self._outage_ends_at or not self._scenario.windows:
            return None
        if self._everybody_settled(sample):
            return "everybody is back or has given up, and it stays so"
        if self._collapsed(sample):
            return "the collapse has settled"
        return None

    def _everybody_settled(self, sample: Sample) -> bool:
        if sample.n_connected + sample.n_gave_up < self._scenario.n_clients:
            self._settled_since = math.inf
            return False
        self._settled_since = min(self._settled_since, sample.at)
        return sample.at - self._settled_since >= self._scenario.settle

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
