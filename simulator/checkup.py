"""What a machine's limits mean for a herd, and what to do about them; what `herd doctor` says."""

from collections.abc import Iterator
from dataclasses import dataclass

from simulator.machine import (
    Machine,
    can_spread,
    clients_within,
    descriptors_needed,
    ports_last_for,
    source_addresses,
)
from simulator.scenario import Scenario

_COARSE_CLOCK = 1e-3
"""Seconds; a clock that ticks in longer steps would show as lag."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One limit of the machine."""

    what: str
    found: str
    clients: int | None = None
    """How many clients it allows; None where it sets no number."""
    advice: str = ""
    """What to do; empty when all is well."""


def examine(machine: Machine, scenario: Scenario) -> list[Finding]:
    """Look at each limit that decides how large a herd fits.

    Args:
        machine: The machine.
        scenario: The scenario to measure it by.
    """
    return [
        _cores(machine),
        _descriptors(machine, scenario),
        _ports(machine),
        *_queue(machine, scenario),
        _clock(machine),
    ]


def can_run(machine: Machine, scenario: Scenario) -> bool:
    """Would a live run of this scenario start at all?"""
    needed = descriptors_needed(scenario, n_workers=machine.n_workers)
    many_addresses = len(source_addresses(scenario.n_clients, machine)) > 1
    return needed <= machine.max_descriptors and (not many_addresses or can_spread())


def _cores(machine: Machine) -> Finding:
    return Finding(
        what="cores",
        found=f"{machine.n_cores}: 1 for the server, {machine.n_workers} for clients",
        advice=""
        if machine.n_cores >= 2
        else "clients and server share one core: give herd two, or expect a poor verdict",
    )


def _descriptors(machine: Machine, scenario: Scenario) -> Finding:
    allowed = clients_within(machine.max_descriptors, scenario)
    return Finding(
        what="file descriptors",
        found=f"{machine.n_descriptors:,}, can be raised to {machine.max_descriptors:,}",
        clients=allowed,
        advice=""
        if allowed >= scenario.n_clients
        else f"{scenario.name} has {scenario.n_clients:,} clients: raise the limit (as root: "
        f"ulimit -Hn {descriptors_needed(scenario, n_workers=1)}) or use --clients {allowed}",
    )


def _ports(machine: Machine) -> Finding:
    one_address = ports_last_for(machine)
    spread = can_spread()
    beyond = "more are spread over 127.0.0.0/8" if spread else "others cannot be bound"
    return Finding(
        what="source ports",
        found=f"{machine.n_ports:,} per address, enough for {one_address:,} clients; {beyond}",
        clients=None if spread else one_address,
        advice="" if spread else "widen net.ipv4.ip_local_port_range for more clients",
    )


def _queue(machine: Machine, scenario: Scenario) -> Iterator[Finding]:
    wanted = scenario.server.listen_backlog
    yield Finding(
        what="somaxconn",
        found=f"{machine.somaxconn:,}",
        advice=""
        if machine.somaxconn >= wanted
        else f"caps listen_backlog = {wanted}: sysctl -w net.core.somaxconn={wanted}",
    )
    moments = ", ".join(map(str, machine.syn_retry_at))
    yield Finding(what="SYN sent again after", found=f"{moments} s (kernel {machine.kernel})")


def _clock(machine: Machine) -> Finding:
    coarse = machine.clock_resolution > _COARSE_CLOCK
    return Finding(
        what="clock",
        found=f"ticks every {machine.clock_resolution * 1e9:,.0f} ns",
        advice="too coarse to time a storm: check the kernel's clocksource" if coarse else "",
    )
