"""The clients of a model run as arrays: where each stands, and when it tries again."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from server_stub.draws import Purpose, uniforms
from simulator.core.backoff import delays
from simulator.core.close_codes import Kind, disposition
from simulator.core.outcomes import Outcome
from simulator.engines.model.agenda import Clients
from simulator.engines.model.book import Book
from simulator.engines.model.course import Break, Ended, ramp_connects
from simulator.engines.model.instants import NEVER, Instants, all_in_ns, in_ns
from simulator.scenario import Cohort, Scenario


class Herd:
    """Every client's episode, attempt and next instant; all arrays have shape (n_clients,)."""

    def __init__(self, scenario: Scenario, cohort_of: NDArray[np.uint16], book: Book) -> None:
        """Everybody connected, as the ramp has left them.

        Args:
            scenario: What the clients are like.
            cohort_of: Index of each client's cohort.
            book: Where attempts and losses are written down.
        """
        n = scenario.n_clients
        self._seed = scenario.seed
        self._horizon = in_ns(scenario.horizon)
        self._cohorts = scenario.cohorts
        self._cohort_of = cohort_of
        self._book = book
        self._rtts = np.array([in_ns(cohort.rtt) for cohort in scenario.cohorts])
        self._timeouts = np.array([_patience(cohort) for cohort in scenario.cohorts])
        self._at: Instants = ramp_connects(scenario, cohort_of)
        """When the connection opens that a client has, or is certain to get; for another, when its
        next attempt starts, or NEVER if it has none to make."""
        self._is_connected = np.ones(n, dtype=np.bool_)
        self._episode = np.zeros(n, dtype=np.uint16)
        self._outage = np.full(n, -1, dtype=np.int16)
        """The outage that began the episode."""
        self._attempt = np.zeros(n, dtype=np.uint32)
        self._step = np.zeros(n, dtype=np.uint32)
        needs_previous = any(cohort.policy.jitter == "decorrelated" for cohort in scenario.cohorts)
        self._previous_delay = np.zeros(n if needs_previous else 0)

    @property
    def size(self) -> int:
        """How many clients there are."""
        return self._at.size

    @property
    def shortest_rtt(self) -> int:
        """Nanoseconds; no attempt can follow from another's end within less."""
        return int(self._rtts.min())

    @property
    def shortest_wait(self) -> int:
        """Nanoseconds from an arrival to giving it up, at least; NEVER if nobody does."""
        return int(np.minimum(self._timeouts - self._rtts, NEVER).min())

    def connected_before(self, clients: Clients, instant: int) -> Clients:
        """Those who are connected just before an instant."""
        return clients[self._is_connected[clients] & (self._at[clients] < instant)]

    def dialling(self, clients: Clients) -> Clients:
        """Those who have an attempt to make."""
        return clients[~self._is_connected[clients] & (self._at[clients] < NEVER)]

    def arrival_of(self, clients: Clients) -> Instants:
        """When the next attempts of clients that are dialling reach the server's host."""
        arrives_at: Instants = self._at[clients] + self._of_cohort(self._rtts, clients)
        return arrives_at

    def patience_of(self, clients: Clients) -> Instants:
        """When they give their attempts up if nothing has come of them."""
        ends_at = self._at[clients] + self._of_cohort(self._timeouts, clients)
        patience: Instants = np.minimum(ends_at, NEVER)
        return patience

    def keys_of(self, clients: Clients) -> tuple[NDArray[np.uint16], NDArray[np.uint32]]:
        """The episode and the attempt that each is in."""
        return self._episode[clients], self._attempt[clients]

    # What happens to them

    def open(self, clients: Clients, at: Instants) -> None:
        """They get their connections."""
        self._ended(clients, at, Outcome.CONNECTED)
        self._at[clients] = at
        self._is_connected[clients] = True
        for cohort, some in self._by_cohort(clients):
            if cohort.policy.reset_after is None:
                self._reset_counter(clients[some])

    def fail(
        self, clients: Clients, at: Instants, outcome: Outcome, *, retry_after: int = 0
    ) -> None:
        """Their attempts end without a connection; the server may want to be left alone a while.

        Args:
            clients: Shape (n,).
            at: When, shape (n,).
            outcome: How.
            retry_after: Nanoseconds.
        """
        self._ended(clients, at, outcome)
        self._back_off(clients, self._at[clients], at, at + retry_after)

    def lose(self, clients: Clients, at: Instants, broken: Break) -> None:
        """They notice that their connections are lost.

        Args:
            clients: Shape (n,).
            at: When, shape (n,).
            broken: How it came.
        """
        self._episode[clients] += 1
        self._attempt[clients] = 0
        self._outage[clients] = broken.outage
        self._book.losses(clients, self._episode[clients], at, broken)
        for cohort, some in self._by_cohort(clients):
            losers, lost_at = clients[some], at[some]
            if cohort.policy.reset_after is not None:
                uptime = lost_at - self._at[losers]
                self._reset_counter(losers[uptime >= in_ns(cohort.policy.reset_after)])
            self._at[losers] = NEVER
            self._is_connected[losers] = False
            verdict = disposition(broken.close_code, "", cohort.close_codes)
            if verdict.kind is Kind.END:
                self._book.give_ups(losers, lost_at)
            else:
                self._back_off(losers, lost_at, lost_at, lost_at + in_ns(verdict.at_least))

    def _reset_counter(self, clients: Clients) -> None:
        self._step[clients] = 0
        if self._previous_delay.size:
            self._previous_delay[clients] = 0.0

    def _ended(self, clients: Clients, at: Instants, outcome: Outcome) -> None:
        episode, attempt = self.keys_of(clients)
        ended = Ended(clients, episode, attempt, self._at[clients], at, outcome)
        self._book.attempts(ended, outcome, self._outage[clients])

    def _back_off(
        self, clients: Clients, started_at: Instants, at: Instants, not_before: Instants
    ) -> None:
        """Decide when each tries again, if it does."""
        for cohort, some in self._by_cohort(clients):
            self._back_off_alike(
                cohort, clients[some], started_at[some], at[some], not_before[some]
            )

    def _back_off_alike(
        self,
        cohort: Cohort,
        clients: Clients,
        started_at: Instants,
        at: Instants,
        not_before: Instants,
    ) -> None:
        policy = cohort.policy
        step = self._step[clients] + np.uint32(1)
        self._step[clients] = step
        if policy.max_attempts is not None:
            stays = step <= policy.max_attempts
            self._at[clients[~stays]] = NEVER
            self._book.give_ups(clients[~stays], at[~stays])
            clients, step, started_at = clients[stays], step[stays], started_at[stays]
            at, not_before = at[stays], not_before[stays]
        attempt = self._attempt[clients] + np.uint32(1)
        self._attempt[clients] = attempt
        draws = uniforms(self._seed, Purpose.BACKOFF, clients, self._episode[clients], attempt)
        if self._previous_delay.size:
            wait = delays(policy, step, draws, self._previous_delay[clients])
            self._previous_delay[clients] = wait
        else:
            wait = delays(policy, step, draws)
        counted_from = started_at if policy.count_from == "start" else at
        due_at = np.maximum(counted_from + all_in_ns(wait), np.maximum(not_before, at))
        self._at[clients] = np.where(due_at < self._horizon, due_at, NEVER)

    # Cohorts

    def _of_cohort(self, values: NDArray[np.int64], clients: Clients) -> NDArray[np.int64]:
        """A setting of each client's cohort."""
        return values[0] if values.size == 1 else values[self._cohort_of[clients]]

    def _by_cohort(
        self, clients: Clients
    ) -> Iterator[tuple[Cohort, "slice[None, None, None] | NDArray[np.bool_]"]]:
        """Each cohort with the rows of its own clients, where there are any."""
        if len(self._cohorts) == 1:
            yield self._cohorts[0], slice(None)
            return
        cohort_of = self._cohort_of[clients]
        for index, cohort in enumerate(self._cohorts):
            some = cohort_of == index
            if some.any():
                yield cohort, some


def _patience(cohort: Cohort) -> int:
    return NEVER if cohort.connect_timeout is None else in_ns(cohort.connect_timeout)


def in_blocks(n_clients: int, size: int = 32_768) -> Iterator[Clients]:
    """All clients, some at a time, so that what is computed on the way stays small and close."""
    for first in range(0, n_clients, size):
        yield np.arange(first, min(first + size, n_clients), dtype=np.uint32)
