"""What a client without any sync hears of a stream of events, and what it misses, sans-IO."""

from server_stub.messages import Event


class GapCounter:
    """Counts the events heard, and by the steps in their ids those missed in between."""

    __slots__ = ("epoch", "last", "n_heard", "n_missed")

    def __init__(self) -> None:
        self.epoch: int | None = None
        """Of the last event heard."""
        self.last = 0
        """Its id."""
        self.n_heard = 0
        self.n_missed = 0
        """As far as a later event of the same epoch has shown: what went on after the last one
        heard, and how far a lost history had come, only the server knows."""

    def on_event(self, event: Event) -> None:
        """A live event has arrived; what came before the first one of all is nobody's loss."""
        if self.epoch is not None:
            seen = self.last if event.epoch == self.epoch else 0
            self.n_missed += max(0, event.id - seen - 1)
        self.n_heard += 1
        self.epoch = event.epoch
        self.last = event.id
