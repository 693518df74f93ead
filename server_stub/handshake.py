"""The server's half of the WebSocket opening handshake, over any stream."""

import math
from collections.abc import Sequence
from http import HTTPStatus

import h11
import trio
from wsproto.connection import Connection, ConnectionType
from wsproto.utilities import ProtocolError

from server_stub.limits import Limits
from server_stub.streams import Stream
from server_stub.upgrade import BadRequestError, Upgrade, refusal, upgrade_of

MALFORMED = (ProtocolError, h11.ProtocolError, UnicodeError)
"""What the protocol libraries raise when a peer sends garbage."""

MAX_REQUEST_BYTES = Limits().max_request_bytes


class PeerLeftError(Exception):
    """The peer ended the stream before its request was complete."""


class SilentPeerError(Exception):
    """The peer said nothing at all in time: there is nothing to answer."""


class Handshake:
    """One upgrade request, and the one answer to it."""

    __slots__ = ("_stream", "_upgrade", "target")

    def __init__(self, stream: Stream, upgrade: Upgrade) -> None:
        self._stream = stream
        self._upgrade = upgrade
        self.target = upgrade.target
        """The request target, as the peer sent it."""

    @property
    def headers(self) -> dict[str, str]:
        """What else the peer sent, by name in lower case."""
        return {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in self._upgrade.headers.items()
        }

    @property
    def address(self) -> str:
        """Where the peer comes from."""
        return self._stream.peer_address

    @classmethod
    async def read(
        cls,
        stream: Stream,
        *,
        patience: float = math.inf,
        max_bytes: int = MAX_REQUEST_BYTES,
    ) -> "Handshake":
        """Wait for a complete upgrade request.

        Args:
            stream: Of a peer that has just connected.
            patience: Seconds that the whole request may take.
            max_bytes: Of the whole request.

        Raises:
            BadRequestError: It is none, or not in time.
            SilentPeerError: Nothing was said in time.
            PeerLeftError: The stream ended first.
            OSError: The stream broke first.
        """
        reader = h11.Connection(h11.SERVER, max_incomplete_event_size=max_bytes)
        n_read = 0
        with trio.move_on_after(patience):
            while True:
                data = await stream.receive_some()
                if not data:
                    raise PeerLeftError
                n_read += len(data)
                if n_read > max_bytes:
                    raise BadRequestError(
                        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"more than {max_bytes} bytes"
                    )
                upgrade = _add(reader, data)
                if upgrade is not None:
                    return cls(stream, upgrade)
        if not n_read:
            raise SilentPeerError
        raise BadRequestError(HTTPStatus.REQUEST_TIMEOUT, f"more than {patience:g} s")

    async def accept(self) -> Connection:
        """Answer 101.

        Returns:
            The open connection, which holds nothing of the handshake.
        """
        answer = self._upgrade.acceptance()
        del self._upgrade  # A connection may live long; its request need not.
        await self._stream.send_all(answer)
        return Connection(ConnectionType.SERVER)

    async def reject(self, status: HTTPStatus, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """Answer with a status that is not 101."""
        await self._stream.send_all(refusal(status, headers))


def _add(reader: h11.Connection, data: bytes) -> Upgrade | None:
    """The request that these bytes complete."""
    reader.receive_data(data)
    try:
        event = reader.next_event()
    except h11.RemoteProtocolError as error:
        what, _, _ = str(error).partition(": bytearray")  # Not the line itself: it may be long.
        raise BadRequestError(HTTPStatus(error.error_status_hint), what) from None
    if not isinstance(event, h11.Request):
        return None
    upgrade = upgrade_of(event)
    if reader.trailing_data[0]:
        # RFC 6455, 4.1: a client waits for the answer before it sends anything else.
        raise BadRequestError(HTTPStatus.BAD_REQUEST, "data before the answer")
    return upgrade
