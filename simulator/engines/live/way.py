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

    addresses: Sequence[tuple[str, int]]
    """Of the nodes, by number: numeric, and a port."""
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

    def dials(self) -> list[list[Dial]]:
        """From each source a dial function for each node."""
        return [
            [self._secured(dialler(address, source)) for address in self.addresses]
            for source in self.sources
        ]

    def _secured(self, dial: Dial) -> Dial:
        return dial if self.tls is None else over_tls(dial, self.tls)

    def transport(self, name: str) -> TransportMaker:
        """Makes transports of a kind that say what is to be said here."""
        return partial(TRANSPORTS[name], headers=self.headers, subprotocols=self.subprotocols)
