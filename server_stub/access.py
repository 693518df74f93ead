"""Who may look at a stub over HTTP, and who may give it orders; sans-IO.

A page in a browser on the same machine can reach loopback, too. It is kept out by two headers that
a browser sets and a page cannot: `Host` names the site that the page believes to talk to (so that a
name made to lead to loopback is found out), and `Origin` the site that it comes from.
"""

import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import urlsplit


class Objection(NamedTuple):
    """Why a request is turned away."""

    status: HTTPStatus
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """The rules of one HTTP port."""

    host: str
    """Where it is bound."""
    token: str | None
    """What whoever gives orders must show; None for nothing."""

    def objection(self, method: str, headers: Mapping[str, str]) -> Objection | None:
        """Why a request is turned away; None when it is not.

        Args:
            method: Of the request: all but GET and HEAD give orders.
            headers: Of the request; names in any case.
        """
        given = {name.lower(): value for name, value in headers.items()}
        host = given.get("host", "")
        if is_loopback(self.host) and not is_loopback(_name_of(host)):
            return Objection(HTTPStatus.FORBIDDEN, f"Host: {host} does not lead to this machine")
        if method in {"GET", "HEAD"}:
            return None
        origin = given.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return Objection(HTTPStatus.FORBIDDEN, f"Origin: {origin} is another site")
        if self.token is not None and not _shows(self.token, given.get("authorization", "")):
            return Objection(HTTPStatus.UNAUTHORIZED, "orders need: Authorization: Bearer TOKEN")
        return None


def is_loopback(host: str) -> bool:
    """Does a host name or address lead to this machine and nowhere else?"""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() in {"localhost", "localhost.localdomain", "ip6-localhost"}


def _name_of(host: str) -> str:
    """The name or address in a Host header, without port and brackets."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _shows(token: str, authorization: str) -> bool:
    """Is it this token? Takes as long for a wrong one as for another wrong one."""
    scheme, _, shown = authorization.partition(" ")
    matches = hmac.compare_digest(shown.strip().encode(), token.encode())
    return matches and scheme.lower() == "bearer"
