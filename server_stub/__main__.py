"""The stub server alone: `python -m server_stub [CONFIG.toml] [--port N] [--seed S] [--out DIR]`.

CONFIG holds a `[server]` table, `[[outage]]` and `[[deploy]]` tables as a scenario does, and may be
a whole scenario: its other fields are about the herd and count for nothing here, its `seed` does.
Whatever no scenario knows is an error. Several nodes listen on a port each; what balances between
them is not part of the stub. t = 0 is the start; all records count from it.

Exit codes: 0 ended by Ctrl-C or SIGTERM; 2 bad input.
"""

import argparse
import signal
import sys
import time
import tomllib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, Self

import trio
from pydantic import ValidationError, model_validator

from server_stub.cluster import Cluster
from server_stub.config import ServerConfig
from server_stub.deploy import Deploy
from server_stub.outage import Outage, OutageWindow
from server_stub.plan import Plan, PlanError, plan
from server_stub.problems import Problem, misfit_error, problems_of
from server_stub.recorder import ServerRecorder
from server_stub.settings import Count, Settings
from server_stub.streams import SocketPort, open_ports
from server_stub.work import Load

HERD_FIELDS = frozenset(
    {"name", "description", "n_clients", "horizon", "grace", "ramp_rate", "settle", "transport"}
    | {"client", "cohort", "compare", "objective", "outbox", "attempts_limit"}
)
"""What else a scenario may hold."""

_HOST = "127.0.0.1"
_FLUSH_INTERVAL = 1.0
"""Seconds between two flushes: what a killed process can lose at most."""
_MOST_NAMED = 5
"""How many outages the first line names."""


class StubConfig(Settings):
    """What the stub takes from a scenario."""

    seed: Count = 1
    server: ServerConfig = ServerConfig()
    load: Load = Load()
    outage: tuple[Outage, ...] = ()
    deploy: tuple[Deploy, ...] = ()

    @model_validator(mode="after")
    def _the_load_has_a_stage(self) -> Self:
        names = self.server.stage_names
        if self.load.stage not in names:
            raise ValueError(
                f"load.stage = {self.load.stage!r} is no stage; allowed: {', '.join(names)}"
            )
        return self

    @model_validator(mode="after")
    def _nothing_overlaps(self) -> Self:
        try:
            self.plan()
        except PlanError as error:
            overlap = Problem(place=error.field, value="", allowed=str(error))
            raise misfit_error([overlap]) from None
        return self

    def plan(self) -> Plan:
        """What happens to which node when."""
        return plan(self.server.nodes, self.outage, self.deploy, self.server.health_check)


class _InputError(Exception):
    """What was asked for cannot be done; one clear line for each mistake."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise _InputError(message)


class _Clock(trio.abc.Clock):
    """Seconds since the start."""

    _zero: float

    def start_clock(self) -> None:
        self._zero = time.perf_counter()

    def current_time(self) -> float:
        return time.perf_counter() - self._zero

    def deadline_to_sleep_time(self, deadline: float) -> float:
        return deadline - self.current_time()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the stub until a signal ends it.

    Returns:
        The exit code.
    """
    try:
        options = _options(arguments)
        config = _read_config(options)
        if options.out is None and config.server.ledger.storage != "memory":
            raise _InputError("server.ledger.storage = 'sqlite': needs --out DIR for its file")
        _make_directory(options.out)
        ports = _open_ports(config)
        recorders = [ServerRecorder(options.out, node=node) for node in range(len(ports))]
    except _InputError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    clock = _Clock()
    try:
        trio.run(_serve, config, ports, recorders, clock=clock)
    finally:
        for recorder in recorders:
            recorder.close(clock.current_time())
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _Parser(prog="python -m server_stub", description="The stub server alone.")
    parser.add_argument("config", nargs="?", type=Path, metavar="CONFIG.toml", help="a scenario")
    parser.add_argument("--port", type=int, metavar="N", help="TCP port; 0 for a free one")
    parser.add_argument("--seed", type=int, metavar="S", help="keys the service times")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where to record")
    return parser.parse_args(arguments)


def _read_config(options: argparse.Namespace) -> StubConfig:
    data = {} if options.config is None else _read_toml(options.config)
    data = {field: value for field, value in data.items() if field not in HERD_FIELDS}
    if options.seed is not None:
        data["seed"] = options.seed
    if options.port is not None and isinstance(data.setdefault("server", {}), dict):
        data["server"]["port"] = options.port
    try:
        return StubConfig.model_validate(data)
    except ValidationError as error:
        source = options.config or "options"
        problems = problems_of(error.errors(), StubConfig)
        raise _InputError("\n".join(f"{source}: {problem}" for problem in problems)) from None


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _InputError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _InputError(f"{path}: {error}") from None


def _make_directory(directory: Path | None) -> None:
    if directory is None:
        return
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _InputError(f"--out {directory}: {error.strerror}") from None
    if any(directory.glob("*.arrows")):
        raise _InputError(f"--out {directory}: holds a recording already")


def _open_ports(config: StubConfig) -> list[SocketPort]:
    server = config.server
    try:
        return open_ports(
            _HOST, server.port, config.plan().n_places, listen_backlog=server.listen_backlog
        )
    except OSError as error:
        raise _InputError(f"server.port = {server.port}: {error.strerror}") from None


async def _serve(
    config: StubConfig, ports: Sequence[SocketPort], recorders: Sequence[ServerRecorder]
) -> None:
    schedule = config.plan()
    cluster = Cluster(
        config.server,
        schedule,
        ports=ports,
        seed=config.seed,
        recorders=recorders,
        load=config.load,
    )
    addresses = [port.address for port in ports]
    async with trio.open_nursery() as nursery:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            await nursery.start(cluster.run)
            sys.stdout.write(f"{_announcement(config.server, addresses, schedule.windows)}\n")
            sys.stdout.flush()
            nursery.start_soon(partial(cluster.follow, origin=0.0))
            nursery.start_soon(_flush_regularly, cluster)
            await anext(aiter(signals))
            nursery.cancel_scope.cancel()


def _where(window: OutageWindow) -> str:
    """Which nodes it hits, where there are others to go to."""
    if not window.others_serve:
        return ""
    return f" (node {', '.join(map(str, window.nodes or ()))})"


async def _flush_regularly(cluster: Cluster) -> None:
    while True:
        await trio.sleep(_FLUSH_INTERVAL)
        cluster.flush()


def _announcement(
    config: ServerConfig, addresses: Sequence[tuple[str, int]], windows: Sequence[OutageWindow]
) -> str:
    """Where it listens and what will happen when, in one line."""
    named = [
        f"{window.kind.value} from {window.starts_at:g} to {window.ends_at:g} s{_where(window)}"
        for window in windows[:_MOST_NAMED]
    ]
    if len(windows) > _MOST_NAMED:
        named.append(f"{len(windows) - _MOST_NAMED} more until {windows[-1].ends_at:g} s")
    plan = ", ".join(named) or "none"
    where = ", ".join(f"ws://{host}:{port}" for host, port in addresses)
    return (
        f"listening on {where}; {config.capacity:g} handshakes/s; outages: {plan}; Ctrl-C ends it"
    )


if __name__ == "__main__":
    sys.exit(main())
