"""The life of one client: its states, the one table of transitions, and what it announces.

Theory of operation
-------------------
A client is always in one state. It begins CONNECTING, with attempt 1 of episode 0 (the ramp).

    CONNECTING --opened--> CONNECTED --lost--> BACKING_OFF --dial--> CONNECTING
         |                                        ^   |
         +-------------attempt failed-------------+   +--gave up--> FAILED

CLOSED can be entered from anywhere, once; it and FAILED are final. A pair of state and step that
the table does not list is a bug and raises.

An *episode* begins with a loss and ends with a connection; `attempt` counts its dials from 1.
The policy's own counter, `step`, is another matter: it lives on through a connection that did not
last for `reset_after` seconds, so that a server which accepts and then drops its clients meets
growing delays rather than a loop at the shortest one.

Nothing here waits, dials or looks at a clock: methods are told `now` and return the events that
the step caused, the last of which says what the client must do next.
"""

from collections.abc import Callable
from enum import Enum, auto
from typing import NamedTuple

from simulator.core.backoff import Policy, delay, gives_up
from simulator.core.outcomes import NoticedBy, Outcome


class State(Enum):
    """Where a client is in its life."""

    CONNECTING = auto()
    CONNECTED = auto()
    BACKING_OFF = auto()
    FAILED = auto()
    CLOSED = auto()


class Step(Enum):
    """What can happen to a client."""

    OPENED = auto()
    ATTEMPT_FAILED = auto()
    LOST = auto()
    DIAL = auto()
    GAVE_UP = auto()
    CLOSE = auto()


TRANSITIONS = {
    (State.CONNECTING, Step.OPENED): State.CONNECTED,
    (State.CONNECTING, Step.ATTEMPT_FAILED): State.BACKING_OFF,
    (State.CONNECTED, Step.LOST): State.BACKING_OFF,
    (State.BACKING_OFF, Step.DIAL): State.CONNECTING,
    (State.BACKING_OFF, Step.GAVE_UP): State.FAILED,
    (State.CONNECTING, Step.CLOSE): State.CLOSED,
    (State.CONNECTED, Step.CLOSE): State.CLOSED,
    (State.BACKING_OFF, Step.CLOSE): State.CLOSED,
    (State.FAILED, Step.CLOSE): State.CLOSED,
}


class AttemptEnded(NamedTuple):
    """One dial is over, well or badly."""

    client: int
    episode: int
    attempt: int
    due_at: float
    started_at: float
    ended_at: float
    outcome: Outcome


class Connected(NamedTuple):
    """The client is connected."""

    client: int
    at: float
    was_reconnect: bool
    attempt: int
    """The attempt of this episode that succeeded."""
    downtime: float
    """Seconds since the loss was noticed; 0 for the first connection."""


class Disconnected(NamedTuple):
    """The client has noticed that its connection is lost."""

    client: int
    at: float
    episode: int
    """The episode that this loss begins."""
    noticed_by: NoticedBy
    close_code: int
    """The peer's; 1006 when there was no close frame."""
    reason: str

    @property
    def was_clean(self) -> bool:
        """Did the peer say goodbye?"""
        return self.noticed_by is NoticedBy.CLOSE_FRAME


class Reconnecting(NamedTuple):
    """The client waits before its next attempt."""

    client: int
    attempt: int
    delay: float
    due_at: float


class Failed(NamedTuple):
    """The client has given up for good."""

    client: int
    at: float
    attempts: int
    """Attempts of the last episode."""
    reason: str


LifecycleEvent = AttemptEnded | Connected | Disconnected | Reconnecting | Failed


class Lifecycle:
    """Decides what one client does next."""

    __slots__ = (
        "_connected_at",
        "_draw",
        "_lost_at",
        "_policy",
        "_previous_delay",
        "_step",
        "attempt",
        "client",
        "due_at",
        "episode",
        "not_before",
        "state",
    )

    def __init__(
        self, client: int, policy: Policy, draw: Callable[[int, int], float], *, due_at: float
    ) -> None:
        """Begin the life of a client.

        Args:
            client: Its number.
            policy: How it backs off.
            draw: Gives the uniform number in (0, 1) of an (episode, attempt).
            due_at: When its first attempt is due.
        """
        self.client = client
        self.state = State.CONNECTING
        self.episode = 0
        self.attempt = 1
        self.due_at = due_at
        self.not_before = due_at
        """Until when the server wants to be left alone."""
        self._policy = policy
        self._draw = draw
        self._step = 0
        self._previous_delay = 0.0
        self._connected_at = 0.0
        self._lost_at = due_at

    def opened(self, started_at: float, now: float) -> tuple[AttemptEnded, Connected]:
        """The attempt succeeded."""
        self._go(Step.OPENED)
        self._connected_at = now
        if self._policy.reset_after is None:
            self._reset_counter()
        return (
            self._ended(started_at, now, Outcome.CONNECTED),
            Connected(
                client=self.client,
                at=now,
                was_reconnect=self.episode > 0,
                attempt=self.attempt,
                downtime=now - self._lost_at if self.episode > 0 else 0.0,
            ),
        )

    def attempt_failed(
        self, started_at: float, now: float, outcome: Outcome, retry_after: float = 0.0
    ) -> tuple[AttemptEnded, Reconnecting | Failed]:
        """The attempt did not succeed; the server may have asked to wait for `retry_after` s."""
        self._go(Step.ATTEMPT_FAILED)
        ended = self._ended(started_at, now, outcome)
        counted_from = started_at if self._policy.count_from == "start" else now
        self.not_before = now + retry_after
        return ended, self._back_off(now, counted_from)

    def lost(
        self,
        now: float,
        noticed_by: NoticedBy,
        close_code: int,
        reason: str,
        *,
        at_least: float = 0.0,
        for_good: bool = False,
    ) -> tuple[Disconnected, Reconnecting | Failed]:
        """The connection is lost.

        Args:
            now: The clock.
            noticed_by: How it showed.
            close_code: The peer's; 1006 when there was no close frame.
            reason: The peer's, or what is known otherwise.
            at_least: Seconds that the server wants to be left alone.
            for_good: Whether the close code says not to come back.
        """
        self._go(Step.LOST)
        uptime = now - self._connected_at
        if self._policy.reset_after is not None and uptime >= self._policy.reset_after:
            self._reset_counter()
        self.episode += 1
        self.attempt = 0
        self._lost_at = now
        disconnected = Disconnected(
            client=self.client,
            at=now,
            episode=self.episode,
            noticed_by=noticed_by,
            close_code=close_code,
            reason=reason,
        )
        if for_good:
            return disconnected, self._give_up(now, f"closed for good ({close_code})")
        self.not_before = now + at_least
        return disconnected, self._back_off(now, now)

    def dial(self) -> None:
        """The attempt that was due begins."""
        self._go(Step.DIAL)

    def cancelled(self, started_at: float, now: float) -> AttemptEnded:
        """The attempt under way was cut short from outside."""
        return self._ended(started_at, now, Outcome.CANCELLED)

    def close(self) -> None:
        """The client is told to end."""
        self._go(Step.CLOSE)

    def _go(self, step: Step) -> None:
        try:
            self.state = TRANSITIONS[self.state, step]
        except KeyError:
            raise RuntimeError(f"client {self.client}: {step} while {self.state}") from None

    def _reset_counter(self) -> None:
        self._step = 0
        self._previous_delay = 0.0

    def _back_off(self, now: float, counted_from: float) -> Reconnecting | Failed:
        self._step += 1
        if gives_up(self._policy, self._step):
            return self._give_up(now, f"max_attempts = {self._policy.max_attempts} are used up")
        self.attempt += 1
        draw = self._draw(self.episode, self.attempt)
        self._previous_delay = delay(self._policy, self._step, draw, self._previous_delay)
        return self.reschedule(max(counted_from + self._previous_delay, self.not_before), now)

    def reschedule(self, due_at: float, now: float) -> Reconnecting:
        """Move the attempt that is waited for to another instant."""
        self.due_at = due_at
        return Reconnecting(
            client=self.client, attempt=self.attempt, delay=due_at - now, due_at=due_at
        )

    def _give_up(self, now: float, reason: str) -> Failed:
        self._go(Step.GAVE_UP)
        return Failed(client=self.client, at=now, attempts=self.attempt, reason=reason)

    def _ended(self, started_at: float, now: float, outcome: Outcome) -> AttemptEnded:
        return AttemptEnded(
            client=self.client,
            episode=self.episode,
            attempt=self.attempt,
            due_at=self.due_at,
            started_at=started_at,
            ended_at=now,
            outcome=outcome,
        )
