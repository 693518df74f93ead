"""How often a client has tried since its policy's counter last started over, and what follows.

The counter is another matter than an episode's attempts: it lives on through a connection that has
not proved good, so that a server which accepts and then drops its clients meets growing delays
rather than a loop at the shortest one. What proves a connection good, the policy says: that it is
open, or that the server's application has answered on it, and for how long.
"""

import math
from collections.abc import Callable

from simulator.core.backoff import Policy, delay, gives_up
from simulator.core.backoff.timing import counts_from_start, next_wait

Draw = Callable[[int, int], float]
"""Gives the uniform number in (0, 1) of an (episode, attempt)."""


class Retries:
    """One client's."""

    __slots__ = ("_draw", "_opened_from", "_own", "_policy", "_previous", "_proven_at", "_step")

    def __init__(self, policy: Policy, draw: Draw, *, own: float) -> None:
        """Begin without any.

        Args:
            policy: How the client backs off.
            draw: Its draws.
            own: The one that it keeps for life.
        """
        self._policy = policy
        self._draw = draw
        self._own = own
        self._step = 0
        self._previous = 0.0
        self._opened_from = math.nan
        self._proven_at = math.inf

    def opened(self, started_at: float, now: float) -> None:
        """The attempt that started then has led to a connection."""
        self._opened_from = started_at
        self._proven_at = math.inf
        if self._policy.reset_on == "open":
            self._proven(now)

    def answered(self, now: float) -> None:
        """The server's application has answered on the connection."""
        self._proven(now)

    def _proven(self, now: float) -> None:
        self._proven_at = min(self._proven_at, now)
        if self._policy.reset_after is None:
            self._start_over()

    def _start_over(self) -> None:
        self._step = 0
        self._previous = 0.0

    def due_after_loss(self, episode: int, now: float) -> float | None:
        """When the first retry after a loss is due; None if there is none."""
        lasting = self._policy.reset_after
        if lasting is not None and now - self._proven_at >= lasting:
            self._start_over()
        since = self._opened_from if self._policy.first_from_start else now
        return self._due_at(episode, 1, now, since=since, from_start=True, downtime=since - now)

    def due_after_failure(
        self, episode: int, attempt: int, started_at: float, now: float, *, lost_at: float
    ) -> float | None:
        """When a retry is due after the attempt before it, from `started_at` to now, has failed."""
        if self._policy.ends_on_failure:
            return None
        from_start = counts_from_start(self._policy)
        downtime = (started_at if from_start else now) - lost_at
        return self._due_at(
            episode, attempt, now, since=started_at, from_start=from_start, downtime=downtime
        )

    def _due_at(
        self,
        episode: int,
        attempt: int,
        now: float,
        *,
        since: float,
        from_start: bool,
        downtime: float,
    ) -> float | None:
        self._step += 1
        if gives_up(self._policy, self._step):
            return None
        self._step, self._previous = next_wait(
            self._policy,
            self._step,
            self._draw(episode, attempt),
            self._previous,
            own=self._own,
            downtime=downtime,
            elapsed=now - since,
        )
        from_remainder = self._policy.count_from == "remainder"
        return (since if from_start and not from_remainder else now) + self._previous

    def given_up_at(
        self, episode: int, attempt: int, started_at: float, *, lost_at: float
    ) -> float:
        """When the policy gives an attempt that is under way up for the next; infinite for never.

        Args:
            episode: Of the client.
            attempt: Under way.
            started_at: When it began.
            lost_at: When the client lost its connection.
        """
        policy = self._policy
        patience = math.inf
        if policy.count_from == "slot":
            patience = started_at + self._delay_after(episode, attempt, started_at - lost_at)
        if policy.suspended_after is not None and started_at < lost_at + policy.suspended_after:
            patience = min(patience, lost_at + policy.suspended_after)
        return patience

    def lasts_until(
        self, episode: int, attempt: int, started_at: float, *, lost_at: float
    ) -> float:
        """Until when the policy keeps an attempt up beyond the connect timeout, if it does.

        Args:
            episode: As for `given_up_at`, like all that follow.
            attempt: As there.
            started_at: As there.
            lost_at: As there.
        """
        if not self._policy.outlasts_timeout:
            return -math.inf
        return started_at + self._delay_after(episode, attempt, started_at - lost_at)

    def _delay_after(self, episode: int, attempt: int, downtime: float) -> float:
        """Seconds of the delay that will follow an attempt if it fails."""
        return delay(
            self._policy,
            self._step + 1,
            self._draw(episode, attempt + 1),
            self._previous,
            own=self._own,
            downtime=downtime,
        )
