"""A peer on its way in: from the desk, through the stages before the 101, to its answer.

The peer's task waits in the visit's scope; what is decided elsewhere reaches it as the cancellation
of that scope.
"""

from collections.abc import Iterable
from enum import Enum, auto

import trio

from server_stub.attention import Attention
from server_stub.passage import Failure, Passage, Stop
from server_stub.presence import Presence
from server_stub.session import Session


class Reply(Enum):
    """What a peer is told in the end."""

    COME_IN = auto()
    """101."""
    FULL = auto()
    """There was no place."""
    TOO_LATE = auto()
    """Something behind the node took too long."""
    GOING_DOWN = auto()
    """The node goes down."""


_REPLIES = {Failure.FULL: Reply.FULL, Failure.TIMED_OUT: Reply.TOO_LATE}


class Visit:
    """One peer that wants to come in."""

    __slots__ = (
        "_passage",
        "_presence",
        "address",
        "reply",
        "retry_after",
        "session",
        "waiting",
    )

    def __init__(
        self,
        session: Session,
        stops: Iterable[Stop],
        *,
        address: str,
        attention: Attention,
        presence: Presence,
    ) -> None:
        """Announce a peer.

        Args:
            session: What it becomes once it is in.
            stops: Its way.
            address: Where it comes from.
            attention: Of the node.
            presence: Where it stands as soon as it is in.
        """
        self.session = session
        self.address = address
        self.waiting = trio.CancelScope()
        """The scope in which its task waits."""
        self.reply: Reply | None = None
        """None while it is on its way."""
        self.retry_after: float | None = None
        """Seconds for which a node that goes down asks it to stay away."""
        self._presence = presence
        self._passage = Passage(
            stops, attention=attention, through=self._is_through, failed=self._has_failed
        )

    def start(self, now: float) -> None:
        """Set out; the reply may stand at once."""
        self._presence.visits[self] = None
        self._passage.start(now)

    def leave(self, now: float) -> None:
        """The peer has left, or its connection is reset."""
        self._passage.end(now)
        self._presence.visits.pop(self, None)

    def turn_away(self, now: float, retry_after: float | None) -> None:
        """The node goes down, and may say when to come back."""
        self.retry_after = retry_after
        self._passage.end(now)
        self._decide(Reply.GOING_DOWN)

    def _is_through(self, _: float) -> None:
        self._presence.sessions[self.session] = None
        self._decide(Reply.COME_IN)

    def _has_failed(self, why: Failure, _: float) -> None:
        self._decide(_REPLIES[why])

    def _decide(self, reply: Reply) -> None:
        self._presence.visits.pop(self, None)
        self.reply = reply
        self.waiting.cancel()
