"""A fleet: many clients in one nursery, assembled at a steady rate."""

import math
from collections.abc import Sequence

import numpy as np
import trio
from numpy.typing import NDArray

from simulator.client import Client, Listener
from simulator.scenario import Scenario
from simulator.transport.seam import Transport


class Fleet:
    """The clients with the given numbers; each connects when its turn in the ramp comes."""

    def __init__(
        self,
        scenario: Scenario,
        numbers: Sequence[int],
        cohort_of: NDArray[np.uint16],
        *,
        transports: Sequence[Transport],
        listeners: Sequence[Listener],
    ) -> None:
        """Gather a fleet.

        Args:
            scenario: What the clients are like.
            numbers: The client numbers of this fleet, a part of the whole.
            cohort_of: Index of the cohort of every client of the whole fleet.
            transports: Ways to the server; clients are spread over them.
            listeners: Told of every event in a client's life.
        """
        self._scenario = scenario
        self._numbers = numbers
        self._cohort_of = cohort_of
        self._transports = transports
        self._listeners = listeners
        self._dialling_ends_at = math.inf

    def begin(self, origin: float) -> None:
        """The whole fleet is connected; t = 0 is at `origin` on Trio's clock."""
        self._dialling_ends_at = origin + self._scenario.horizon

    async def run(self, *, ramp_starts_at: float) -> None:
        """Live until cancelled, or until every client has given up.

        Args:
            ramp_starts_at: When client 0 of the whole fleet connects, on Trio's clock.
        """
        cohorts = self._scenario.cohorts
        async with trio.open_nursery() as nursery:
            for number in self._numbers:
                client = Client(
                    number,
                    cohorts[self._cohort_of[number]],
                    self._transports[number % len(self._transports)],
                    seed=self._scenario.seed,
                    first_due_at=ramp_starts_at + number / self._scenario.ramp_rate,
                    listeners=self._listeners,
                    may_dial=self._may_dial,
                )
                nursery.start_soon(client.run)

    def _may_dial(self, due_at: float) -> bool:
        return due_at < self._dialling_ends_at
