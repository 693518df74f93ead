"""How many events a client without any sync has missed, by the steps in their ids, sans-IO."""

from server_stub.messages import Event


class GapCounter:
    """Counts the events that were published while nobody listened here."""

    __slots__ = ("_epoch", "_last", "n_missed")

    def __init__(self) -> None:
        self._epoch: int | None = None
        self._last = 0
        self.n_missed = 0

    def on_event(self, event: Event) -> None:
        """A live event has arrived; what came before the first one of all is nobody's loss."""
        if self._epoch is not None:
            seen = self._last if event.epoch == self._epoch else 0
            self.n_missed += max(0, event.id - seen - 1)
        self._epoch = event.epoch
        self._last = event.id
