"""The client's half of the opening handshake, for transports that have no task to spare for it.

In a storm, herd's clients mostly shake hands. The request is five fixed lines and two that vary,
so it is written out here; an answer of 101 is checked here (RFC 6455, 4.1), and every other answer
is left to h11. Having wsproto and h11 do all of it cost a fifth of a whole connect.
"""

from collections.abc import Sequence

import h11
from wsproto.connection import Connection, ConnectionType
from wsproto.utilities import RemoteProtocolError, generate_accept_token, generate_nonce

from simulator.transport.seam import Headers, rejection

_START = b"HTTP/1."
_END_OF_HEAD = b"\r\n\r\n"
_LONGEST_HEAD = 16_384
"""Bytes; h11's own bound."""


class ClientHandshake:
    """One upgrade request, and what the server's answer means."""

    __slots__ = ("_answer", "_headers", "_host", "_nonce", "_path", "_subprotocols")

    def __init__(
        self, host: str, path: str, headers: Headers = (), subprotocols: Sequence[str] = ()
    ) -> None:
        """Prepare a request.

        Args:
            host: For the Host header.
            path: The request target.
            headers: Further ones.
            subprotocols: Those that the client speaks, the preferred one first.
        """
        self._host = host
        self._path = path
        self._headers = headers
        self._subprotocols = subprotocols
        self._nonce = generate_nonce()
        self._answer = b""

    def request(self) -> bytes:
        """What to send."""
        return (
            f"GET {self._path} HTTP/1.1\r\n"
            f"Host: {self._host}\r\n"
            "Upgrade: websocket\r\n"
            "Connection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {self._nonce.decode('ascii')}\r\n"
            "Sec-WebSocket-Version: 13\r\n"
            f"{self._further_lines()}"
            "\r\n"
        ).encode("ascii")

    def _further_lines(self) -> str:
        lines = [f"{name}: {value}\r\n" for name, value in self._headers]
        if self._subprotocols:
            lines.append(f"Sec-WebSocket-Protocol: {', '.join(self._subprotocols)}\r\n")
        return "".join(lines)

    def receive(self, data: bytes) -> Connection | None:
        """Take in a part of the answer.

        Returns:
            The open connection once the answer is complete, until then None.

        Raises:
            AttemptFailedError: The server rejects the request.
            wsproto.utilities.ProtocolError: The answer is no valid answer.
            h11.ProtocolError: Likewise.
        """
        self._answer += data
        head, end, rest = self._answer.partition(_END_OF_HEAD)
        if not end:
            if not self._answer.startswith(_START[: len(self._answer)]):
                raise RemoteProtocolError("the answer is not HTTP")
            if len(head) > _LONGEST_HEAD:
                raise RemoteProtocolError("the answer has no end")
            return None
        if not head.startswith(b"HTTP/1.1 101 "):
            self._raise_rejection()
        self._check(head)
        return Connection(ConnectionType.CLIENT, [], rest)

    def _check(self, head: bytes) -> None:
        """Does a 101 accept what was asked for?"""
        headers: dict[bytes, bytes] = {}
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            headers[name.strip().lower()] = value.strip()
        connection = headers.get(b"connection", b"").lower().split(b",")
        if (
            headers.get(b"upgrade", b"").lower() != b"websocket"
            or b"upgrade" not in map(bytes.strip, connection)
            or headers.get(b"sec-websocket-accept") != generate_accept_token(self._nonce)
        ):
            raise RemoteProtocolError("a 101 that does not accept this upgrade")
        if b"sec-websocket-extensions" in headers:
            raise RemoteProtocolError("a 101 with an extension that was not asked for")
        chosen = headers.get(b"sec-websocket-protocol")
        if chosen is not None and chosen.decode("latin-1") not in self._subprotocols:
            raise RemoteProtocolError("a 101 with a subprotocol that was not asked for")

    def _raise_rejection(self) -> None:
        """Read an answer that is not 101."""
        reader = h11.Connection(h11.CLIENT)
        reader.send(h11.Request(method="GET", target=self._path, headers=[("Host", self._host)]))
        reader.receive_data(self._answer)
        event = reader.next_event()
        if isinstance(event, h11.Response | h11.InformationalResponse):
            raise rejection(event.status_code, list(event.headers))
