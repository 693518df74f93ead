"""One client of the reference: when it tries again, loses patience, and notices a silence."""

from dataclasses import dataclass, field

from server_stub.draws import Purpose, uniform
from server_stub.wire import RAMP_EPISODE
from simulator.core.backoff import delay, gives_up
from simulator.core.backoff.timing import counts_from_start, next_wait
from simulator.engines.model.instants import NEVER, in_ns
from simulator.scenario import Cohort


@dataclass(slots=True, eq=False)
class ModelClient:
    """A client as itself sees things; instants in nanoseconds."""

    number: int
    cohort: Cohort
    seed: int
    connected_at: int = field(kw_only=True)
    is_connected: bool = True
    episode: int = RAMP_EPISODE
    attempt: int = 0
    due_at: int = 0
    """When the attempt started that is under way, or that comes next."""
    lost_at: int = 0
    opened_by: int = 1
    """The attempt that led to the present connection, or to the last one."""
    own: float = field(init=False)
    _step: int = 0
    _previous: float = 0.0
    _opened_from: int = field(init=False)

    def __post_init__(self) -> None:
        self.own = uniform(self.seed, Purpose.OWN, self.number)
        self._opened_from = self.connected_at - in_ns(self.cohort.rtt)

    def opened(self, now: int) -> None:
        """The attempt has led to a connection."""
        self.is_connected = True
        self.connected_at = now
        self.opened_by = self.attempt
        self._opened_from = self.due_at
        if self.cohort.policy.reset_after is None:
            self._start_over()

    def _start_over(self) -> None:
        self._step, self._previous = 0, 0.0

    def due_after_loss(self, now: int) -> int | None:
        """When the first retry is due; None if there is none."""
        policy = self.cohort.policy
        if policy.reset_after is not None and now - self.connected_at >= in_ns(policy.reset_after):
            self._start_over()
        since = self._opened_from if policy.first_from_start else now
        return self._due_at(now, since=since, counted_from=since)

    def due_after_failure(self, now: int) -> int | None:
        """When the next retry is due; None if there is none."""
        policy = self.cohort.policy
        if policy.ends_on_failure:
            return None
        counted_from = self.due_at if counts_from_start(policy) else now
        return self._due_at(now, since=self.due_at, counted_from=counted_from)

    def _due_at(self, now: int, *, since: int, counted_from: int) -> int | None:
        policy = self.cohort.policy
        self._step += 1
        if gives_up(policy, self._step):
            return None
        self._step, self._previous = next_wait(
            policy,
            self._step,
            self._draw(self.attempt + 1),
            self._previous,
            own=self.own,
            downtime=(counted_from - self.lost_at) / 1e9,
            elapsed=(now - since) / 1e9,
        )
        if policy.count_from == "remainder":
            counted_from = now
        return counted_from + in_ns(self._previous)

    def _draw(self, attempt: int) -> float:
        return uniform(self.seed, Purpose.BACKOFF, self.number, self.episode, attempt)

    @property
    def _delay_after(self) -> int:
        """Nanoseconds of the delay that will follow the attempt under way if it fails."""
        return in_ns(
            delay(
                self.cohort.policy,
                self._step + 1,
                self._draw(self.attempt + 1),
                self._previous,
                own=self.own,
                downtime=(self.due_at - self.lost_at) / 1e9,
            )
        )

    @property
    def patience(self) -> int:
        """When the attempt that starts at `due_at` is given up if nothing has come of it."""
        policy, timeout = self.cohort.policy, self.cohort.connect_timeout
        patience = NEVER if timeout is None else self.due_at + in_ns(timeout)
        if policy.outlasts_timeout:
            patience = max(patience, self.due_at + self._delay_after)
        if policy.count_from == "slot":
            patience = min(patience, self.due_at + self._delay_after)
        if policy.suspended_after is not None:
            suspended_at = self.lost_at + in_ns(policy.suspended_after)
            if self.due_at < suspended_at:
                patience = min(patience, suspended_at)
        return patience

    def silence_noticed_at(self, since: int) -> int:
        """When it finds a peer dead that is silent from an instant on.

        Its first ping from then on stays unanswered for the timeout; NEVER without a heartbeat.
        """
        beat = self.cohort.heartbeat
        if beat is None:
            return NEVER
        interval = in_ns(beat.interval)
        phase = uniform(self.seed, Purpose.HEARTBEAT, self.number, self.episode)
        first = self.connected_at + in_ns(phase * beat.interval)
        n_answered = max(0, -((first - since) // interval))
        return first + n_answered * interval + in_ns(beat.timeout)
