"""A server that is not ours, at which a herd is sent: where it is, and what may be done to it.

A herd is a load. So the server has to be on this machine, unless its host is named a second time;
then a ceiling on clients and on connects per second applies, which can be moved but not left out.
"""

import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from server_stub.wire import Identity
from simulator.errors import TargetError
from simulator.target_checks import (
    PORTS,
    Resolver,
    addresses_of,
    ceiling_problems,
    is_loopback,
    parse_header,
    split_url,
    subprotocol_problems,
    tls_problems,
    trespass,
)

T = TypeVar("T")

MAX_CLIENTS = 1000
MAX_CONNECTS = 100.0
"""What a server on another machine is spared unless told otherwise: clients, and connects per
second. The size of the default scenario's fleet, and what its small server can take."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A server that is not ours; `aim` makes one."""

    scheme: str
    host: str
    """As the user named it; without the brackets of an IPv6 address."""
    port: int
    path: str
    """The request target: path and query."""
    addresses: tuple[str, ...]
    """What the name resolved to, once, in the order in which to try."""
    max_clients: int | None = None
    max_connects: float | None = None
    """Attempts per second, those that fail included; None for no ceiling."""
    restart_command: str | None = None
    """A line for the shell that restarts the server; None if somebody does so by hand."""
    identify: bool = False
    """Does the query say which client connects, in which episode, with which attempt?"""
    headers: tuple[tuple[str, str], ...] = ()
    """Further ones for every upgrade request."""
    subprotocols: tuple[str, ...] = ()
    """To offer, the preferred one first."""
    cafile: Path | None = None
    insecure: bool = False

    @property
    def is_secure(self) -> bool:
        """Is it reached over TLS?"""
        return self.scheme == "wss"

    @property
    def authority(self) -> str:
        """For the Host header: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def label(self) -> str:
        """For records and people: the URL without its query, which may hold a secret."""
        return f"{self.scheme}://{self.authority}{self.path.partition('?')[0]}"

    def path_of(self, identity: Identity) -> str:
        """The request target of an attempt."""
        if not self.identify:
            return self.path
        return f"{self.path}{'&' if '?' in self.path else '?'}{identity.query}"


def aim(
    url: str,
    *,
    allow_host: str | None = None,
    max_clients: int | None = None,
    max_connects: float | None = None,
    restart_command: str | None = None,
    identify: bool = False,
    headers: Iterable[str] = (),
    subprotocols: Iterable[str] = (),
    cafile: Path | None = None,
    insecure: bool = False,
    resolve: Resolver = socket.getaddrinfo,
) -> Target:
    """Check everything about a target that can be checked without connecting to it.

    Args:
        url: As in `ws://localhost:8000/chat`.
        allow_host: The host once more, if it is not this machine.
        max_clients: Ceiling on the size of the fleet; `MAX_CLIENTS` for another machine.
        max_connects: Ceiling on attempts per second; `MAX_CONNECTS` for another machine.
        restart_command: What the shell is to run at the start of every scheduled outage.
        identify: Say in the query who connects.
        headers: Further ones, as `Name: value`.
        subprotocols: Those to offer, the preferred one first.
        cafile: Certificates to trust, in PEM.
        insecure: Trust any certificate.
        resolve: Finds the addresses of a name.

    Raises:
        TargetError: With every mistake.
    """
    problems: list[str] = []

    def noted(step: Callable[[], T]) -> T | None:
        """The step's value; None if there is none, and why is noted."""
        try:
            return step()
        except TargetError as error:
            problems.extend(error.problems)
            return None

    offered = tuple(subprotocols)
    pairs = [noted(partial(parse_header, header)) for header in headers]
    problems += [*subprotocol_problems(offered), *ceiling_problems(max_clients, max_connects)]
    if restart_command is not None and not restart_command.strip():
        problems.append("--restart-command: is empty; allowed: a line for the shell")
    parts = noted(partial(split_url, url))
    if parts is None:
        raise TargetError(problems)
    host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
    problems += tls_problems(parts.scheme, cafile=cafile, insecure=insecure)
    addresses = noted(partial(addresses_of, host, port, resolve)) or ()
    if addresses:
        problems += trespass(host, addresses, allow_host)
    if problems:
        raise TargetError(problems)
    is_here = all(map(is_loopback, addresses))
    return Target(
        scheme=parts.scheme,
        host=host,
        port=port,
        path=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        addresses=addresses,
        max_clients=max_clients or (None if is_here else MAX_CLIENTS),
        max_connects=max_connects or (None if is_here else MAX_CONNECTS),
        restart_command=restart_command,
        identify=identify,
        headers=tuple(pair for pair in pairs if pair is not None),
        subprotocols=offered,
        cafile=cafile,
        insecure=insecure,
    )
