"""What travels between herd's client and the stub: paths, close codes, HTTP statuses."""

from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

RAMP_EPISODE = 0
"""The episode in which the fleet assembles; it bypasses service times (RULES 17)."""

OVERLOADED = HTTPStatus.SERVICE_UNAVAILABLE
APPLICATION_PING = "ping"
APPLICATION_PONG = "pong"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who knocks: which client, in which episode, with which attempt of it (1-based)."""

    client: int
    episode: int
    attempt: int

    @property
    def path(self) -> str:
        """The request target that tells the server."""
        return f"/herd?client={self.client}&episode={self.episode}&attempt={self.attempt}"


def identity_of(target: str) -> Identity | None:
    """Who a request target says it is; None for a client that does not say."""
    query = parse_qs(urlsplit(target).query)
    try:
        return Identity(
            client=int(query["client"][0]),
            episode=int(query["episode"][0]),
            attempt=int(query["attempt"][0]),
        )
    except (KeyError, ValueError):
        return None
