"""Five hundred random schedules keep every promise; those that should not, do not."""

import gc
import os

import pytest
import trio

from server_stub.departure import Departure
from server_stub.history import EventLog, Full, FullReason
from server_stub.ledger import MemoryRecords
from server_stub.messages import Sync
from server_stub.reception import Reception
from simulator.conversation import Conversation
from simulator.core.cursor import Cursor, Update
from simulator.core.heartbeat import Heartbeat
from simulator.core.outbox import Outbox
from simulator.core.outgoing import Outgoing

from .drawing import draw
from .invariants import GONE, NOTICED, SHUT
from .report import failure_of
from .schedule import Schedule
from .shrinking import broken_promises, shrink
from .wire import CountingPort
from .witness import IN_ORDER, NEEDED, ONCE, TEXTS
from .world import NO_LEAK, RECOVERS, play

N_SCHEDULES = 500
PER_TEST = 25


@pytest.mark.parametrize("first", range(0, N_SCHEDULES, PER_TEST))
def test_every_promise_is_kept(first):
    """Whatever breaks, whenever: all recover, nothing is lost, doubled, reordered or left over."""
    gc.collect()  # What other tests have left behind is not counted among our files.
    n_files = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - no descriptor of its own
    for seed in range(first, first + PER_TEST):
        if report := failure_of(seed):
            pytest.fail(report, pytrace=False)
    assert len(os.listdir("/proc/self/fd")) == n_files  # noqa: PTH208


def story_of(schedule):
    """All that its clients have said."""
    return dict(play(schedule).lives)


@pytest.mark.parametrize("seed", [3, 17, 40])
def test_a_seed_is_played_the_same_way_every_time(seed):
    """The same schedule, and the same story of every client."""
    schedule = draw(seed)
    assert draw(seed) == schedule
    assert story_of(schedule) == story_of(schedule)


@pytest.mark.parametrize("seed", range(20))
def test_a_schedule_survives_its_file(seed):
    """What is printed of a failure is all of it."""
    schedule = draw(seed)
    assert Schedule.from_toml(schedule.to_toml()) == schedule


# Whether they would notice


def test_the_schedules_meet_everything():
    """Each kind of end, of notice and of answer occurs in a few of them."""
    met = set().union(*(play(draw(seed)).instants for seed in range(60)))
    assert met >= {"CONNECTED", "REFUSED", "REJECTED", "TIMED_OUT", "RESET"}
    assert met >= {"CLOSE_FRAME", "HEARTBEAT", "OFFLINE"}
    assert met >= {"Batch", "Snapshot", "Ack", "Copy", "Nack", "Failed"}


def forgetful_ledger(monkeypatch):
    """The ledger does not look whether it has seen a key before."""
    monkeypatch.setattr(MemoryRecords, "find", lambda self, client, key: None)


def hasty_outbox(monkeypatch):
    """What was sent is taken for done when the connection is lost."""
    disconnected = Outbox.disconnected

    def forget_the_head(self):
        if self._head is not None and self._head_was_sent:
            self.acknowledged(self._head.key)
        disconnected(self)

    monkeypatch.setattr(Outbox, "disconnected", forget_the_head)


def gullible_cursor(monkeypatch):
    """Whatever event comes next is the next event."""

    def on_event(self, event):
        first, self.last, self.epoch = self.last + 1, event.id, event.epoch
        return Update(None, range(first, event.id + 1))

    monkeypatch.setattr(Cursor, "on_event", on_event)


def stale_cursor(monkeypatch):
    """What is asked for on a new connection is a little behind, and applied as it comes."""

    def on_connect(self):
        self._asked = Sync(self.epoch, max(0, self.last - 1))
        return self._asked

    def on_batch(self, batch):
        self._asked, self.last = None, max(self.last, batch.last_id)
        return Update(None, range(batch.first_id, batch.last_id + 1))

    monkeypatch.setattr(Cursor, "on_connect", on_connect)
    monkeypatch.setattr(Cursor, "on_batch", on_batch)


def lazy_history(monkeypatch):
    """The server sends the whole state, whoever asks for what."""

    def since(self, epoch, after, now):
        return Full(FullReason.NO_CURSOR, self.latest)

    monkeypatch.setattr(EventLog, "since", since)


def trusting_heartbeat(monkeypatch):
    """A ping that is not answered is followed by another one."""
    verdict = Heartbeat.verdict

    def never_dead(self, now, heard_at):
        self._pinged_at = None
        return verdict(self, now, heard_at)

    monkeypatch.setattr(Heartbeat, "verdict", never_dead)


def leaking_transport(monkeypatch):
    """The stream of a connection that is over stays open."""
    monkeypatch.setattr("simulator.transport.over_wsproto._Opening._drop", lambda self: None)


def slow_drain(monkeypatch):
    """A node that drains does not see to it that everybody leaves."""

    async def close_nobody(self, window, starts_at, back_at):
        await trio.lowlevel.checkpoint()

    monkeypatch.setattr(Departure, "drain", close_nobody)


def open_doors(monkeypatch):
    """A node that goes down goes on to accept."""
    monkeypatch.setattr(Reception, "shut_doors", lambda self: None)
    monkeypatch.setattr(CountingPort, "refuse", lambda self: None)


def repeating_buffer(monkeypatch):
    """The last message before a loss may not have arrived, and so is sent again."""
    take, hold = Outgoing.take, Conversation.hold
    last = {}

    def take_and_remember(self):
        text = take(self)
        if text is not None:
            last[self] = text
        return text

    async def hold_and_put_back(self, connection, **options):
        try:
            await hold(self, connection, **options)
        finally:
            if self._outgoing in last:
                self._outgoing.offer(last.pop(self._outgoing))

    monkeypatch.setattr(Outgoing, "take", take_and_remember)
    monkeypatch.setattr(Conversation, "hold", hold_and_put_back)


SABOTAGES = {
    forgetful_ledger: {ONCE},
    hasty_outbox: {ONCE},
    gullible_cursor: {IN_ORDER},
    stale_cursor: {IN_ORDER},
    lazy_history: {NEEDED},
    trusting_heartbeat: {NOTICED},
    leaking_transport: {NO_LEAK, RECOVERS},
    slow_drain: {GONE},
    open_doors: {SHUT},
    repeating_buffer: {TEXTS},
}
MOST_SEEDS = 100


def first_to_break(promises):
    """The first schedule that breaks one of these promises, and which."""
    for seed in range(MOST_SEEDS):
        schedule = draw(seed)
        if broken := promises & broken_promises(schedule):
            return schedule, broken.pop()
    pytest.fail(f"{MOST_SEEDS} schedules did not notice")
    return None


@pytest.mark.parametrize("sabotage", SABOTAGES, ids=lambda sabotage: sabotage.__name__)
def test_a_broken_part_is_noticed(sabotage, monkeypatch):
    """Each promise is one that can be broken, and then a schedule shows it."""
    sabotage(monkeypatch)
    first_to_break(SABOTAGES[sabotage])


def test_a_failure_shrinks(monkeypatch):
    """To a client or two, one outage, and no feature that has nothing to do with it."""
    forgetful_ledger(monkeypatch)
    schedule, promise = first_to_break({ONCE})
    small = shrink(schedule, promise)
    assert promise in broken_promises(small)
    (cohort,) = small.scenario.cohort
    assert small.scenario.n_clients <= 2
    assert len(small.scenario.outage) == 1
    assert (cohort.sync, cohort.network_monitor, cohort.brake) == ("none", None, None)
    assert cohort.operation_rate is not None
    assert small.acts == ()


def test_a_report_says_how_to_repeat_it(monkeypatch):
    """The seed, the command, and the smallest schedule as TOML."""
    lazy_history(monkeypatch)
    seed = next(seed for seed in range(MOST_SEEDS) if broken_promises(draw(seed)))
    report = failure_of(seed)
    assert f"python -m tests.faults --seeds {seed}\n" in report
    toml = report.partition("FILE:\n\n")[2].partition("\n\n  ")[0]
    assert NEEDED in broken_promises(Schedule.from_toml(toml))
