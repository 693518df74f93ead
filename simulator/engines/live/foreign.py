"""A server that is not ours as the opponent of a live run: found, tried once, left to itself.

It has no process here. Whoever runs it restarts it by hand, or gives the command that does.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from simulator import machine
from simulator.ending import EndingBySight
from simulator.engines.live.crew import Crew
from simulator.engines.live.knocking import first_open
from simulator.engines.live.restarts import Restarts
from simulator.engines.live.way import Way
from simulator.scenario import Scenario
from simulator.target import Target
from simulator.target_fit import check_fit, not_applied
from simulator.transport.tls import TlsConfig


class ForeignServer(AbstractContextManager["ForeignServer"]):
    """Keeps no record for us; what it did is inferred from what its clients saw."""

    n_processes = 0
    n_arrivals = 0

    def __init__(
        self,
        target: Target,
        scenario: Scenario,
        *,
        out: Path,
        here: machine.Machine,
        n_workers: int,
    ) -> None:
        """Find the server, and see whether it lets a client in.

        Args:
            target: Where it is, and what may be done to it.
            scenario: What is to be run.
            out: Directory of the run.
            here: The machine that the clients are on.
            n_workers: Processes that drive them.

        Raises:
            TargetError: The scenario asks for what it cannot do, or it does not let anybody in.
            MachineError: The fleet does not fit this machine.
        """
        check_fit(scenario, target)
        ways = [_way(target, address) for address in target.addresses]
        way = first_open(target, ways, scenario.transport)
        sources = machine.prepare_clients(
            scenario.n_clients, here, n_workers=n_workers, server=way.addresses[0][0]
        )
        self._way = replace(way, sources=sources)
        self._target = target
        self.ending = EndingBySight(scenario)
        self._left_aside = not_applied(scenario, target)
        starts = [window.starts_at for window in scenario.windows]
        self._restarts = Restarts(target.restart_command, starts, out)

    @property
    def facts(self) -> Mapping[str, object]:
        """Where it is, and how its restarts went."""
        return {
            "target": self._target.label,
            "restart_command": self._target.restart_command,
            "restarts": self._restarts.records,
        }

    @property
    def notes(self) -> tuple[str, ...]:
        """What of the scenario was left aside, and which restarts went wrong."""
        return (*self._left_aside, *self._complaints())

    def _complaints(self) -> Iterator[str]:
        for restart in self._restarts.records:
            when = f"the restart command that began at {restart.started_at:.1f} s"
            if restart.failed:
                yield f"{when} failed with exit code {restart.exit_code}; see {restart.output}"
            elif restart.ended_at is None:
                yield f"{when} was still running at the end, and was ended; see {restart.output}"

    def meet(self, crew: Crew, streams: Path) -> Way:
        """It is there already."""
        return self._way

    def hear(self, message: object) -> None:
        """It says nothing."""

    def act(self, at: float) -> None:
        """Restart it when that is due, if there is a command for it."""
        self._restarts.act(at)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the restart commands that still run."""
        self._restarts.__exit__(kind, error, trace)


def _way(target: Target, address: str) -> Way:
    """How to reach it at one of its addresses."""
    tls = TlsConfig(name=target.host, cafile=target.cafile, insecure=target.insecure)
    return Way(
        addresses=[(address, target.port)],
        host=target.authority,
        tls=tls if target.is_secure else None,
        path_of=target.path_of,
        headers=target.headers,
        subprotocols=target.subprotocols,
        max_connects=target.max_connects,
    )
