"""The desk in real time: services end when they are due, and whoever waits for one is told.

A peer's task waits in the scope of its visit. What happens to the visit (its service is done, the
node goes down) reaches that task as the cancellation of the scope.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import trio

from server_stub.admission import Desk, Job
from server_stub.config import ServerConfig
from server_stub.doorkeeper import Doorkeeper, Reason
from server_stub.gate import Gate
from server_stub.pace import Pace
from server_stub.presence import Presence
from server_stub.recorder import ServerRecorder
from server_stub.session import Session


@dataclass(slots=True, eq=False, kw_only=True)
class Visit(Job):
    """A job at the desk, and the scope in which its peer's task waits for the outcome."""

    session: Session
    """What it becomes once served."""
    waiting: trio.CancelScope = field(default_factory=trio.CancelScope)
    address: str = ""
    """Where the peer comes from."""
    turned_away: bool = False
    """Did an outage send it away?"""
    retry_after: float | None = None
    """Seconds for which the node then asks it to stay away."""


class Clerk:
    """Works a node's desk, and says whether there is room for more."""

    def __init__(self, config: ServerConfig, presence: Presence, recorder: ServerRecorder) -> None:
        self._config = config
        self._presence = presence
        self._recorder = recorder
        self._desk: Desk[Visit] = Desk(config)
        self.door = Doorkeeper(config)
        self._bell = trio.CancelScope()
        self._goes_down_at = math.inf
        self.has_room = Gate(is_open=True)
        """Shut while a node that overflows by `drop` could take nobody in."""

    @property
    def is_idle(self) -> bool:
        """Nobody waits, nobody is served."""
        return not self._desk.backlog and not self._desk.busy_workers

    async def work(self) -> None:
        """End services when they are due, until cancelled."""
        while True:
            deadline = self._next_due(trio.current_time())
            with trio.CancelScope(deadline=deadline) as self._bell:
                await trio.sleep_forever()
            now = trio.current_time()
            self.finish_services(now)
            self.changed(now)

    # The outage

    def keep_pace(self, pace: Pace) -> None:
        """How much longer services take, and when, is known."""
        self._desk.pace = pace

    def goes_down_at(self, at: float) -> None:
        """The next outage is known; what is due only after it began never is."""
        self._goes_down_at = at

    def pause(self, now: float) -> None:
        """Stop every worker where it is."""
        self._desk.pause(now)

    def resume(self, now: float) -> None:
        """Let the workers go on."""
        self._desk.resume(now)

    def send_away(self) -> Iterable[Visit]:
        """Forget everybody at the desk; what they are told is up to the caller."""
        return self._desk.clear()

    # Visits

    def arrive(self, visit: Visit, now: float) -> Reason | None:
        """Take a visit in, or turn it away; why, if so."""
        reason = self.door.objection(
            now,
            address=visit.address,
            n_present=self._n_present,
            n_waiting=self.n_waiting,
            has_place=self._desk.room > 0,
        )
        if reason is None:
            self._desk.arrive(visit)
            self.door.enter(visit.session, visit.address)
            self._recorder.count(now, "admitted")
        else:
            self._recorder.turned_away(now, reason)
        self.changed(now)
        return reason

    def leave(self, visit: Visit, now: float) -> None:
        """The peer of this visit has left before its service ended."""
        self.finish_services(now)
        self._desk.leave(visit, now)
        self.changed(now)

    def finish_services(self, now: float) -> None:
        """End what was due by now."""
        # A service that ends at the very instant of an outage fails (RULES 14).
        for visit in self._desk.finish(min(now, math.nextafter(self._goes_down_at, -math.inf))):
            self._recorder.service(visit.due_at, now)
            self._recorder.count(now, "completed")
            if visit.abandoned:
                self._recorder.count(now, "wasted")
            else:
                self._presence.sessions[visit.session] = None
            visit.waiting.cancel()

    def changed(self, now: float) -> None:
        """The desk or who is present is not what it was."""
        self.has_room.set(
            is_open=self._config.overflow != "drop" or self._room(now) > len(self._presence.unread)
        )
        self._bell.deadline = self._next_due(now)
        self._recorder.level(
            now,
            connected=len(self._presence.sessions),
            backlog=self._desk.backlog,
            busy_workers=self._desk.busy_workers,
        )

    def _next_due(self, now: float) -> float:
        """When a service ends, or when a node that accepts nobody may have room by a new token."""
        due_at = self._desk.next_due()
        if self._config.overflow == "drop":
            token_at = self.door.next_token_at(now, len(self._presence.unread) + 1)
            due_at = min(due_at, token_at) if token_at > now else due_at
        return due_at if due_at < self._goes_down_at else math.inf

    @property
    def n_waiting(self) -> int:
        """Handshakes that wait."""
        return self._desk.backlog

    @property
    def _n_present(self) -> int:
        """Connections, open or being served."""
        return len(self._presence.sessions) + self._desk.backlog + self._desk.busy_workers

    def _room(self, now: float) -> float:
        """How many more arrivals can be taken in."""
        rules = self.door.room(now, n_present=self._n_present, n_waiting=self.n_waiting)
        return min(self._desk.room, rules)
