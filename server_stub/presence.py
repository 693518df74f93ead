"""Who is at a node: peers that have not asked for anything yet, and open connections."""

from dataclasses import dataclass, field

from server_stub.session import Session
from server_stub.streams import Stream


@dataclass(slots=True, eq=False)
class Presence:
    """Dictionaries for sets that keep their order, so that a run can be repeated exactly."""

    unread: dict[Stream, None] = field(default_factory=dict)
    """Accepted, but their request has not been read."""
    leaving: dict[Stream, None] = field(default_factory=dict)
    """Turned away, or done: they are given a moment to read our last words."""
    sessions: dict[Session, None] = field(default_factory=dict)
    """Let in: their 101 has been sent, or is about to be."""

    @property
    def n_strangers(self) -> int:
        """Peers who hold a place without being clients."""
        return len(self.unread) + len(self.leaving)

    def reset_strangers(self) -> None:
        """Leave none of them."""
        while self.reset_oldest_stranger():
            pass

    def reset_oldest_stranger(self) -> bool:
        """Make room for another one, if there is any; first of those who have had their answer."""
        for strangers in (self.leaving, self.unread):
            for stream in strangers:
                del strangers[stream]
                stream.reset()
                return True
        return False
