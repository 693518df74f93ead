"""How the clients of a live run reach their server, whosever that is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from server_stub.wire import Identity, own_path
from simulator.engines.live.sockets import dialler
from simulator.transport import TRANSPORTS
from simulator.transport.seam import Dial, Headers, TransportMaker
from simulator.transport.tls import TlsConfig, over_tls


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """One server, and how to knock there; goes to every worker process."""

    address: tuple[str, int]
    """Numeric, and a port."""
    host: str
    """For the Host header."""
    sources: Sequence[str | None] = (None,)
    """Addresses to dial from; None for the kernel's choice."""
    tls: TlsConfig | None = None
    path_of: Callable[[Identity], str] = own_path
    """The request target of an attempt."""
    headers: Headers = ()
    subprotocols: Sequence[str] = ()
    max_connects: float | None = None
    """Attempts per second of the whole fleet; None for no ceiling."""

    def dials(self) -> list[Dial]:
        """A dial function from each source."""
        plain = [dialler(self.address, source) for source in self.sources]
        return plain if self.tls is None else [over_tls(dial, self.tls) for dial in plain]

    def transport(self, name: str) -> TransportMaker:
        """Makes transports of a kind that say what is to be said here."""
        return partial(TRANSPORTS[name], headers=self.headers, subprotocols=self.subprotocols)
