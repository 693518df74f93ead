"""The desk against a plain one that lives through every tick, and against queueing theory."""

import math
from dataclasses import dataclass, field

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from server_stub.admission import Decision, Desk, Job
from server_stub.config import ServerConfig

FOREVER = 1e9


def desk(workers=1, backlog=10**9, abandoned="serve"):
    """A desk without a limit unless told otherwise."""
    return Desk(ServerConfig(workers=workers, backlog=backlog, abandoned=abandoned))


def job(at, service_time):
    """Who arrives then and needs that much."""
    return Job(arrived_at=at, service_time=service_time)


def departures(a_desk, arrivals, service_times):
    """Who is let in, and when they depart; the rest is NaN."""
    jobs = []
    for at, service_time in zip(arrivals, service_times, strict=True):
        a_desk.finish(at)
        jobs.append(job(at, service_time))
        if a_desk.arrive(jobs[-1]) is Decision.OVERFLOW:
            jobs[-1].due_at = math.nan
    a_desk.finish(FOREVER)
    return np.array([each.due_at for each in jobs])


@dataclass
class PlainDesk:
    """The rules, lived through tick by tick; jobs are numbers."""

    workers: int
    backlog: int
    skip: bool
    waiting: list = field(default_factory=list)
    left: dict = field(default_factory=dict)
    """The ticks of service that those in service still need, in the order of their start."""
    needs: dict = field(default_factory=dict)
    done: list = field(default_factory=list)
    """When who departed."""
    is_paused: bool = False

    def depart(self, now):
        """Those who need nothing more go, and others take their places."""
        if not self.is_paused:
            for who in [who for who, left in self.left.items() if left == 0]:
                del self.left[who]
                self.done.append((now, who))
            self.refill()

    def refill(self):
        """Free workers take those who wait."""
        while self.waiting and len(self.left) < self.workers:
            who = self.waiting.pop(0)
            self.left[who] = self.needs[who]

    def arrive(self, who, needs):
        """Start, wait or be turned away."""
        self.needs[who] = needs
        if len(self.left) < self.workers:
            self.left[who] = needs
            return Decision.START
        if len(self.waiting) < self.backlog:
            self.waiting.append(who)
            return Decision.WAIT
        return Decision.OVERFLOW

    def leave(self, who):
        """Only a desk that skips takes notice."""
        if self.skip:
            self.left.pop(who, None)
            self.waiting = [other for other in self.waiting if other != who]
            self.refill()

    def clear(self):
        """Everybody goes."""
        everybody = {*self.left, *self.waiting}
        self.left.clear()
        self.waiting.clear()
        return everybody

    def work(self):
        """One tick of service for those in service."""
        if not self.is_paused:
            self.left = {who: left - 1 for who, left in self.left.items()}


class Story:
    """The same events told to both desks, in the order of RULES 3 when they fall on one tick.

    The plain desk lives through every tick. The other is asked to finish only when something is
    about to change, or when it is looked at: being late must not matter.
    """

    def __init__(self, workers, backlog, abandoned):
        self.desk = desk(workers, backlog, abandoned)
        self.plain = PlainDesk(workers, backlog, skip=abandoned == "skip")
        self.jobs = []
        self.done = []

    def finish(self, until):
        """What is due by then is done."""
        finished = self.desk.finish(until)
        self.done.extend((each.due_at, self.jobs.index(each)) for each in finished)

    def meets(self, fate, now):
        """The node freezes, thaws or breaks; a service that is due at this instant is not done."""
        self.finish(now - 1)
        if fate == "clear":
            cleared = {self.jobs.index(each) for each in self.desk.clear()}
            assert cleared == self.plain.clear()
        elif fate == "resume":
            self.desk.resume(now)
            self.plain.is_paused = False
        elif not self.plain.is_paused:
            self.desk.pause(now)
            self.plain.is_paused = True

    def looks(self, now):
        """Both say the same of themselves."""
        self.finish(now)
        waiting, serving = len(self.plain.waiting), len(self.plain.left)
        assert (self.desk.backlog, self.desk.busy_workers) == (waiting, serving)
        assert self.desk.room == self.plain.workers + self.plain.backlog - waiting - serving

    def leaves(self, who, now):
        """A client gives up, if there is one of that number."""
        if who < len(self.jobs):
            self.desk.leave(self.jobs[who], now)
            self.plain.leave(who)

    def arrives(self, needs, now):
        """A client knocks."""
        self.jobs.append(job(now, needs))
        decision = self.plain.arrive(len(self.jobs) - 1, needs)
        assert self.desk.arrive(self.jobs[-1]) is decision

    def ends(self, now):
        """Time passes until nobody is left whom time could help."""
        for later in range(now, now + 7 * (len(self.jobs) + 1)):
            self.plain.depart(later)
            self.plain.work()
        self.finish(FOREVER)
        assert sorted(self.done) == sorted(self.plain.done)
        assert [at for at, _ in self.done] == sorted(at for at, _ in self.done)


@given(
    workers=st.integers(1, 3),
    backlog=st.integers(0, 4),
    abandoned=st.sampled_from(["serve", "skip"]),
    ticks=st.lists(
        st.fixed_dictionaries(
            {
                "fate": st.sampled_from([None, None, None, None, "pause", "resume", "clear"]),
                "looks": st.booleans(),
                "leaves": st.lists(st.integers(0, 12), max_size=2),
                "arrives": st.lists(st.integers(1, 6), max_size=3),
            }
        ),
        max_size=30,
    ),
)
def test_a_desk_is_a_plain_queue(workers, backlog, abandoned, ticks):
    """Decisions, departures and victims are those of a desk that lives through every tick."""
    story = Story(workers, backlog, abandoned)
    for now, tick in enumerate(ticks):
        if tick["fate"] is not None:
            story.meets(tick["fate"], now)
        story.plain.depart(now)
        if tick["looks"]:
            story.looks(now)
        if not story.plain.is_paused:  # A frozen node hears nothing.
            if tick["leaves"] or tick["arrives"]:
                story.finish(now)
            for who in tick["leaves"]:
                story.leaves(who, now)
            for needs in tick["arrives"]:
                story.arrives(needs, now)
        story.plain.work()
    story.ends(len(ticks))


@given(
    gaps=st.lists(st.floats(0, 2), min_size=1, max_size=30),
    service=st.lists(st.floats(0.01, 3), min_size=30, max_size=30),
    workers=st.integers(1, 4),
    looks=st.lists(st.booleans(), min_size=30, max_size=30),
)
def test_a_desk_asked_late_gives_the_same_times(gaps, service, workers, looks):
    """Bit for bit, whenever it was asked in between."""
    arrivals = np.cumsum(gaps)
    prompt, late = desk(workers), desk(workers)
    due = departures(prompt, arrivals, service[: len(gaps)])
    jobs = [job(at, time) for at, time in zip(arrivals, service, strict=False)]
    for each, looked in zip(jobs, looks, strict=False):
        if looked:
            late.finish(np.nextafter(each.arrived_at, -1))
        late.finish(each.arrived_at)
        late.arrive(each)
    late.finish(FOREVER)
    assert [each.due_at for each in jobs] == due.tolist()


def test_a_worker_takes_the_next_when_it_was_free_not_when_it_was_asked():
    """Lag must not eat into the capacity."""
    one = desk()
    jobs = [job(0, 1.0) for _ in range(3)]
    for each in jobs:
        one.arrive(each)
    assert one.finish(10.0) == jobs
    assert [each.due_at for each in jobs] == [1.0, 2.0, 3.0]


def test_departures_at_one_instant_are_in_the_order_of_their_start():
    """Ties break by a sequence number."""
    two = desk(workers=3)
    jobs = [job(0, 1.0) for _ in range(3)]
    for each in jobs:
        two.arrive(each)
    assert two.finish(1.0) == jobs


@pytest.mark.parametrize("abandoned", ["serve", "skip"])
def test_who_has_departed_can_leave(abandoned):
    """It changes nothing for those who are there."""
    one = desk(abandoned=abandoned)
    first, second = job(0, 1.0), job(0, 1.0)
    one.arrive(first)
    one.arrive(second)
    one.finish(1.0)
    one.leave(first, 1.5)
    assert one.finish(5.0) == [second]
    assert second.due_at == 2.0


def test_a_paused_desk_has_nothing_due():
    """However long it is asked."""
    one = desk()
    one.arrive(job(0, 1.0))
    one.pause(0.25)
    assert one.next_due() == math.inf
    assert one.finish(100.0) == []
    one.resume(100.25)
    assert one.next_due() == 101.0


def test_those_sent_away_are_the_served_then_the_waiting():
    """In order."""
    two = desk(workers=2)
    jobs = [job(0, service) for service in (3.0, 2.0, 1.0, 1.0)]
    for each in jobs:
        two.arrive(each)
    assert two.clear() == [jobs[1], jobs[0], jobs[2], jobs[3]]
    assert two.next_due() == math.inf


@pytest.mark.parametrize(("workers", "service_time"), [(1, 0.01), (2, 0.02), (8, 0.5)])
def test_the_kth_of_a_crowd_departs_at_k_over_capacity(workers, service_time):
    """P6: all arrive at once, in batches of as many as there are workers."""
    n = 40 * workers
    due = departures(desk(workers), np.zeros(n), np.full(n, service_time))
    batch = np.ceil(np.arange(1, n + 1) / workers)
    assert due == pytest.approx(batch * workers / (workers / service_time))


def mean_within(values, expected, *, batches=40):
    """Does the mean agree with theory within four standard errors? Batches, as waits correlate."""
    means = values[: len(values) // batches * batches].reshape(batches, -1).mean(axis=1)
    error = means.std(ddof=1) / math.sqrt(batches)
    return abs(means.mean() - expected) < 4 * error < 0.3 * expected


def erlang_b(workers, load):
    """The share of arrivals that find every worker busy and no place to wait."""
    blocked = 1.0
    for n in range(1, workers + 1):
        blocked = load * blocked / (n + load * blocked)
    return blocked


def test_mean_wait_of_m_d_1():
    """Poisson arrivals, one worker, constant service: rho s / (2 (1 - rho))."""
    rng = np.random.default_rng(1)
    rho, service_time = 0.7, 1.0
    arrivals = np.cumsum(rng.exponential(service_time / rho, 20_000))
    waits = departures(desk(), arrivals, np.full(20_000, service_time)) - arrivals - service_time
    assert mean_within(waits, rho * service_time / (2 * (1 - rho)))


def test_mean_wait_of_m_m_c():
    """Poisson arrivals, exponential service: Erlang's C over the spare capacity."""
    rng = np.random.default_rng(2)
    workers, rate, load = 3, 1.0, 2.1
    arrivals = np.cumsum(rng.exponential(1 / load, 30_000))
    service_times = rng.exponential(1 / rate, 30_000)
    waits = departures(desk(workers), arrivals, service_times) - arrivals - service_times
    blocked = erlang_b(workers, load)
    waiting = blocked / (1 - load / workers * (1 - blocked))
    assert mean_within(waits, waiting / (workers * rate - load))


def test_loss_without_a_backlog_is_erlangs_b():
    """The share turned away depends on the load alone."""
    rng = np.random.default_rng(3)
    workers, load = 4, 3.0
    arrivals = np.cumsum(rng.exponential(1 / load, 20_000))
    due = departures(desk(workers, backlog=0), arrivals, rng.exponential(1.0, 20_000))
    assert mean_within(np.isnan(due).astype(float), erlang_b(workers, load))


def test_loss_with_a_backlog():
    """M/M/1/K: the share turned away is (1 - rho) rho^K / (1 - rho^(K+1)), K places in all."""
    rng = np.random.default_rng(4)
    rho, places = 0.9, 6
    arrivals = np.cumsum(rng.exponential(1 / rho, 20_000))
    due = departures(desk(backlog=places - 1), arrivals, rng.exponential(1.0, 20_000))
    expected = (1 - rho) * rho**places / (1 - rho ** (places + 1))
    assert mean_within(np.isnan(due).astype(float), expected)
