"""One stage at work: its counter, whom it remembers, and what a job of it takes."""

from dataclasses import dataclass
from typing import Literal

from server_stub.counter import Counter
from server_stub.draws import Purpose, uniform
from server_stub.passage import Jobs, Stop
from server_stub.recorder import StageLog
from server_stub.service import service_time
from server_stub.service_time import ServiceTime
from server_stub.stages import MOST_STAGES, Stage
from server_stub.wire import Identity

_MOST_REMEMBERED = 1_000_000
"""Clients; beyond that the first are forgotten, as caches do, so that memory stays bounded."""


@dataclass(frozen=True, slots=True)
class _Rules:
    """A stage's rules as a desk takes them."""

    workers: int
    backlog: int
    abandoned: Literal["serve", "skip"]
    order: Literal["fifo", "lifo"]


class StageDesk:
    """A stage of one node, or of all."""

    def __init__(
        self,
        stage: Stage,
        number: int,
        *,
        abandoned: Literal["serve", "skip"],
        seed: int,
        log: StageLog,
    ) -> None:
        """Set up a stage.

        Args:
            stage: Its settings.
            number: Its place among the stages, from 1: it is part of the key of its draws.
            abandoned: What holds for it unless it has a rule of its own.
            seed: Keys the draws.
            log: Its books.
        """
        self.stage = stage
        rules = _Rules(stage.workers, stage.backlog, stage.abandoned or abandoned, stage.order)
        self.counter = Counter(rules, log, timeout=stage.timeout)
        self._number = number
        self._seed = seed
        self._remembered: dict[int, None] = {}

    def stop(self, whose: Identity, *, nth: int = 0, extra: float = 0.0) -> Stop:
        """The stage on somebody's way.

        Args:
            whose: Whose connect it is; keys the draws.
            nth: Tells the requests of one connection apart.
            extra: Mean seconds that the job takes beyond those of the settings.
        """

        def jobs() -> Jobs:
            return self._jobs(whose, nth, extra)

        def passed() -> None:
            self.remember(whose.client)

        return Stop(self.counter, jobs, passed)

    def remember(self, client: int) -> None:
        """This client is no stranger from now on."""
        if self.stage.cold is None:
            return
        self._remembered[client] = None
        if len(self._remembered) > _MOST_REMEMBERED:
            del self._remembered[next(iter(self._remembered))]

    def restarted(self) -> None:
        """The process that the stage lives in has restarted: everybody is a stranger."""
        self._remembered.clear()

    def _jobs(self, whose: Identity, nth: int, extra: float) -> Jobs:
        share, spec = self._terms(whose.client)
        if share < 1.0:
            key = self._key(nth)
            if uniform(self._seed, Purpose.STAGE_NEED, *whose, index=key) >= share:
                return ()
        return [
            self._seconds(spec, whose, nth + job, extra) for job in range(self.stage.per_connect)
        ]

    def _terms(self, client: int) -> tuple[float, ServiceTime]:
        """The share of connects like this that need the stage, and how long they take."""
        stage, cold = self.stage, self.stage.cold
        if cold is None or client in self._remembered:
            return stage.share, stage.service_time
        return (
            stage.share if cold.share is None else cold.share,
            cold.service_time or stage.service_time,
        )

    def _seconds(self, spec: ServiceTime, whose: Identity, nth: int, extra: float) -> float:
        """One draw; what makes a job longer on average stretches it, whatever the draw."""
        key = self._key(nth)
        u = uniform(self._seed, Purpose.STAGE_SERVICE, *whose, index=key)
        return service_time(spec, u) * (1.0 + extra / spec.mean)

    def _key(self, nth: int) -> int:
        """What tells the draws of one connection apart: this stage's number, and which job."""
        return (self._number + nth * (MOST_STAGES + 1)) % 2**32
