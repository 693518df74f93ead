"""When a node asks to be tried again: what a 503, a 429 and a close frame say of it, sans-IO."""

import math

from server_stub.config import ServerConfig
from server_stub.draws import Purpose, uniform
from server_stub.wire import Identity


class Adviser:
    """Tells clients how many seconds to stay away; None where there is nothing to tell."""

    def __init__(self, config: ServerConfig, *, seed: int) -> None:
        self._retry_after = config.retry_after
        self._window = config.reconnect_window
        self._seed = seed

    def when_turned_away(self, who: Identity, *, n_waiting: int) -> float | None:
        """What an answer says that turns an arrival away.

        Args:
            who: Is answered; it keys the draw.
            n_waiting: Handshakes that wait.
        """
        advice = self._retry_after
        if advice is None:
            return None
        window = advice.spread + n_waiting * advice.per_waiting
        if not window:
            return advice.at_least
        return advice.at_least + window * uniform(self._seed, Purpose.RETRY_AFTER, *who)

    def when_going_down(self, who: Identity, *, now: float, back_at: float) -> float | None:
        """What a node that goes down says to one of its clients.

        The instants that its clients are told lie uniformly in a window that begins when the node
        expects to be back.

        Args:
            who: Is told; it keys the draw.
            now: The clock.
            back_at: When the node expects to be back; infinite if nobody knows, and then the
                window begins at once.
        """
        if self._window is None:
            return None
        draw = uniform(self._seed, Purpose.RECONNECT, *who)
        away = max(0.0, back_at - now) if math.isfinite(back_at) else 0.0
        return away + self._window * draw


def retry_after_header(seconds: float) -> tuple[bytes, bytes]:
    """The header that says so; HTTP knows no fractions of a second (RFC 9110, 10.2.3)."""
    return (b"Retry-After", f"{math.ceil(seconds)}".encode())
