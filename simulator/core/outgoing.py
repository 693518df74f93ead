"""Messages that wait for a connection: bounded, in order, and each sent at most once, sans-IO.

A message leaves the buffer *before* it is handed to the transport. When the connection dies in the
middle of a flush, the message in the transport's hands may or may not have arrived; it is not sent
again, and those behind it wait for the next connection. So a message is sent at most once, and one
may be lost with each connection. That is right for what is worth little twice (a keystroke, a
cursor position); what must not be lost belongs in the outbox, whose idempotency keys make it safe
to send a thing again.

To keep the order, everything goes through the buffer, with or without a connection:

    offer(text); while connected and (text := take()) is not None: send(text)
"""

from collections import deque
from enum import Enum, auto
from typing import Literal, NamedTuple

from server_stub.settings import PositiveCount, Settings


class OutgoingConfig(Settings):
    """How many messages wait for a connection, and which are lost when there are more."""

    limit: PositiveCount = 100
    overflow: Literal["refuse", "drop_oldest"] = "refuse"
    """refuse: the new message is not taken, and its sender learns of it while it can still act.
    drop_oldest: the oldest is dropped, where only the latest matters."""


class Offer(Enum):
    """What became of a message that was offered."""

    KEPT = auto()
    REFUSED = auto()
    """The buffer is full and keeps what it has."""
    KEPT_DROPPING_OLDEST = auto()
    """The buffer was full; the oldest message made room."""


class Offered(NamedTuple):
    """What became of a message that was offered, and which message was lost over it."""

    offer: Offer
    lost: str | None = None
    """The message that will never be sent: the new one, or the oldest."""


_KEPT = Offered(Offer.KEPT)


class Outgoing:
    """The messages of one client that wait for a connection."""

    __slots__ = ("_config", "_waiting")

    def __init__(self, config: OutgoingConfig) -> None:
        """Begin empty."""
        self._config = config
        self._waiting: deque[str] | None = None
        """None while empty: a deque takes 760 bytes, and most clients never need one."""

    def __len__(self) -> int:
        """Messages that wait."""
        return len(self._waiting) if self._waiting else 0

    def offer(self, text: str) -> Offered:
        """Let a message wait behind the others."""
        if self._waiting is None:
            self._waiting = deque()
        if len(self._waiting) < self._config.limit:
            self._waiting.append(text)
            return _KEPT
        if self._config.overflow == "refuse":
            return Offered(Offer.REFUSED, text)
        self._waiting.append(text)
        return Offered(Offer.KEPT_DROPPING_OLDEST, self._waiting.popleft())

    def take(self) -> str | None:
        """Remove the oldest message, to be sent now; None when none waits."""
        if self._waiting is None:
            return None
        text = self._waiting.popleft()
        if not self._waiting:
            self._waiting = None
        return text
