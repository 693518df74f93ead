"""How a node defends itself, as a scenario writes it: whom it lets in, when others come back."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import model_validator

from server_stub.settings import OrNone, PositiveCount, Rate, Seconds, Settings


class Admission(Settings):
    """A rule in front of the queue: who may join it."""

    kind: Literal["queue", "token_bucket"]
    """By how many wait already, or by a quota: a bucket that holds `burst` tokens and gets `rate`
    new ones per second, of which every connect takes one. A managed gateway's quota is one."""
    limit: PositiveCount | None = None
    """Of a queue: waiting handshakes from which on arrivals are turned away."""
    rate: Rate | None = None
    """Of a token bucket: connects per second."""
    burst: PositiveCount | None = None
    """Of a token bucket: connects at one instant, after a long silence."""

    @model_validator(mode="after")
    def _settings_fit_the_kind(self) -> "Admission":
        if problems := list(self._problems()):
            raise ValueError("; ".join(problems))
        return self

    def _problems(self) -> Iterator[str]:
        belongs_to = {"limit": "queue", "rate": "token_bucket", "burst": "token_bucket"}
        for field, kind in belongs_to.items():
            is_set = getattr(self, field) is not None
            if is_set and kind != self.kind:
                yield f"{field} belongs to kind = {kind!r}, not {self.kind!r}"
            if not is_set and kind == self.kind:
                yield f"kind = {kind!r} needs {field}"


class RetryAfter(Settings):
    """What a 503 says of when to come back, in seconds; HTTP rounds it up to whole ones.

    With u uniform on (0, 1), drawn for every answer, and n handshakes that wait at that moment:
    `at_least` + u (`spread` + n `per_waiting`).
    """

    at_least: Seconds = 0.0
    spread: Seconds = 0.0
    """Width of the window over which those that are turned away come back."""
    per_waiting: Seconds = 0.0
    """How much wider that window is for every waiting handshake; what one keeps a worker busy,
    over the number of workers, is how long a queue takes to be served."""

    @model_validator(mode="before")
    @classmethod
    def _a_number_is_fixed(cls, value: Any) -> Any:  # noqa: ANN401 - whatever a TOML file holds
        if isinstance(value, Mapping | RetryAfter):
            return value
        return {"at_least": value}


class AddressLimit(Settings):
    """What one client address may do; who goes beyond it is answered 429.

    An address is what the `X-Forwarded-For` header says last, as the proxy next to the server
    adds it; without one it is the peer's own.
    """

    connections: Annotated[PositiveCount | None, OrNone] = None
    """Connections at a time, open or being served."""
    rate: Annotated[Rate | None, OrNone] = None
    """Connects per second, by a token bucket that holds `burst`."""
    burst: PositiveCount = 1

    @model_validator(mode="after")
    def _it_limits_something(self) -> "AddressLimit":
        if self.connections is None and self.rate is None:
            raise ValueError("needs connections, or rate, or both")
        if self.rate is None and self.burst != 1:
            raise ValueError("burst needs rate")
        return self
