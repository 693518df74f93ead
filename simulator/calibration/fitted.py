"""The settings of a server as far as a record gives them, and what it cannot give."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from server_stub.config import ServerConfig
from server_stub.service_time import ServiceTime

_LEAST_SPREAD = 0.02
"""Coefficient of variation below which services count as equally long."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fitted:
    """A server that would have answered as the recorded one did."""

    source: str
    """What it was fitted to."""
    capacity: float
    """Connects per second."""
    capacity_low: float
    capacity_high: float
    """Its 95 % confidence interval; infinite at the top if the server was never busy for long."""
    n_busy: int
    """Connects that the capacity rests on."""
    service_time: float | None
    """Mean, in seconds; None if no dial found the server idle."""
    service_cv: float | None
    """Coefficient of variation of service times."""
    n_idle: int
    """Dials that found the server idle, on which the service time rests."""
    workers: int | None
    backlog: int | None
    """Places; None if it was never full."""
    backlog_at_least: int
    """How many were seen to wait."""
    overflow: Literal["reject", "reset"]
    abandoned: Literal["serve", "skip"] | None
    """None if the record does not tell."""
    remarks: tuple[str, ...] = ()
    """What the record does not tell, a sentence each."""

    @property
    def server(self) -> ServerConfig:
        """The `[server]` table; one worker stands for all that cannot be told apart."""
        workers = self.workers or 1
        mean = workers / self.capacity
        spread = self.service_cv if self.workers else None
        if spread is not None and spread < _LEAST_SPREAD:
            service_time = ServiceTime(kind="constant", mean=mean)
        else:
            service_time = ServiceTime(mean=mean, cv=spread)
        return ServerConfig(
            workers=workers,
            service_time=service_time,
            backlog=self.backlog if self.backlog is not None else 10 * self.backlog_at_least + 1000,
            overflow=self.overflow,
            abandoned=self.abandoned or "serve",
        )

    def values(self) -> dict[str, Any]:
        """All of it as JSON can hold it; what is unbounded is None."""
        return {
            "source": self.source,
            "capacity": self.capacity,
            "capacity_interval": [
                self.capacity_low,
                None if math.isinf(self.capacity_high) else self.capacity_high,
            ],
            "n_busy": self.n_busy,
            "service_time": self.service_time,
            "service_cv": self.service_cv,
            "n_idle": self.n_idle,
            "workers": self.workers,
            "backlog": self.backlog,
            "backlog_at_least": self.backlog_at_least,
            "overflow": self.overflow,
            "abandoned": self.abandoned,
            "remarks": list(self.remarks),
        }

    def to_toml(self) -> str:
        """The `[server]` table, with what each line rests on as comments."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        server = self.server
        high = "any" if math.isinf(self.capacity_high) else f"{self.capacity_high:.4g}"
        yield f"# Fitted to {self.source}."
        yield f"# Capacity {self.capacity:.4g} connects per second, 95 % interval"
        yield f"# {self.capacity_low:.4g} to {high}, by {self.n_busy:,} connects of a busy server."
        for remark in self.remarks:
            yield f"# {remark}"
        yield "[server]"
        yield f"workers = {server.workers}"
        of_time = server.service_time
        spread = f", cv = {of_time.cv:.3g}" if of_time.cv is not None else ""
        yield (
            f'service_time = {{ kind = "{of_time.kind}", mean = {of_time.mean:.6g}{spread} }}'
            f"  # {self.n_idle:,} dials found it idle"
        )
        never_full = "" if self.backlog is not None else "  # never seen full"
        yield f"backlog = {server.backlog}{never_full}"
        yield f'overflow = "{server.overflow}"'
        untold = "" if self.abandoned else "  # not told by the record"
        yield f'abandoned = "{server.abandoned}"{untold}'
