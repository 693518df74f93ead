"""When a node asks to be tried again: what a 503, a 429 and a close frame say of it, sans-IO."""

import math

from server_stub.defences import RetryAfter
from server_stub.draws import Purpose, uniform
from server_stub.wire import Identity


def seconds_to_wait(advice: RetryAfter, identity: Identity, *, seed: int, n_waiting: int) -> float:
    """What one answer says, in seconds.

    Args:
        advice: As configured.
        identity: Who is answered; it keys the draw.
        seed: Of the run.
        n_waiting: Handshakes that wait.
    """
    window = advice.spread + n_waiting * advice.per_waiting
    if not window:
        return advice.at_least
    return advice.at_least + window * uniform(seed, Purpose.RETRY_AFTER, *identity)


def seconds_until_back(
    identity: Identity, *, seed: int, now: float, back_at: float, window: float
) -> float:
    """What a node that goes down says to one of its clients, in seconds.

    The instants that its clients are told lie uniformly in a window that begins when the node
    expects to be back.

    Args:
        identity: Who is told; it keys the draw.
        seed: Of the run.
        now: The clock.
        back_at: When the node expects to be back.
        window: Seconds.
    """
    return max(0.0, back_at - now) + window * uniform(seed, Purpose.RECONNECT, *identity)


def retry_after_header(seconds: float) -> tuple[bytes, bytes]:
    """The header that says so; HTTP knows no fractions of a second (RFC 9110, 10.2.3)."""
    return (b"Retry-After", f"{math.ceil(seconds)}".encode())
