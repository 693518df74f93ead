"""What a peer says on an open connection: bytes in, whole messages out, sans-IO.

wsproto reads the frames, and finds what breaks RFC 6455 as soon as it can be known (a bad header
before its payload, invalid UTF-8 at its first byte). It holds no more than a frame's header and a
control frame's payload; the parts of a message are put together here, up to a limit.
"""

from collections.abc import Iterator

from wsproto.connection import Connection, ConnectionState
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage
from wsproto.frame_protocol import CloseReason

Said = TextMessage | BytesMessage | Ping | Pong | CloseConnection
"""What a peer may say; messages are whole."""
_OPEN = (ConnectionState.OPEN, ConnectionState.LOCAL_CLOSING)


class ViolationError(Exception):
    """A peer breaks the protocol or a limit; the message says how."""

    def __init__(self, code: CloseReason, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        """The close code for it."""


class Incoming:
    """One side of a connection: what is heard on it."""

    __slots__ = ("_max_message_bytes", "_parts", "_protocol")

    def __init__(self, protocol: Connection, *, max_message_bytes: int) -> None:
        """Begin to listen.

        Args:
            protocol: An open connection.
            max_message_bytes: Of a message, all fragments together.
        """
        self._protocol = protocol
        self._max_message_bytes = max_message_bytes
        self._parts: bytearray | None = None

    @property
    def is_mid_message(self) -> bool:
        """Has the peer begun a message that it has not finished?"""
        return self._parts is not None

    def hear(self, data: bytes) -> Iterator[Said]:
        """What the peer says with these bytes, in order.

        Raises:
            ViolationError: Something that it must not say; nothing that follows counts.
        """
        self._protocol.receive_data(data)
        for event in self._protocol.events():
            if (said := self.take(event)) is not None:
                yield said

    def take(self, event: Event) -> Said | None:
        """What the peer has said, by one event of the protocol; None for a part of a message.

        Raises:
            ViolationError: Something that it must not say; nothing that follows counts.
        """
        match event:
            case TextMessage() | BytesMessage():
                return self._whole(event)
            case CloseConnection(code=code, reason=reason) if self._protocol.state in _OPEN:
                # Not a close frame: the parser gives up, and says what for.
                raise ViolationError(CloseReason(code), reason or "")
            case Ping() | Pong() | CloseConnection():
                return event
        return None

    def _whole(self, part: TextMessage | BytesMessage) -> TextMessage | BytesMessage | None:
        """The message that this part completes."""
        if part.message_finished and self._parts is None:
            self._check(_size(part.data))
            return part
        # Bytes, also of a text: a list of its parts could take many times as much memory.
        if self._parts is None:
            self._parts = bytearray()
        self._parts += part.data.encode() if isinstance(part, TextMessage) else part.data
        self._check(len(self._parts))
        if not part.message_finished:
            return None
        parts, self._parts = self._parts, None
        if isinstance(part, TextMessage):
            return TextMessage(data=parts.decode())
        return BytesMessage(data=bytes(parts))

    def _check(self, n_bytes: int) -> None:
        if n_bytes > self._max_message_bytes:
            raise ViolationError(
                CloseReason.MESSAGE_TOO_BIG, f"more than {self._max_message_bytes} bytes"
            )


def _size(data: str | bytes | bytearray) -> int:
    """How many bytes it took on the wire."""
    return len(data) if not isinstance(data, str) or data.isascii() else len(data.encode())
