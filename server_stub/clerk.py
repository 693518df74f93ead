"""The node's own workers, its door, and whether there is room for more peers."""

import math
from collections.abc import Callable

from server_stub.config import ServerConfig
from server_stub.counter import Counter
from server_stub.doorkeeper import Doorkeeper, Reason
from server_stub.gate import Gate
from server_stub.passage import Stop
from server_stub.presence import Presence
from server_stub.recorder import ServerRecorder


class Clerk:
    """Minds the counter at which every handshake is served."""

    def __init__(self, config: ServerConfig, presence: Presence, recorder: ServerRecorder) -> None:
        self._config = config
        self._presence = presence
        self._recorder = recorder
        self._watchers: list[Callable[[int, float], None]] = []
        self.door = Doorkeeper(config)
        self.has_room = Gate(is_open=True)
        """Shut while a node that overflows by `drop` could take nobody in."""
        self.counter = Counter(
            config, recorder.stage(0), on_change=self._has_changed, also_due=self._next_token_at
        )

    def watch_connections(self, watcher: Callable[[int, float], None]) -> None:
        """Tell somebody how many connections are open, and the time, whenever that may change."""
        self._watchers.append(watcher)

    def changed(self, now: float) -> None:
        """Who is present is not what it was."""
        self.counter.changed(now)

    def objection(self, address: str, now: float) -> Reason | None:
        """Note an arrival from an address, and why it is turned away; None if it is not."""
        reason = self.door.objection(
            now,
            address=address,
            n_present=self._n_present,
            n_waiting=self.counter.backlog,
            has_place=self.counter.room > 0,
        )
        if reason is None:
            self._recorder.count(now, "admitted")
        else:
            self._recorder.turned_away(now, reason)
            self.counter.turn_away(now)
            self.changed(now)
        return reason

    def stop(self, seconds: float) -> Stop:
        """The node's own workers on a peer's way in.

        Args:
            seconds: How long its handshake takes them.
        """
        return Stop(self.counter, lambda: (seconds,), lambda: None, self._book)

    def _book(self, now: float, in_vain: bool) -> None:
        self._recorder.count(now, "completed")
        if in_vain:
            self._recorder.count(now, "wasted")

    def _has_changed(self, now: float) -> None:
        self.has_room.set(
            is_open=self._config.overflow != "drop" or self._room(now) > len(self._presence.unread)
        )
        n_connected = len(self._presence.sessions)
        self._recorder.level(
            now,
            connected=n_connected,
            backlog=self.counter.backlog,
            busy_workers=self.counter.busy_workers,
        )
        for watcher in self._watchers:
            watcher(n_connected, now)

    def _next_token_at(self, now: float) -> float:
        """When a node that accepts nobody may have room by a new token."""
        if self._config.overflow != "drop":
            return math.inf
        token_at = self.door.next_token_at(now, len(self._presence.unread) + 1)
        return token_at if token_at > now else math.inf

    @property
    def _n_present(self) -> int:
        """Connections, open or on their way in; those that have left unnoticed are still here."""
        on_their_way = len(self._presence.visits) + self.counter.n_forgotten
        return len(self._presence.sessions) + on_their_way

    def _room(self, now: float) -> float:
        """How many more peers can be taken in."""
        n_waiting = self.counter.backlog
        rules = self.door.room(now, n_present=self._n_present, n_waiting=n_waiting)
        return min(self.counter.room, rules)
