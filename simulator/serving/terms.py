"""On what terms a scenario's server is there for others."""

from dataclasses import dataclass
from pathlib import Path

from server_stub.access import is_loopback
from server_stub.marks import Mark

PORT = 8765
"""Where the server listens unless the scenario or an option says otherwise: a port that stays the
same from run to run can stand in a client's settings."""

MARK = Mark("query", "client")
"""What tells clients apart unless an option says otherwise."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Certificate:
    """A certificate of the user's own."""

    chain: Path
    key: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """Where the server listens, to whom, and how long."""

    host: str = "127.0.0.1"
    port: int = PORT
    """0 for a free one."""
    http_port: int | None = 0
    """0 for a free one; None for none."""
    mark: Mark = MARK
    """What tells clients apart."""
    begin_after: int = 1
    """t = 0 is the moment at which so many clients are connected; 0 for at once."""
    run_for: float | None = None
    """Seconds after which everything ends; None leaves that to the scenario."""
    tls: Certificate | bool = False
    """With which certificate to speak TLS; True for one made for the occasion."""
    token: str | None = None
    """What whoever gives orders must show."""

    @property
    def scheme(self) -> str:
        """Of its address."""
        return "wss" if self.tls else "ws"

    @property
    def needs_token(self) -> bool:
        """Can others than this machine give orders?"""
        return self.http_port is not None and not is_loopback(self.host)
