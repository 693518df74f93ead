"""What can be wrong about a target before anybody connects to it; a line for each mistake."""

import ipaddress
import math
import re
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from simulator.errors import TargetError

PORTS = {"ws": 80, "wss": 443}
"""By scheme."""
_FORM = "allowed: ws://HOST:PORT/PATH or wss://HOST:PORT/PATH"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""The name of a header or of a subprotocol (RFC 9110, 5.6.2)."""
_VALUE = re.compile(r"[\t -~]*")
_TARGET = re.compile(r"[!-~]*")
_OURS = ("host", "upgrade", "connection", "content-length", "transfer-encoding", "expect")
"""Headers that the handshake sets, or that would make something else of it."""

Resolver = Callable[..., Iterable[Sequence[Any]]]
"""As `socket.getaddrinfo`."""


def _shown(text: str) -> str:
    """As it stands, if that is one line."""
    return text if text.isprintable() else repr(text)


def split_url(url: str) -> SplitResult:
    """The parts of a target's URL.

    Raises:
        TargetError: It is none.
    """
    try:
        parts = urlsplit(url)
        is_whole = bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise TargetError([f"--target = {_shown(url)}: {error}; {_FORM}"]) from None
    if parts.scheme not in PORTS:
        raise TargetError([f"--target = {_shown(url)}: no WebSocket URL; {_FORM}"])
    if not is_whole:
        raise TargetError([f"--target = {_shown(url)}: names no host and port; {_FORM}"])
    if parts.username is not None or parts.password is not None:
        advice = "send it with --header 'Authorization: ...'"
        raise TargetError([f"--target: holds a user name or a password; {advice}"])
    if parts.fragment or not _TARGET.fullmatch(url):
        advice = "allowed: ASCII, percent-encoded where need be, without a fragment"
        raise TargetError([f"--target = {_shown(url)}: {advice}"])
    return parts


def parse_header(header: str) -> tuple[str, str]:
    """Name and value of `Name: value`.

    Raises:
        TargetError: It is not of that form, or is the handshake's own.
    """
    name, colon, value = header.partition(":")
    name, value = name.strip(), value.strip()
    if not colon or not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
        raise TargetError(
            [f"--header {_shown(name)}: allowed: 'Name: value', in ASCII and on one line"]
        )
    if name.lower() in _OURS or name.lower().startswith("sec-websocket-"):
        advice = " (see --subprotocol)" if name.lower() == "sec-websocket-protocol" else ""
        raise TargetError([f"--header {_shown(name)}: the handshake sets it itself{advice}"])
    return name, value


def subprotocol_problems(names: Sequence[str]) -> Iterator[str]:
    """What is wrong with the subprotocols to offer."""
    for name in names:
        if not _TOKEN.fullmatch(name):
            yield f"--subprotocol = {_shown(name)}: allowed: a word, without commas or quotes"
    if len(set(names)) < len(names):
        yield f"--subprotocol = {', '.join(names)}: allowed: each once"


def ceiling_problems(max_clients: int | None, max_connects: float | None) -> Iterator[str]:
    """What is wrong with the ceilings."""
    if max_clients is not None and max_clients < 1:
        yield f"--max-clients = {max_clients}: allowed: at least 1"
    if max_connects is not None and not (max_connects > 0 and math.isfinite(max_connects)):
        yield f"--max-connects = {max_connects:g}: allowed: more than 0"


def tls_problems(scheme: str, *, cafile: Path | None, insecure: bool) -> Iterator[str]:
    """What is wrong with how the server's certificate is to be checked."""
    given = {"--cafile": cafile is not None, "--insecure": insecure}
    if scheme != "wss":
        yield from (
            f"{option}: has no effect on {scheme}://; it belongs to wss://"
            for option, is_given in given.items()
            if is_given
        )
    elif all(given.values()):
        yield "--cafile: has no effect beside --insecure, which trusts any certificate"
    elif cafile is not None:
        try:
            ssl.create_default_context(cafile=cafile)
        except ssl.SSLError:
            yield f"--cafile = {cafile}: holds no certificate in PEM"
        except OSError as error:
            yield f"--cafile = {cafile}: {error.strerror}"


def addresses_of(host: str, port: int, resolve: Resolver) -> tuple[str, ...]:
    """The addresses that a name stands for, numeric, each once, in the order of preference.

    Raises:
        TargetError: It stands for none.
    """
    try:
        found = resolve(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise TargetError([f"--target: host {host} cannot be found: {reason}"]) from None
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_loopback(address: str) -> bool:
    """Does a numeric address lead back to this machine, whatever its interfaces?"""
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped.is_loopback
    return parsed.is_loopback


def trespass(host: str, addresses: Sequence[str], allow_host: str | None) -> Iterator[str]:
    """What speaks against sending a herd there."""
    elsewhere = [address for address in addresses if not is_loopback(address)]
    if not elsewhere:
        if allow_host is not None:
            yield f"--allow-host = {allow_host}: has no effect, {host} is this machine"
    elif allow_host is None:
        where = host if host in elsewhere else f"{host} ({', '.join(elsewhere)})"
        yield (
            f"--target: {where} is not a loopback address, and a herd is a load; if the server is "
            f"yours to load, name it again: --allow-host {host}"
        )
    elif allow_host.strip("[]").lower() != host.lower():
        yield f"--allow-host = {allow_host}: names another host than --target, {host}"
