"""Who is at a node: peers that have not asked for anything yet, and open connections."""

from dataclasses import dataclass, field

from server_stub.session import Session
from server_stub.streams import Stream


@dataclass(slots=True, eq=False)
class Presence:
    """Dictionaries for sets that keep their order, so that a run can be repeated exactly."""

    unread: dict[Stream, None] = field(default_factory=dict)
    """Accepted, but their request has not been read."""
    sessions: dict[Session, None] = field(default_factory=dict)
    """Let in: their 101 has been sent, or is about to be."""
