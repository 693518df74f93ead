"""What travels between herd's client and the stub: paths, close codes, HTTP statuses."""

from collections.abc import Mapping
from enum import Enum, auto
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

RAMP_EPISODE = 0
"""The episode in which the fleet assembles; it bypasses service times (RULES 17)."""

OVERLOADED = HTTPStatus.SERVICE_UNAVAILABLE
TOO_MANY = HTTPStatus.TOO_MANY_REQUESTS
APPLICATION_PING = "ping"
APPLICATION_PONG = "pong"


class Identity(NamedTuple):
    """Who knocks: which client, in which episode, with which attempt of it (1-based)."""

    client: int
    episode: int
    attempt: int

    @property
    def query(self) -> str:
        """The part of a request target that tells the server."""
        return f"client={self.client}&episode={self.episode}&attempt={self.attempt}"

    @property
    def path(self) -> str:
        """The whole request target of herd's own clients at herd's own server."""
        return f"/herd?{self.query}"


def own_path(identity: Identity) -> str:
    """The same as a function, which can go to another process."""
    return identity.path


def _path_of(target: str) -> str:
    return target.partition("?")[0]


def query_of(target: str) -> dict[str, list[str]]:
    """The parameters of a request target, whatever a peer made of it."""
    return parse_qs(target.partition("?")[2])


def identity_of(target: str) -> Identity | None:
    """Who a request target says it is; None for a client that does not say."""
    try:
        query = parse_qs(urlsplit(target).query)
        identity = Identity(*(int(query[name][0]) for name in Identity._fields))
    except (KeyError, ValueError):
        return None
    # The numbers key random draws and stand in records, and both hold 32 bits.
    return identity if all(0 <= number < 2**32 for number in identity) else None


def address_of(headers: Mapping[str, str], peer_address: str) -> str:
    """Where a client comes from: what the nearest proxy says, or the peer's own address.

    A proxy appends to `X-Forwarded-For` the address that it was connected to from. What stands
    before the last one was said by others, the client itself included.

    Args:
        headers: Of the request, by name in lower case.
        peer_address: Where the connection comes from.
    """
    return headers.get("x-forwarded-for", "").rpartition(",")[2].strip() or peer_address


class RouteKind(Enum):
    """What a connection is for, by its path."""

    HERD = auto()
    """Our own messages, "ping" and "pong"; whatever else is said comes back. The usual one."""
    ECHO = auto()
    """`/echo`: everything comes back."""
    PUBLISH = auto()
    """`/publish/TOPIC`: everything goes to those who listen to the topic."""
    SUBSCRIBE = auto()
    """`/subscribe/TOPIC`: hears what is published there."""


class Route(NamedTuple):
    """Where a request target leads."""

    kind: RouteKind
    topic: str = ""


HERD = Route(RouteKind.HERD)
EVENTS = Route(RouteKind.SUBSCRIBE, "events")
"""Where the server's own events can be heard."""


def route_of(target: str) -> Route:
    """Where a request target leads; every path leads somewhere."""
    match unquote(_path_of(target)).strip("/").split("/", 1):
        case ["echo"]:
            return Route(RouteKind.ECHO)
        case ["publish", topic]:
            return Route(RouteKind.PUBLISH, topic)
        case ["subscribe", topic]:
            return Route(RouteKind.SUBSCRIBE, topic)
    return HERD
