"""How old a connection may get before its node ends it, so that clients spread again, sans-IO.

A connection stays where the balancer put it, so after a deploy the nodes that were replaced first
hold most of them. A limit on their age undoes that; its dither keeps those that were made together
from ending together (Netflix's Zuul Push does so; so does MAX_CONNECTION_AGE of gRPC).
"""

import math
from typing import Self

from pydantic import model_validator

from server_stub.draws import Purpose, uniform
from server_stub.outage import CloseCode
from server_stub.settings import PositiveSeconds, Seconds, Settings
from server_stub.wire import Identity


class ConnectionAge(Settings):
    """A limit on the age of connections, of which each draws its own."""

    mean: PositiveSeconds
    dither: Seconds = 0.0
    """The limits lie uniformly between `mean` - `dither` and `mean` + `dither` seconds."""
    close_code: CloseCode = 1001
    """Of the close frame that ends it; going away, unless set."""

    @model_validator(mode="after")
    def _there_is_time_to_live(self) -> Self:
        if self.dither >= self.mean:
            raise ValueError(f"dither = {self.dither:g} must be less than mean = {self.mean:g}")
        return self


def most_seconds(age: ConnectionAge | None, who: Identity, *, seed: int) -> float:
    """How old the connection that this attempt has made may get; infinite without a limit.

    Args:
        age: As configured.
        who: Made the connection; it keys the draw.
        seed: Of the run.
    """
    if age is None:
        return math.inf
    return age.mean + age.dither * (2.0 * uniform(seed, Purpose.LIFETIME, *who) - 1.0)
