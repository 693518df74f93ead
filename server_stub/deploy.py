"""A rolling deploy as it is asked for: how many nodes at a time, and how each comes and goes."""

import math
import re
from typing import Annotated, Any

from pydantic import PlainValidator, model_validator
from pydantic_core import PydanticCustomError

from server_stub.outage import CloseCode, SlowFactor
from server_stub.settings import PositiveSeconds, Seconds, Settings

_PERCENT = re.compile(r"(\d+(?:\.\d+)?) ?%")
_WHOLE = 100.0


def _checked(amount: Any) -> int | str:  # noqa: ANN401 - whatever a TOML file holds
    """A count, or a share that can be read."""
    match amount:
        case bool():
            pass
        case int() if amount >= 0:
            return amount
        case str() if (share := _PERCENT.fullmatch(amount)) and float(share[1]) <= _WHOLE:
            return amount
    raise PydanticCustomError(
        "amount", 'allowed: a number of nodes, as 1, or a share of them, as "25%"'
    )


def _share(amount: str) -> float:
    """A share of 0 to 1, from one that was checked."""
    return float(amount.rstrip(" %")) / _WHOLE


Amount = Annotated[int | str, PlainValidator(_checked)]
"""A number of nodes, or a share of them in percent."""


class Deploy(Settings):
    """One `[[deploy]]` of a scenario: every node is replaced once, a few at a time."""

    starts_at: Seconds
    max_surge: Amount = "25%"
    """How many more nodes than usual may exist at a time, those that are starting or ending
    included; a share is rounded up. The default is that of a Deployment of Kubernetes."""
    max_unavailable: Amount = "25%"
    """How many fewer nodes than usual may be ready at a time; a share is rounded down, but to no
    less than one node where there is no surge."""
    ready_after: PositiveSeconds = 5.0
    """Seconds from the start of a node until it is ready: it listens, and the balancer knows."""
    endpoint_removal_lag: Seconds = 1.0
    """Seconds until the balancer has heard that a node is about to go, and sends it nobody more."""
    pre_stop: Seconds = 0.0
    """Seconds for which a node that is about to go works on as if nothing were, so that the
    balancer has heard of it before it lets nobody in; from then on it drains."""
    drain_over: Seconds = 0.0
    """Seconds over which a node that goes spreads the close frames to its connections."""
    grace: PositiveSeconds = 30.0
    """Seconds after which a node that is about to go is killed, its pause included: whoever is
    still connected is reset. A node whose drain is over earlier does not wait."""
    close_code: CloseCode | None = None
    """Of the close frames; 1012 (service restart) unless set."""
    slow_factor: SlowFactor | None = None
    """How many times as long services take at the moment at which a new node is ready."""
    cold_for: PositiveSeconds | None = None
    """Seconds within which that factor falls to 1, in a straight line."""

    @model_validator(mode="after")
    def _settings_fit_together(self) -> "Deploy":
        if (self.slow_factor is None) is not (self.cold_for is None):
            raise ValueError(
                "slow_factor and cold_for need each other, for a node that starts cold"
            )
        if self.pre_stop >= self.grace:
            raise ValueError(
                f"pre_stop = {self.pre_stop:g} must be less than grace = {self.grace:g}, "
                "after which the node is killed"
            )
        if self._is_zero(self.max_surge) and self._is_zero(self.max_unavailable):
            raise ValueError("max_surge and max_unavailable are both 0: no node could be replaced")
        return self

    @staticmethod
    def _is_zero(amount: int | str) -> bool:
        return (amount if isinstance(amount, int) else _share(amount)) == 0

    def surge(self, n_nodes: int) -> int:
        """How many more nodes than `n_nodes` may exist at a time."""
        if isinstance(self.max_surge, int):
            return self.max_surge
        return math.ceil(_share(self.max_surge) * n_nodes)

    def unavailable(self, n_nodes: int) -> int:
        """How many of `n_nodes` may be missing at a time."""
        if isinstance(self.max_unavailable, int):
            return self.max_unavailable
        rounded = math.floor(_share(self.max_unavailable) * n_nodes)
        return rounded if self.surge(n_nodes) else max(1, rounded)

    @property
    def stops_within(self) -> float:
        """Seconds from the decision that a node goes until its process is gone."""
        return min(self.pre_stop + self.drain_over, self.grace)
