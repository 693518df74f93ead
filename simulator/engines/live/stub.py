"""Our own stub as the opponent of a live run: a process of the run, which keeps the schedule."""

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from simulator import machine
from simulator.ending import Ending
from simulator.engines.live.crew import Crew
from simulator.engines.live.messages import Listening, NodeAdded, ServerProgress
from simulator.engines.live.server_process import serve
from simulator.engines.live.way import Way
from simulator.errors import MachineError, RunFailedError
from simulator.scenario import Scenario

START_TIMEOUT = 60.0
"""Seconds that a child process gets to start; importing is slow on a busy machine."""
_TICK = 0.1
"""Seconds between two looks at it."""


class Stub(AbstractContextManager["Stub"]):
    """It starts, and goes down and comes back by itself."""

    n_processes = 1

    def __init__(self, scenario: Scenario, *, here: machine.Machine, n_workers: int) -> None:
        """Prepare to start it.

        Args:
            scenario: Its `server` and `outage` tables are what counts here.
            here: The machine that everything is on.
            n_workers: Processes that drive the clients.

        Raises:
            MachineError: The run does not fit this machine.
        """
        self._scenario = scenario
        self._sources = machine.source_addresses(scenario.n_clients, here)
        self.ending = Ending(scenario)
        self.n_arrivals = 0
        self.n_unsettled = 0
        self._nodes_added: tuple[tuple[int, float, float], ...] = ()
        self.notes = machine.prepare(scenario, here, n_workers=n_workers)

    @property
    def facts(self) -> Mapping[str, object]:
        """The nodes that it has added."""
        return {"nodes_added": self._nodes_added}

    def meet(self, crew: Crew, streams: Path) -> Way:
        """Start it, and wait until it listens.

        Raises:
            MachineError: The port is in use.
            RunFailedError: It does not start.
        """
        crew.start(serve, self._scenario, streams)
        deadline = time.perf_counter() + START_TIMEOUT
        try:
            while time.perf_counter() < deadline:
                for _, message in crew.messages(_TICK):
                    if isinstance(message, Listening):
                        host, port = message.addresses[0]
                        return Way(
                            addresses=message.addresses,
                            host=f"{host}:{port}",
                            sources=self._sources,
                        )
        except OSError as error:
            port = self._scenario.server.port
            raise MachineError(
                f"server.port = {port}: {error.strerror}; 0 takes a free one"
            ) from None
        raise RunFailedError(f"the server did not start within {START_TIMEOUT:g} s")

    def hear(self, message: object) -> None:
        """It counts its arrivals, and says when it adds a node."""
        if isinstance(message, ServerProgress):
            self.n_arrivals = message.n_arrivals
            self.n_unsettled = message.n_unsettled
        if isinstance(message, NodeAdded):
            node = (message.node, message.starts_at, message.ready_at)
            self._nodes_added = (*self._nodes_added, node)

    def act(self, at: float) -> None:
        """Nothing to do: it follows the schedule by itself."""

    def __exit__(self, *raised: object) -> None:
        """Nothing to undo: the run ends its processes."""
