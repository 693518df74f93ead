"""The ports of a served node, opened before anything is recorded; errors name the option."""

import errno
import os
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from server_stub.certificates import EXTRA, CertificateError, context_from_files, made_context
from server_stub.streams import Port, SocketPort, resolved
from server_stub.tls import TlsPort
from simulator.errors import InputError, MachineError
from simulator.serving.terms import Certificate, Terms

AUTHORITY = "ca.pem"
"""The certificate, in the run directory, of the authority that vouches for a made one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ports:
    """What a node listens on."""

    port: Port
    address: tuple[str, int]
    http: socket.socket | None
    http_address: tuple[str, int] | None


def open_ports(terms: Terms, *, listen_backlog: int, directory: Path) -> Ports:
    """Open what the terms ask for.

    Args:
        terms: Say where, and whether with TLS.
        listen_backlog: The kernel's queue of connections that nobody has accepted yet.
        directory: For the certificate of the authority, if one is made.

    Raises:
        InputError: A certificate cannot be used, or a package is missing.
        MachineError: A port is in use, or may not be bound.
    """
    context = _tls_context(terms, directory)
    http = _http_socket(terms)
    try:
        plain = SocketPort(terms.host, terms.port, listen_backlog=listen_backlog)
    except OSError as error:
        if http is not None:
            http.close()
        raise _port_error("--port", terms.host, terms.port, error) from None
    return Ports(
        port=plain if context is None else TlsPort(plain, context),
        address=plain.address,
        http=http,
        http_address=None if http is None else http.getsockname()[:2],
    )


def http_is_installed() -> bool:
    """Are the packages there that HTTP needs?"""
    try:
        import server_stub.http  # noqa: F401, PLC0415 - an extra
    except ImportError:
        return False
    return True


def http_missing() -> str:
    """What to do about it."""
    return f"needs Quart-Trio, Hypercorn and prometheus-client: pip install '{EXTRA}'"


def _tls_context(terms: Terms, directory: Path) -> ssl.SSLContext | None:
    """With which to speak TLS; None for not at all."""
    try:
        match terms.tls:
            case Certificate(chain=chain, key=key):
                return context_from_files(chain, key)
            case True:
                names = dict.fromkeys((terms.host, "localhost", "127.0.0.1", "::1"))
                return made_context(names, directory / AUTHORITY)
    except CertificateError as error:
        raise InputError(str(error)) from None
    return None


def _http_socket(terms: Terms) -> socket.socket | None:
    if terms.http_port is None:
        return None
    from server_stub.http import open_port  # noqa: PLC0415 - an extra

    try:
        return open_port(*resolved(terms.host, terms.http_port))
    except OSError as error:
        raise _port_error("--http-port", terms.host, terms.http_port, error) from None


def _port_error(option: str, host: str, port: int, error: OSError) -> MachineError:
    """Which of the two is to blame: the host, or the port."""
    if isinstance(error, socket.gaierror):
        return MachineError(f"--host = {host}: {error.strerror}; allowed: one of this machine")
    reason = os.strerror(error.errno or 0)
    if error.errno == errno.EADDRNOTAVAIL:
        return MachineError(f"--host = {host}: {reason}; allowed: one of this machine")
    return MachineError(f"{option} = {port}: {reason}; 0 takes a free one")
