"""What this machine can drive: cores, descriptors, ports, the kernel's queues and its clock."""

import os
import platform
import resource
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from server_stub.config import ServerConfig
from server_stub.outage import OutageKind, of_kind
from simulator.errors import MachineError
from simulator.scenario import Scenario

_SPARE_DESCRIPTORS = 128
"""For a process's own files, pipes and event loop."""
_LINGERING = 1024
"""Connections that clients have given up but which still stand in the server's queue, at most."""
_BEYOND_ONE_ADDRESS = "127.0.1.1"
_PORTS_PER_CLIENT = 4
"""Source ports to have at hand per client: a closed connection can keep its port for a while."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """The limits that decide how large a herd fits on this machine."""

    kernel: str
    n_cores: int
    n_descriptors: int
    """File descriptors that a process may open, now."""
    max_descriptors: int
    """What that limit can be raised to without privileges."""
    first_port: int
    last_port: int
    """The range of source ports that the kernel hands out."""
    somaxconn: int
    """The kernel's ceiling on listen_backlog."""
    syn_linear_timeouts: int | None
    """SYN retransmissions at one-second steps; None on kernels before 6.5, which double at once."""
    abort_on_overflow: bool | None
    """Does a full listen queue answer with a reset instead of silence?"""
    clock_resolution: float
    """Seconds."""

    @property
    def n_ports(self) -> int:
        """Source ports per source address."""
        return self.last_port - self.first_port + 1

    @property
    def n_workers(self) -> int:
        """Client processes to use: one core is the server's."""
        return max(1, self.n_cores - 1)

    @property
    def syn_retry_at(self) -> tuple[int, ...]:
        """Seconds after which the kernel sends an unanswered SYN again (RULES 8)."""
        at, step = 0, 1
        moments = []
        for turn in range(8):
            at += step
            moments.append(at)
            if turn >= (self.syn_linear_timeouts or 0):
                step *= 2
        return tuple(moment for moment in moments if moment < 32)

    def settings(self) -> dict[str, int | float | str | bool | None]:
        """What a manifest says of the machine."""
        return {
            "kernel": self.kernel,
            "cores": self.n_cores,
            "ip_local_port_range": f"{self.first_port}-{self.last_port}",
            "somaxconn": self.somaxconn,
            "tcp_syn_linear_timeouts": self.syn_linear_timeouts,
            "tcp_abort_on_overflow": self.abort_on_overflow,
            "syn_retry_at": " ".join(map(str, self.syn_retry_at)),
            "clock_resolution": self.clock_resolution,
        }


def n_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))


def inspect() -> Machine:
    """Look at the machine this process runs on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    first_port, last_port = map(int, _kernel("ipv4/ip_local_port_range", "32768 60999").split())
    linear = _kernel("ipv4/tcp_syn_linear_timeouts", "")
    abort = _kernel("ipv4/tcp_abort_on_overflow", "")
    return Machine(
        kernel=platform.release(),
        n_cores=n_cores(),
        n_descriptors=soft,
        max_descriptors=hard,
        first_port=first_port,
        last_port=last_port,
        somaxconn=int(_kernel("core/somaxconn", "4096")),
        syn_linear_timeouts=int(linear) if linear else None,
        abort_on_overflow=bool(int(abort)) if abort else None,
        clock_resolution=time.get_clock_info("perf_counter").resolution,
    )


def descriptors_needed(scenario: Scenario, *, n_workers: int) -> int:
    """File descriptors that the busiest process of a live run may need.

    The server holds every client's connection and, beside them, those that clients have given up
    but which still stand in its queue. A connection that a middlebox forgets stays open at both
    ends.
    """
    connections = scenario.n_clients * _most_connections(scenario)
    server = connections + _served_or_waiting(scenario)
    worker = -(-connections // n_workers)
    return max(server + min(scenario.n_clients, _LINGERING), worker) + _SPARE_DESCRIPTORS


def _served_or_waiting(scenario: Scenario) -> int:
    """Handshakes that all nodes together have room for."""
    return scenario.plan.n_places * (scenario.server.workers + scenario.server.backlog)


def _most_connections(scenario: Scenario) -> int:
    """Of one client: the one it has, and those forgotten, each after having been idle for long."""
    return 1 + sum(
        1 + int((window.ends_at - window.starts_at) / window.idle_for)
        for window in of_kind(scenario.windows, OutageKind.IDLE_TIMEOUT)
    )


def clients_within(n_descriptors: int, scenario: Scenario) -> int:
    """The most clients for which so many file descriptors per process are enough."""
    each = _most_connections(scenario)
    room = n_descriptors - _SPARE_DESCRIPTORS - _served_or_waiting(scenario)
    return max(0, room // (each + 1), (room - _LINGERING) // each)


def ports_last_for(machine: Machine) -> int:
    """The most clients that can dial from one source address."""
    return machine.n_ports // _PORTS_PER_CLIENT


def source_addresses(n_clients: int, machine: Machine) -> tuple[str | None, ...]:
    """Loopback addresses to dial from, so that the source ports suffice; (None,) for the usual."""
    n_sources = -(-n_clients * _PORTS_PER_CLIENT // machine.n_ports)
    if n_sources <= 1:
        return (None,)
    return tuple(f"127.0.{1 + n // 250}.{1 + n % 250}" for n in range(n_sources))


def prepare(scenario: Scenario, machine: Machine, *, n_workers: int) -> tuple[str, ...]:
    """Check that a live run fits this machine, raising what limits may be raised.

    Returns:
        What the reader of the results should know about the machine.

    Raises:
        MachineError: It cannot work.
    """
    needed = descriptors_needed(scenario, n_workers=n_workers)
    fitting = clients_within(machine.max_descriptors, scenario)
    _check_descriptors(needed, machine, n_clients=scenario.n_clients, fitting=fitting)
    if len(source_addresses(scenario.n_clients, machine)) > 1 and not can_spread():
        reason = f"{_BEYOND_ONE_ADDRESS} cannot be dialled from"
        raise _too_few_ports(scenario.n_clients, machine, reason)
    _allow_descriptors(needed, machine)
    return tuple(_remarks(scenario, machine))


def prepare_clients(
    n_clients: int, machine: Machine, *, n_workers: int, server: str
) -> tuple[str | None, ...]:
    """Check that a fleet fits this machine, raising what limits may be raised.

    Args:
        n_clients: Size of the fleet.
        machine: This one.
        n_workers: Processes that share the fleet.
        server: Numeric address of a server that is not ours.

    Returns:
        Addresses to dial from; (None,) for the usual one.

    Raises:
        MachineError: It cannot work.
    """
    needed = -(-n_clients // n_workers) + _SPARE_DESCRIPTORS
    fitting = n_workers * (machine.max_descriptors - _SPARE_DESCRIPTORS)
    _check_descriptors(needed, machine, n_clients=n_clients, fitting=fitting)
    sources = source_addresses(n_clients, machine)
    if len(sources) > 1 and not (server.startswith("127.") and can_spread()):
        raise _too_few_ports(n_clients, machine, f"{server} cannot be dialled from several")
    _allow_descriptors(needed, machine)
    return sources


def _check_descriptors(needed: int, machine: Machine, *, n_clients: int, fitting: int) -> None:
    if needed > machine.max_descriptors:
        raise MachineError(
            f"n_clients = {n_clients}: a process would need {needed} file descriptors, "
            f"this machine allows {machine.max_descriptors}; allowed: at most "
            f"{fitting} clients, or a higher limit (ulimit -Hn)"
        )


def _allow_descriptors(needed: int, machine: Machine) -> None:
    if needed > machine.n_descriptors:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, machine.max_descriptors))


def _too_few_ports(n_clients: int, machine: Machine, reason: str) -> MachineError:
    return MachineError(
        f"n_clients = {n_clients}: a source address has {machine.n_ports} ports, and "
        f"{reason}; widen net.ipv4.ip_local_port_range or "
        f"use at most {ports_last_for(machine)} clients"
    )


def can_spread() -> bool:
    """May clients dial from loopback addresses beyond the first?"""
    with socket.socket() as probe:
        try:
            probe.bind((_BEYOND_ONE_ADDRESS, 0))
        except OSError:
            return False
    return True


def prepare_to_serve(server: ServerConfig, machine: Machine) -> tuple[str, ...]:
    """Get ready for however many clients of others may come, raising what limits may be raised.

    Returns:
        What the reader of the results should know about the machine.
    """
    resource.setrlimit(resource.RLIMIT_NOFILE, (machine.max_descriptors, machine.max_descriptors))
    return tuple(_remarks_on_queue(server, machine))


def _remarks(scenario: Scenario, machine: Machine) -> Iterator[str]:
    yield from _remarks_on_queue(scenario.server, machine)
    if machine.n_cores < 2:
        yield "one core drives clients and server alike: expect the verdict to suffer"


def _remarks_on_queue(server: ServerConfig, machine: Machine) -> Iterator[str]:
    if server.listen_backlog > machine.somaxconn:
        yield (
            f"the kernel caps listen_backlog = {server.listen_backlog} at "
            f"somaxconn = {machine.somaxconn}"
        )


def _kernel(name: str, default: str) -> str:
    """A setting below /proc/sys/net, or the default where there is none."""
    try:
        return Path("/proc/sys/net", name).read_text(encoding="ascii").strip()
    except OSError:
        return default
