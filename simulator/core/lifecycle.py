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
The policy's own counter is another matter, kept by `Retries`: it lives on through a connection that
has not proved good.

Nothing here waits, dials or looks at a clock: methods are told `now` and return the events that
the step caused, the last of which says what the client must do next.
"""

from enum import Enum, auto
from typing import NamedTuple

from simulator.core.backoff import Policy
from simulator.core.outcomes import NoticedBy, Outcome
from simulator.core.retries import Draw, Retries


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
        "_lost_at",
        "_policy",
        "_retries",
        "attempt",
        "client",
        "due_at",
        "episode",
        "not_before",
        "state",
    )

    def __init__(
        self, client: int, policy: Policy, draw: Draw, *, due_at: float, own: float = 0.5
    ) -> None:
        """Begin the life of a client.

        Args:
            client: Its number.
            policy: How it backs off.
            draw: Gives the uniform number in (0, 1) of an (episode, attempt).
            due_at: When its first attempt is due.
            own: The uniform number in (0, 1) that it keeps for life.
        """
        self.client = client
        self.state = State.CONNECTING
        self.episode = 0
        self.attempt = 1
        self.due_at = due_at
        self.not_before = due_at
        """Until when the server wants to be left alone."""
        self._policy = policy
        self._retries = Retries(policy, draw, own=own)
        self._lost_at = due_at

    def opened(self, started_at: float, now: float) -> tuple[AttemptEnded, Connected]:
        """The attempt succeeded."""
        self._go(Step.OPENED)
        self._retries.opened(started_at, now)
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

    def answered(self, now: float) -> None:
        """The server's application has answered on the connection."""
        self._retries.answered(now)

    def given_up_at(self, started_at: float) -> float:
        """When the policy gives up the attempt that began then; infinite if it has no say."""
        return self._retries.given_up_at(
            self.episode, self.attempt, started_at, lost_at=self._lost_at
        )

    def patience_ends_at(self, started_at: float, connect_timeout: float | None) -> float:
        """When the attempt that began then is given up, by the timeout or by the policy.

        Args:
            started_at: When it began.
            connect_timeout: Seconds; None for no end.
        """
        if connect_timeout is None:
            return self.given_up_at(started_at)
        timed_out_at = max(
            started_at + connect_timeout,
            self._retries.lasts_until(
                self.episode, self.attempt, started_at, lost_at=self._lost_at
            ),
        )
        return min(timed_out_at, self.given_up_at(started_at))

    def attempt_failed(
        self,
        started_at: float,
        now: float,
        outcome: Outcome,
        retry_after: float = 0.0,
        *,
        final_status: int | None = None,
    ) -> tuple[AttemptEnded, Reconnecting | Failed]:
        """The attempt did not succeed.

        Args:
            started_at: When it began.
            now: The clock.
            outcome: How it ended.
            retry_after: Seconds that the server wants to be left alone.
            final_status: The HTTP status of the answer, if it is one that says not to come back.
        """
        self._go(Step.ATTEMPT_FAILED)
        ended = self._ended(started_at, now, outcome)
        if final_status is not None:
            return ended, self._give_up(now, f"turned away for good (HTTP {final_status})")
        self.not_before = now + retry_after
        due_at = self._retries.due_after_failure(
            self.episode, self.attempt + 1, started_at, now, lost_at=self._lost_at
        )
        return ended, self._back_off(now, due_at)

    def lost(
        self,
        now: float,
        noticed_by: NoticedBy,
        close_code: int,
        reason: str,
        *,
        at_least: float = 0.0,
        at_once: bool = False,
        for_good: bool = False,
    ) -> tuple[Disconnected, Reconnecting | Failed]:
        """The connection is lost.

        Args:
            now: The clock.
            noticed_by: How it showed.
            close_code: The peer's; 1006 when there was no close frame.
            reason: The peer's, or what is known otherwise.
            at_least: Seconds that the server wants to be left alone.
            at_once: Whether the close code says to come back at once, whatever the policy says; it
                is none of the policy's retries then.
            for_good: Whether the close code says not to come back.
        """
        self._go(Step.LOST)
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
        due_at = now if at_once else self._retries.due_after_loss(self.episode, now)
        return disconnected, self._back_off(now, due_at)

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

    def _back_off(self, now: float, due_at: float | None) -> Reconnecting | Failed:
        if due_at is None:
            return self._give_up(now, self._why_it_gives_up())
        self.attempt += 1
        return self.reschedule(max(due_at, self.not_before, now), now)

    def _why_it_gives_up(self) -> str:
        if self._policy.ends_on_failure and self.attempt > 0:
            return "an attempt has failed, which ends it"
        return f"max_attempts = {self._policy.max_attempts} are used up"

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
