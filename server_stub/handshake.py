"""The server's half of the WebSocket opening handshake, over any stream."""

from collections.abc import Sequence
from http import HTTPStatus

import h11
from wsproto.connection import Connection, ConnectionType
from wsproto.events import AcceptConnection, RejectConnection, Request
from wsproto.handshake import H11Handshake
from wsproto.utilities import ProtocolError

from server_stub.streams import Stream

MALFORMED = (ProtocolError, h11.ProtocolError, UnicodeError)
"""What the protocol libraries raise when a peer sends garbage."""


class PeerLeftError(Exception):
    """The peer ended the stream before its request was complete."""


class Handshake:
    """One upgrade request, and the one answer to it."""

    __slots__ = ("_protocol", "_request", "_stream")

    def __init__(self, stream: Stream, protocol: H11Handshake, request: Request) -> None:
        self._stream = stream
        self._protocol = protocol
        self._request = request

    @property
    def target(self) -> str:
        """The request target, as the peer sent it."""
        return self._request.target

    @property
    def headers(self) -> dict[str, str]:
        """What else the peer sent, by name in lower case."""
        return {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in self._request.extra_headers
        }

    @property
    def address(self) -> str:
        """Where the peer comes from."""
        return self._stream.peer_address

    @classmethod
    async def read(cls, stream: Stream) -> "Handshake":
        """Wait for a complete upgrade request.

        Raises:
            PeerLeftError: The stream ended first.
            OSError: The stream broke first.
        """
        protocol = H11Handshake(ConnectionType.SERVER)
        while True:
            data = await stream.receive_some()
            if not data:
                raise PeerLeftError
            protocol.receive_data(data)
            for event in protocol.events():
                if isinstance(event, Request):
                    return cls(stream, protocol, event)

    async def accept(self) -> Connection:
        """Answer 101.

        Of the subprotocols that the peer offers the first is agreed to: a browser that offers any
        breaks the connection off if none is.

        Returns:
            The open connection, which holds nothing of the handshake.
        """
        subprotocol = next(iter(self._request.subprotocols), None)
        answer = self._protocol.send(AcceptConnection(subprotocol=subprotocol))
        connection = self._protocol.connection
        del self._protocol, self._request  # A connection may live long; these need not.
        if connection is None:
            raise PeerLeftError
        await self._stream.send_all(answer)
        return connection

    async def reject(self, status: HTTPStatus, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """Answer with a status that is not 101."""
        rejection = RejectConnection(status_code=status, headers=list(headers))
        await self._stream.send_all(self._protocol.send(rejection))
