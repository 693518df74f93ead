"""What travels between herd's client and the stub: paths, close codes, HTTP statuses."""

from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

RAMP_EPISODE = 0
"""The episode in which the fleet assembles; it bypasses service times (RULES 17)."""

OVERLOADED = HTTPStatus.SERVICE_UNAVAILABLE
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


def identity_of(target: str) -> Identity | None:
    """Who a request target says it is; None for a client that does not say."""
    try:
        query = parse_qs(urlsplit(target).query)
        identity = Identity(*(int(query[name][0]) for name in Identity._fields))
    except (KeyError, ValueError):
        return None
    # The numbers key random draws and stand in records, and both hold 32 bits.
    return identity if all(0 <= number < 2**32 for number in identity) else None
