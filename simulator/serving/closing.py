"""When serving is over, sans-IO."""

import math
from dataclasses import dataclass

from simulator.scenario import Scenario


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """A served node at one instant."""

    at: float
    """Seconds on the run's clock."""
    n_connected: int
    n_expected: int
    """Clients that came and have not said goodbye."""
    is_up: bool


class Closing:
    """Watches a served node, look by look."""

    def __init__(self, scenario: Scenario) -> None:
        """Set it up.

        Args:
            scenario: Without outages, it never is over by itself.
        """
        self._scenario = scenario
        self._settled_since = math.inf

    def reason(self, look: Look) -> str | None:
        """Why serving is over now; None while it goes on."""
        if not self._scenario.windows:
            return None
        if look.at >= self._scenario.horizon:
            return "the horizon has come"
        over = look.is_up and look.at >= self._scenario.last_outage_end
        if not over or look.n_connected < look.n_expected:
            self._settled_since = math.inf
            return None
        self._settled_since = min(self._settled_since, look.at)
        if look.at - self._settled_since < self._scenario.settle:
            return None
        return "everybody is back or has left, and it stays so"

    def is_cut_short(self, at: float | None, *, is_up: bool) -> bool:
        """Would more of the schedule have come, if serving ends now?

        Args:
            at: Seconds on the run's clock; None before t = 0.
            is_up: Is no outage on?
        """
        if not self._scenario.windows:
            return False
        return at is None or at < self._scenario.last_outage_end or not is_up
