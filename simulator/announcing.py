"""How a client tells its listeners: everything, in order, and whatever they do with it."""

import logging
from collections.abc import Iterable

import trio

from simulator.core.cursor import Update
from simulator.core.events import ClientEvent, Listener, StatusChanged, TextReceived, Updated
from simulator.core.status import Status

_LOG = logging.getLogger(__name__)


class Announcer:
    """One client's voice.

    A listener that raises harms neither the client nor the other listeners; the error is logged at
    once, and raised when the client has ended.
    """

    __slots__ = ("_client", "_errors", "_listeners", "_status")

    def __init__(self, client: int, listeners: Iterable[Listener]) -> None:
        self._client = client
        self._listeners = tuple(listeners)
        self._errors: tuple[Exception, ...] = ()
        self._status: Status | None = None

    def tell(self, *events: ClientEvent) -> None:
        """Something has happened."""
        for event in events:
            for listener in self._listeners:
                try:
                    listener(event)
                except Exception as error:  # Any: what a listener raises is its own affair.
                    _LOG.exception("a listener of client %d failed", self._client)
                    self._errors += (error,)

    def text(self, text: str) -> None:
        """The peer has said something of its own."""
        self.tell(TextReceived(self._client, trio.current_time(), text))

    def update(self, update: Update) -> None:
        """Events are to be applied, or a whole state to be taken over."""
        self.tell(Updated(self._client, trio.current_time(), update))

    def status(self, status: Status) -> None:
        """This is how things stand; tells it if it is news."""
        if status != self._status:
            self._status = status
            self.tell(StatusChanged(self._client, trio.current_time(), status))

    def raise_errors(self, *others: BaseException) -> None:
        """Raise what the listeners have raised, if anything, together with other errors."""
        if self._errors:
            raise BaseExceptionGroup(
                f"listeners of client {self._client}", [*others, *self._errors]
            ) from None
