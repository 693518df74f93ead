"""The clients of a model run as arrays: where each stands, and when it tries again."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from server_stub.draws import Purpose, uniforms
from simulator.core.backoff import Policy, delays
from simulator.core.backoff.timing import counts_from_start, next_waits
from simulator.core.close_codes import Kind, disposition
from simulator.core.outcomes import Outcome
from simulator.core.statuses import UNAVAILABLE
from simulator.engines.model.book import Book
from simulator.engines.model.course import Break, Ended, ramp_connects
from simulator.engines.model.instants import NEVER, Instants, all_in_ns, in_ns
from simulator.engines.model.keys import Clients, Keys
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
        policies = [cohort.policy for cohort in scenario.cohorts]
        self._node = np.zeros(n if scenario.server.nodes > 1 else 0, dtype=np.uint16)
        """Where the connection is, or where the attempt went."""
        # What only some policies look at takes no room under the others.
        self._previous_delay = np.zeros(n if any(map(_looks_back, policies)) else 0)
        self._lost_at = _instants(n if any(map(_suspends, policies)) else 0)
        self._opened_from = _instants(n if any(p.first_from_start for p in policies) else 0)
        if self._opened_from.size:
            self._opened_from[:] = self._at - self._rtts[cohort_of]

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
        if any(map(_cuts_attempts_short, (cohort.policy for cohort in self._cohorts))):
            return 0
        return int(np.minimum(self._timeouts - self._rtts, NEVER).min())

    @property
    def connected_since(self) -> Instants:
        """When each got its connection; of all, at first."""
        return self._at

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
        for cohort, some in self._by_cohort(clients):
            if cohort.policy.outlasts_timeout:
                lasts_until = self._at[clients[some]] + self._delays_after(
                    cohort.policy, clients[some]
                )
                patience[some] = np.maximum(patience[some], np.minimum(lasts_until, NEVER))
            if _cuts_attempts_short(cohort.policy):
                cut_off_at = self._cut_off_at(cohort.policy, clients[some])
                patience[some] = np.minimum(patience[some], cut_off_at)
        return patience

    def _cut_off_at(self, policy: Policy, clients: Clients) -> Instants:
        """When a policy gives up the attempts that are under way, for the next or a suspension."""
        started_at = self._at[clients]
        cut_off_at = np.full(clients.size, NEVER)
        if policy.count_from == "slot":
            cut_off_at = started_at + self._delays_after(policy, clients)
        if policy.suspended_after is not None:
            suspended_at = self._lost_at[clients] + in_ns(policy.suspended_after)
            before = started_at < suspended_at
            cut_off_at = np.where(before, np.minimum(cut_off_at, suspended_at), cut_off_at)
        return cut_off_at

    def _delays_after(self, policy: Policy, clients: Clients) -> Instants:
        """Nanoseconds of the delays that will follow the attempts under way if they fail."""
        waits = delays(
            policy,
            self._step[clients] + 1,
            self._draws(clients, self._attempt[clients] + np.uint32(1)),
            self._previous_of(clients),
            own=self._own(policy, clients),
            downtime=self._downtime(clients, self._at[clients]),
        )
        return all_in_ns(waits)

    def keys_of(self, clients: Clients) -> Keys:
        """The episode and the attempt that each is in."""
        return Keys(clients, self._episode[clients], self._attempt[clients])

    def nodes_of(self, clients: Clients) -> NDArray[np.uint16]:
        """Where each is connected, or where its attempt went."""
        return (
            self._node[clients] if self._node.size else np.broadcast_to(np.uint16(0), clients.shape)
        )

    # What happens to them

    def send_to(self, clients: Clients, nodes: NDArray[np.uint16]) -> None:
        """A balancer has dealt their attempts."""
        if self._node.size:
            self._node[clients] = nodes

    def cut_off(self, clients: Clients, at: int) -> None:
        """The observation ends while their attempts are under way."""
        self._ended(clients, np.full(clients.size, at), Outcome.CANCELLED)

    def open(self, clients: Clients, at: Instants) -> None:
        """They get their connections."""
        self._ended(clients, at, Outcome.CONNECTED)
        if self._opened_from.size:
            self._opened_from[clients] = self._at[clients]
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
        for cohort, some in self._by_cohort(clients):
            failed, now = clients[some], at[some]
            is_final = outcome is Outcome.REJECTED and cohort.statuses.ends(UNAVAILABLE)
            if is_final or cohort.policy.ends_on_failure:
                self._give_up(failed, now)
                continue
            not_before = now + (retry_after if cohort.retry_after == "obey" else 0)
            started_at = self._at[failed]
            from_start = counts_from_start(cohort.policy)
            counted_from = started_at if from_start else now
            self._back_off(cohort.policy, failed, _Wait(now, started_at, counted_from, not_before))

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
        self._book.losses(clients, self._episode[clients], at, broken, self.nodes_of(clients))
        if self._lost_at.size:
            self._lost_at[clients] = at
        for cohort, some in self._by_cohort(clients):
            self._lose_alike(cohort, clients[some], at[some], broken)

    def _lose_alike(self, cohort: Cohort, clients: Clients, at: Instants, broken: Break) -> None:
        verdict = disposition(broken.close_code, "", cohort.close_codes)
        connected_at = self._at[clients]
        self._is_connected[clients] = False
        if verdict.kind is Kind.END:
            self._give_up(clients, at)
            return
        not_before = at + in_ns(verdict.at_least)
        if verdict.kind is Kind.AT_ONCE:
            attempt = self._attempt[clients] + np.uint32(1)
            self._dial_at(clients, attempt, np.maximum(at, not_before))
            return
        policy = cohort.policy
        if policy.reset_after is not None:
            self._reset_counter(clients[at - connected_at >= in_ns(policy.reset_after)])
        since = self._opened_from[clients] if policy.first_from_start else at
        self._back_off(policy, clients, _Wait(at, since, since, not_before))

    def _give_up(self, clients: Clients, at: Instants) -> None:
        self._at[clients] = NEVER
        self._book.give_ups(clients, at)

    def _dial_at(self, clients: Clients, attempt: NDArray[np.uint32], due_at: Instants) -> None:
        self._attempt[clients] = attempt
        self._at[clients] = np.where(due_at < self._horizon, due_at, NEVER)

    def _reset_counter(self, clients: Clients) -> None:
        self._step[clients] = 0
        if self._previous_delay.size:
            self._previous_delay[clients] = 0.0

    def _ended(self, clients: Clients, at: Instants, outcome: Outcome) -> None:
        ended = Ended(*self.keys_of(clients), self._at[clients], at, outcome)
        if outcome is Outcome.CONNECTED:
            self._book.connects(self.nodes_of(clients), at)
        self._book.attempts(ended, outcome, self._outage[clients])

    def _back_off(self, policy: Policy, clients: Clients, wait: "_Wait") -> None:
        """Decide when each tries again, if it does."""
        step = self._step[clients] + np.uint32(1)
        if policy.max_attempts is not None:
            stays = step <= policy.max_attempts
            self._give_up(clients[~stays], wait.now[~stays])
            clients, step, wait = clients[stays], step[stays], wait.only(stays)
        attempt = self._attempt[clients] + np.uint32(1)
        steps, waits = next_waits(
            policy,
            step,
            self._draws(clients, attempt),
            self._previous_of(clients),
            own=self._own(policy, clients),
            downtime=self._downtime(clients, wait.counted_from),
            elapsed=(wait.now - wait.since) / 1e9,
        )
        self._step[clients] = steps
        if self._previous_delay.size:
            self._previous_delay[clients] = waits
        counted_from = wait.now if policy.count_from == "remainder" else wait.counted_from
        due_at = counted_from + all_in_ns(waits)
        self._dial_at(clients, attempt, np.maximum(due_at, wait.not_before))

    # What policies look at

    def _draws(self, clients: Clients, attempt: NDArray[np.uint32]) -> NDArray[np.float64]:
        return uniforms(self._seed, Purpose.BACKOFF, clients, self._episode[clients], attempt)

    def _previous_of(self, clients: Clients) -> NDArray[np.float64] | None:
        return self._previous_delay[clients] if self._previous_delay.size else None

    def _own(self, policy: Policy, clients: Clients) -> NDArray[np.float64] | float:
        return uniforms(self._seed, Purpose.OWN, clients) if policy.base_spread else 0.5

    def _downtime(self, clients: Clients, at: Instants) -> NDArray[np.float64] | float:
        return (at - self._lost_at[clients]) / 1e9 if self._lost_at.size else 0.0

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


class _Wait(NamedTuple):
    """What a delay counts from; arrays of shape (n,)."""

    now: Instants
    since: Instants
    """Start of what took time: the last attempt, or the one that had led to the connection."""
    counted_from: Instants
    not_before: Instants
    """Not before `now`."""

    def only(self, some: NDArray[np.bool_]) -> "_Wait":
        """Of some."""
        return _Wait(*(instants[some] for instants in self))


def _looks_back(policy: Policy) -> bool:
    return policy.jitter == "decorrelated" or bool(policy.function)


def _suspends(policy: Policy) -> bool:
    return policy.suspended_after is not None


def _cuts_attempts_short(policy: Policy) -> bool:
    return policy.count_from == "slot" or _suspends(policy)


def _instants(n: int) -> Instants:
    return np.zeros(n, dtype=np.int64)


def _patience(cohort: Cohort) -> int:
    return NEVER if cohort.connect_timeout is None else in_ns(cohort.connect_timeout)
