"""The seam between a client and the network: connect() -> connection, foreign errors mapped once.

A transport opens WebSocket connections over any byte stream; two of them behave alike:

- `WsprotoTransport` drives the protocol library itself, without a task or a nursery per
  connection. It is the faster one, and the faster the generator, the sharper the storm.
- `TrioWebSocketTransport` uses trio-websocket, as many production clients do.

Whatever the operating system, Trio or a protocol library raises leaves here as `AttemptFailedError`
(before the 101) or `ConnectionLostError` (after it). Leaving the context of a connection drops its
stream at once, without waiting for the peer.
"""

import errno
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC
from email.utils import parsedate_to_datetime
from http.client import responses
from typing import Protocol

from wsproto.frame_protocol import CloseReason

from server_stub.handshake import MALFORMED
from server_stub.incoming import ViolationError
from server_stub.streams import Stream
from simulator.core.backoff import LONGEST_DELAY
from simulator.core.outcomes import NoticedBy, Outcome
from simulator.errors import HerdError

NORMAL_CLOSURE = int(CloseReason.NORMAL_CLOSURE)
ABNORMAL_CLOSURE = int(CloseReason.ABNORMAL_CLOSURE)

Headers = Sequence[tuple[str, str]]
"""Names and values of headers."""
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""Of a message that a server may send: a whole state may be large, but not without end."""
MAX_ANSWER_BYTES = 1024 * 1024
"""Of an answer to a request, body included."""
Dial = Callable[[], Awaitable[Stream]]
"""Opens a byte stream to the server, or fails with the operating system's error."""


class AttemptFailedError(HerdError):
    """An attempt to connect did not end in a connection."""

    def __init__(
        self,
        outcome: Outcome,
        reason: str = "",
        *,
        retry_after: float = 0.0,
        status: int | None = None,
    ) -> None:
        super().__init__(f"{outcome.name.lower()}: {reason}")
        self.outcome = outcome
        self.retry_after = retry_after
        """Seconds that the server asked to wait."""
        self.status = status
        """The HTTP status of a rejection; None where nothing was answered."""


class ConnectionLostError(HerdError):
    """A connection is over."""

    def __init__(
        self, noticed_by: NoticedBy, close_code: int = ABNORMAL_CLOSURE, reason: str = ""
    ) -> None:
        super().__init__(f"{noticed_by.name.lower()} ({close_code}) {reason}")
        self.noticed_by = noticed_by
        self.close_code = close_code
        self.reason = reason


class Connection(Protocol):
    """An open WebSocket connection."""

    @property
    def heard_at(self) -> float:
        """When the peer was last heard, whatever it said."""

    def when_heard(self, action: Callable[[], None]) -> None:
        """Do something, once, when the peer is heard next, whatever it says."""

    async def receive(self) -> str:
        """The next text of the peer.

        Raises:
            ConnectionLostError: There will be none.
        """

    async def send(self, text: str) -> None:
        """Send a text.

        Raises:
            ConnectionLostError: It cannot be sent any more.
        """

    def ping(self) -> None:
        """Send a ping, without waiting for the pong, or for the peer to make room.

        Raises:
            ConnectionLostError: It cannot be sent any more.
        """

    async def close(self, code: int) -> None:
        """Send a close frame, without waiting for the answer.

        Raises:
            ConnectionLostError: It cannot be sent any more.
        """


class Transport(Protocol):
    """Opens connections."""

    def connect(self, path: str) -> AbstractAsyncContextManager[Connection]:
        """A connection for the length of a context.

        Entering raises AttemptFailedError when there is none to be had.
        """


class TransportMaker(Protocol):
    """Makes a transport."""

    def __call__(
        self, dial: Dial, host: str, *, headers: Headers = (), subprotocols: Sequence[str] = ()
    ) -> Transport:
        """A transport.

        Args:
            dial: The way to the server.
            host: For the Host header.
            headers: Further ones, for every upgrade request.
            subprotocols: Those that the client speaks, the preferred one first.
        """


FOREIGN_ERRORS = (OSError, *MALFORMED, ViolationError)
"""What the operating system and the protocol libraries raise at this seam."""


def attempt_error(error: Exception) -> AttemptFailedError:
    """What one of the foreign errors means before the 101: the attempt has failed."""
    match error:
        case ConnectionRefusedError():
            return AttemptFailedError(Outcome.REFUSED, str(error))
        case ConnectionResetError() | BrokenPipeError() | ConnectionAbortedError():
            return AttemptFailedError(Outcome.RESET, str(error))
        case OSError(errno=errno.ETIMEDOUT):
            return AttemptFailedError(Outcome.TIMED_OUT, str(error))
        case OSError():
            return AttemptFailedError(Outcome.FAILED, str(error))
        case _:
            return AttemptFailedError(Outcome.EOF, f"the reply makes no sense: {error}")


def loss_error(error: Exception) -> ConnectionLostError:
    """What one of the foreign errors means after the 101: the connection is lost."""
    if isinstance(error, OSError):
        return ConnectionLostError(NoticedBy.RESET, reason=str(error))
    if isinstance(error, ViolationError):
        return violation(error.code, str(error))
    return ConnectionLostError(NoticedBy.EOF, reason=f"garbage: {error}")


def violation(code: int, reason: str) -> ConnectionLostError:
    """The server has broken the protocol or a limit.

    Args:
        code: The close code for that; it did not come from the server.
        reason: How.
    """
    return ConnectionLostError(NoticedBy.EOF, code, f"garbage: {reason}")


def rejection(
    status: int,
    headers: Sequence[tuple[bytes, bytes]],
    *,
    wall_clock: Callable[[], float] = time.time,
) -> AttemptFailedError:
    """The server answered, but not with 101.

    Args:
        status: What it answered.
        headers: Of the answer.
        wall_clock: Seconds since 1970, for a server that does not say what time it has.
    """
    return AttemptFailedError(
        Outcome.REJECTED,
        f"HTTP {status} {responses.get(status, '')}",
        retry_after=_retry_after({name.lower(): value for name, value in headers}, wall_clock),
        status=status,
    )


def _retry_after(headers: Mapping[bytes, bytes], wall_clock: Callable[[], float]) -> float:
    """Seconds that the server asks to wait; 0 unless it says so in one of HTTP's two ways.

    A number of seconds, or a date (RFC 9110, 10.2.3). A date is compared with the server's own, in
    the `Date` header: their difference is right even where the clocks of both sides are not.
    """
    value = headers.get(b"retry-after", b"")
    if value.isdigit():
        return min(float(value), LONGEST_DELAY)
    until = _instant(value)
    if until is None:
        return 0.0
    now = _instant(headers.get(b"date", b""))
    return min(max(0.0, until - (wall_clock() if now is None else now)), LONGEST_DELAY)


def _instant(value: bytes) -> float | None:
    """An HTTP date, in any of its three forms, as seconds since 1970; None for anything else."""
    try:
        date = parsedate_to_datetime(value.decode("ascii"))
    except (ValueError, TypeError, LookupError, OverflowError):  # As malformed mail has it.
        return None
    return (date if date.tzinfo is not None else date.replace(tzinfo=UTC)).timestamp()
