"""How clients reach a server: the seam, and the two transports behind it."""

from typing import Protocol

from simulator.transport.over_trio_websocket import TrioWebSocketTransport
from simulator.transport.over_wsproto import WsprotoTransport
from simulator.transport.seam import Dial, Transport


class TransportMaker(Protocol):
    """Makes a transport."""

    def __call__(self, dial: Dial, host: str, *, forwarded_for: str | None = None) -> Transport:
        """A transport.

        Args:
            dial: The way to the server.
            host: For the Host header.
            forwarded_for: The client's address, as a proxy in between would tell it; None for no
                proxy.
        """


TRANSPORTS: dict[str, TransportMaker] = {
    "trio-websocket": TrioWebSocketTransport,
    "wsproto": WsprotoTransport,
}
"""The transports by the name that a scenario gives them."""
