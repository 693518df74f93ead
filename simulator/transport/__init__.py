"""How clients reach a server: the seam, and the two transports behind it."""

from simulator.transport.over_trio_websocket import TrioWebSocketTransport
from simulator.transport.over_wsproto import WsprotoTransport
from simulator.transport.seam import TransportMaker

TRANSPORTS: dict[str, TransportMaker] = {
    "trio-websocket": TrioWebSocketTransport,
    "wsproto": WsprotoTransport,
}
"""The transports by the name that a scenario gives them."""
