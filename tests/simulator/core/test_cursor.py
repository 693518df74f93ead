"""A client sees every event once and in order, or the whole state in their place."""

from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server_stub.history import Delta, EventLog, HistoryConfig
from server_stub.messages import Batch, Event, Snapshot, Sync
from simulator.core.cursor import FULL_SYNC, Cursor, Update

NOTHING = Update()


def cursor_at(last, epoch=1):
    """A cursor that has seen the events up to `last` and is in step with its server."""
    cursor = Cursor()
    cursor.on_connect()
    cursor.on_snapshot(Snapshot(epoch, last))
    return cursor


def applied(*ids):
    """Apply these, and that is all."""
    return Update(applied=range(ids[0], ids[-1] + 1))


# Asking


def test_who_has_seen_nothing_asks_for_the_whole_state():
    """And is in step once it has come."""
    cursor = Cursor()
    assert cursor.on_connect() == FULL_SYNC
    assert not cursor.synced
    assert cursor.on_snapshot(Snapshot(1, 7)) == Update(refreshed=Snapshot(1, 7))
    assert cursor.synced
    assert (cursor.epoch, cursor.last) == (1, 7)


def test_a_reconnect_asks_only_for_what_was_missed():
    """Not for everything, as often as the connection may drop."""
    cursor = cursor_at(7)
    assert cursor.on_connect() == Sync(1, 7)
    assert cursor.on_batch(Batch(1, 8, 9)) == applied(8, 9)
    assert cursor.on_connect() == Sync(1, 9)


def test_a_client_without_delta_sync_asks_for_everything_every_time():
    """The expensive way, to compare with."""
    cursor = Cursor(always_full=True)
    for latest in (7, 9, 9):
        assert cursor.on_connect() == FULL_SYNC
        assert cursor.on_snapshot(Snapshot(1, latest)).refreshed == Snapshot(1, latest)
        assert cursor.synced


def test_what_the_last_connection_owed_is_void():
    """The next one asks again."""
    cursor = cursor_at(7)
    cursor.on_connect()
    cursor.on_event(Event(1, 10))
    assert cursor.on_connect() == Sync(1, 7)
    assert cursor.on_batch(Batch(1, 8, 9)) == applied(8, 9)
    assert cursor.synced


# Once and in order


def test_an_event_is_applied_once():
    """The seed applied whatever arrived."""
    cursor = cursor_at(7)
    assert cursor.on_event(Event(1, 8)) == applied(8)
    assert cursor.on_event(Event(1, 8)) == NOTHING
    assert cursor.on_event(Event(1, 3)) == NOTHING


def test_a_batch_that_arrives_twice_is_applied_once():
    """The seed applied it twice, and put its cursor back."""
    cursor = cursor_at(7)
    cursor.on_connect()
    assert cursor.on_batch(Batch(1, 8, 12)) == applied(8, 12)
    assert cursor.on_batch(Batch(1, 8, 12)) == NOTHING
    assert cursor.last == 12


def test_a_batch_that_overlaps_live_events_adds_the_rest():
    """Live events that are next do not wait for the batch."""
    cursor = cursor_at(7)
    cursor.on_connect()
    assert cursor.on_event(Event(1, 8)) == applied(8)
    assert cursor.on_event(Event(1, 9)) == applied(9)
    assert cursor.on_batch(Batch(1, 8, 11)) == applied(10, 11)
    assert cursor.synced


def test_live_events_before_the_answer_are_neither_lost_nor_out_of_order():
    """The seed moved its cursor to the live event, and forgot what lay before it."""
    cursor = cursor_at(7)
    cursor.on_connect()
    assert cursor.on_event(Event(1, 10)) == NOTHING
    assert cursor.on_event(Event(1, 11)) == NOTHING
    assert cursor.on_batch(Batch(1, 8, 9)) == applied(8, 9, 10, 11)
    assert cursor.synced


def test_live_events_before_the_whole_state_follow_it():
    """Those that it contains are not applied again."""
    cursor = Cursor()
    cursor.on_connect()
    for event in (8, 9, 10, 11):
        assert cursor.on_event(Event(1, event)) == NOTHING
    assert cursor.on_snapshot(Snapshot(1, 9)) == Update(Snapshot(1, 9), range(10, 12))
    assert cursor.synced


# Gaps


def test_a_gap_is_noticed_and_asked_for_once():
    """What comes meanwhile is held back."""
    cursor = cursor_at(7)
    assert cursor.on_event(Event(1, 9)) == Update(ask=Sync(1, 7))
    assert cursor.on_event(Event(1, 10)) == NOTHING
    assert cursor.on_batch(Batch(1, 8, 9)) == applied(8, 9, 10)
    assert cursor.synced


def test_an_answer_that_does_not_reach_far_enough_is_followed_by_a_question():
    """There was another gap behind it."""
    cursor = cursor_at(7)
    cursor.on_event(Event(1, 9))
    cursor.on_event(Event(1, 12))
    assert cursor.on_batch(Batch(1, 8, 9)) == Update(applied=range(8, 10), ask=Sync(1, 9))
    assert cursor.on_batch(Batch(1, 10, 12)) == applied(10, 12)
    assert cursor.synced


def test_a_duplicate_of_an_earlier_answer_is_no_answer():
    """The gap stays open until it is filled."""
    cursor = cursor_at(7)
    cursor.on_connect()
    cursor.on_batch(Batch(1, 8, 9))
    cursor.on_event(Event(1, 12))
    assert cursor.on_batch(Batch(1, 8, 9)) == NOTHING
    assert not cursor.synced
    assert cursor.on_batch(Batch(1, 10, 12)) == applied(10, 12)


def test_a_duplicate_of_an_earlier_snapshot_is_no_answer():
    """It does not close a gap either, and it is no reason to ask again."""
    cursor = cursor_at(7)
    cursor.on_event(Event(1, 9))
    assert cursor.on_snapshot(Snapshot(1, 7)) == NOTHING
    assert not cursor.synced


def test_a_batch_that_nobody_asked_for_can_show_a_gap():
    """What is missing is asked for; what came is held back."""
    cursor = cursor_at(7)
    assert cursor.on_batch(Batch(1, 10, 12)) == Update(ask=Sync(1, 7))
    assert cursor.on_batch(Batch(1, 8, 9)) == applied(8, 9, 10, 11, 12)


def test_of_two_runs_ahead_the_last_is_held_back():
    """Overlapping ones are one run; nothing between two runs is ever taken for seen."""
    cursor = cursor_at(7)
    cursor.on_event(Event(1, 10))
    cursor.on_batch(Batch(1, 9, 11))
    cursor.on_event(Event(1, 13))
    cursor.on_event(Event(1, 9))
    assert cursor.on_snapshot(Snapshot(1, 11)) == Update(Snapshot(1, 11), ask=Sync(1, 11))
    assert cursor.on_batch(Batch(1, 12, 12)) == applied(12, 13)


def test_a_run_that_contains_another_takes_its_place():
    """All of it is known, and joined as soon as the gap before it is filled."""
    cursor = cursor_at(7)
    cursor.on_event(Event(1, 10))
    cursor.on_batch(Batch(1, 9, 11))
    assert cursor.on_batch(Batch(1, 8, 8)).applied == range(8, 12)


# Full refresh


def test_a_refused_delta_is_a_full_refresh():
    """The server's history begins later, or it is another one: the server says so."""
    for snapshot in (Snapshot(1, 20), Snapshot(2, 3)):
        cursor = cursor_at(7)
        cursor.on_connect()
        assert cursor.on_snapshot(snapshot) == Update(refreshed=snapshot)
        assert (cursor.epoch, cursor.last) == (snapshot.epoch, snapshot.latest)
        assert cursor.synced


@pytest.mark.parametrize("batch", [Batch(1, 9, 12), Batch(1, 10, 9), Batch(2, 1, 3)])
def test_a_history_that_does_not_fit_is_noticed_by_its_ids(batch):
    """A server like the seed's replays what it has, without a word about what is missing."""
    cursor = cursor_at(7)
    cursor.on_connect()
    assert cursor.on_batch(batch) == Update(ask=FULL_SYNC)
    assert cursor.on_batch(batch) == NOTHING
    assert cursor.on_snapshot(Snapshot(batch.epoch, 12)).refreshed == Snapshot(batch.epoch, 12)
    assert cursor.synced


def test_an_event_of_another_epoch_is_a_question():
    """The server has lost its history while the connection lived."""
    cursor = cursor_at(7)
    assert cursor.on_event(Event(2, 1)) == Update(ask=Sync(1, 7))
    assert cursor.on_snapshot(Snapshot(2, 1)) == Update(refreshed=Snapshot(2, 1))
    assert cursor.on_event(Event(2, 2)) == applied(2)


def test_an_echo_from_before_a_restart_is_ignored():
    """On one connection epochs only grow, whichever kind of answer has shown the last."""
    cursor = cursor_at(7)
    cursor.on_snapshot(Snapshot(2, 1))
    assert cursor.on_event(Event(1, 8)) == NOTHING
    cursor.on_connect()
    cursor.on_batch(Batch(2, 2, 1))
    assert cursor.on_event(Event(1, 8)) == NOTHING
    assert cursor.on_batch(Batch(1, 8, 9)) == NOTHING
    assert cursor.on_snapshot(Snapshot(1, 9)) == NOTHING
    assert (cursor.epoch, cursor.last) == (2, 1)


def test_what_was_held_back_of_a_lost_history_is_dropped():
    """It is no reason to ask."""
    cursor = cursor_at(7)
    cursor.on_event(Event(1, 12))
    assert cursor.on_snapshot(Snapshot(2, 3)) == Update(refreshed=Snapshot(2, 3))
    assert cursor.on_event(Event(2, 4)) == applied(4)


def test_another_server_may_have_a_smaller_epoch():
    """The next connection is judged afresh."""
    cursor = cursor_at(7, epoch=5)
    cursor.on_connect()
    assert cursor.on_event(Event(2, 4)) == NOTHING
    assert cursor.on_snapshot(Snapshot(2, 3)) == Update(Snapshot(2, 3), range(4, 5))


def test_an_answer_that_live_events_have_overtaken_is_an_answer():
    """There is nothing new in it, and yet the client is in step and notices the next gap."""
    for seen, always_full, state in ((7, False, 8), (7, True, 8), (7, True, 7), (0, True, 0)):
        cursor = Cursor(always_full=always_full)
        cursor.on_snapshot(Snapshot(1, seen))
        cursor.on_connect()
        cursor.on_event(Event(1, seen + 1))
        cursor.on_event(Event(1, seen + 2))
        assert cursor.on_snapshot(Snapshot(1, state)) == NOTHING
        assert cursor.synced
        assert cursor.on_event(Event(1, seen + 4)) == Update(ask=Sync(1, seen + 2))


def test_a_snapshot_that_is_too_old_leaves_what_is_missing_missing():
    """The client knows of events that it has not seen, and asks again."""
    cursor = cursor_at(7)
    cursor.on_connect()
    cursor.on_batch(Batch(1, 10, 12))
    assert cursor.on_snapshot(Snapshot(1, 5)) == Update(ask=Sync(1, 7))


def test_a_server_that_contradicts_itself_is_not_asked_for_ever():
    """It says that there is nothing more, and sends more: one full refresh, and no loop."""
    cursor = cursor_at(7)
    assert cursor.on_event(Event(1, 12)) == Update(ask=Sync(1, 7))
    assert cursor.on_batch(Batch(1, 8, 7)) == Update(ask=FULL_SYNC)
    assert cursor.on_snapshot(Snapshot(1, 7)).ask is None
    assert cursor.synced


# Against a server


class World:
    """A server, one client, and a connection that repeats, drops and delays.

    What the server sends arrives in the order in which it was sent, except that anything may arrive
    again later, and that live events may be dropped. The server answers at its leisure: what it
    says may be older than the live events that arrive before it.
    """

    def __init__(self, max_events):
        self.log = EventLog(HistoryConfig(max_events=max_events, max_age=None))
        self.cursor = Cursor()
        self.questions, self.answers, self.wire, self.delivered = deque(), deque(), deque(), []
        self.state = (0, 0)
        self.n_refreshes = 0
        self.n_questions = 0
        self.connect()

    def connect(self):
        """A new connection; what was under way on the old one is gone."""
        for queue in (self.questions, self.answers, self.wire, self.delivered):
            queue.clear()
        self._ask(self.cursor.on_connect())

    def publish(self):
        """An event happens, and subscribers are told."""
        self.wire.append(Event(self.log.epoch, self.log.publish(0.0)))

    def drop(self):
        """An event happens, and the client is too slow to be told."""
        self.log.publish(0.0)

    def lose_history(self):
        """The server restarts behind a proxy that keeps the connection."""
        self.log.restart(survives=False)

    def think(self):
        """The server works out an answer."""
        if self.questions:
            answer = self.log.since(*self.questions.popleft(), now=0.0)
            if isinstance(answer, Delta):
                self.answers.append(Batch(self.log.epoch, *answer))
            else:
                self.answers.append(Snapshot(self.log.epoch, answer.latest))

    def answer(self):
        """The server sends what it has worked out, perhaps long ago."""
        if self.answers:
            self.wire.append(self.answers.popleft())

    def deliver(self):
        """The next message arrives."""
        if self.wire:
            self.delivered.append(self.wire.popleft())
            self._receive(self.delivered[-1])

    def settle(self):
        """Everything that is under way arrives."""
        for _ in range(50):
            if not (self.questions or self.answers or self.wire):
                return
            self.think()
            self.answer()
            self.deliver()
        raise AssertionError("questions without end")

    def repeat(self, number):
        """A message of this connection arrives again."""
        if self.delivered:
            self._receive(self.delivered[number % len(self.delivered)])

    def heal(self):
        """Nothing goes wrong any more, and one more event shows what is missing."""
        while self.wire:
            self.deliver()
        self.publish()
        self.settle()

    def _receive(self, message):
        cursor = self.cursor
        handlers = {
            Event: cursor.on_event,
            Batch: cursor.on_batch,
            Snapshot: cursor.on_snapshot,
        }
        self._follow(handlers[type(message)](message))

    def _follow(self, update):
        """Do as the client is told, and check that its state stays true."""
        epoch, last = self.state
        if update.refreshed is not None:
            assert update.refreshed[:2] >= self.state, "never back in time"
            epoch, last = update.refreshed[:2]
            self.n_refreshes += 1
        for event in update.applied:
            assert event == last + 1, "each once, in order"
            last = event
        self.state = (epoch, last)
        if self.cursor.epoch is not None:
            assert self.state == (self.cursor.epoch, self.cursor.last)
        if update.ask is not None:
            self._ask(update.ask)

    def _ask(self, question):
        self.questions.append(question)
        self.n_questions += 1


def plans(*steps):
    """Steps in any order, each with a number that some of them need.

    Lists are short unless told otherwise; a failing one shrinks to rests.
    """
    step = st.tuples(st.sampled_from(("rest", *steps)), st.integers(0, 50))
    return st.lists(step, min_size=40, max_size=80)


def live(world, plan):
    """Take the steps of a plan."""
    for step, number in plan:
        if step == "repeat":
            world.repeat(number)
        elif step != "rest":
            getattr(world, step)()


HARMLESS = ("publish", "think", "answer", "deliver", "deliver", "settle", "connect", "repeat")
ANYTHING = (*HARMLESS, "drop", "lose_history")


@settings(max_examples=500)
@given(plans(*ANYTHING), st.none() | st.integers(1, 8))
def test_every_event_is_seen_once_in_order_or_covered_by_a_refresh(plan, max_events):
    """Whatever is repeated, overlaps, is dropped or forgotten; in the end nothing is missing."""
    world = World(max_events)
    live(world, plan)
    world.heal()
    assert world.state == (world.log.epoch, world.log.latest)
    assert world.cursor.synced


@given(plans(*HARMLESS))
def test_while_the_server_remembers_one_refresh_is_enough(plan):
    """The first; from then on every event is seen, and a connection costs one question."""
    world = World(max_events=None)
    live(world, [("think", 0), ("answer", 0), ("deliver", 0), *plan])
    world.heal()
    assert world.state == (1, world.log.latest)
    assert world.n_refreshes == 1
    assert world.n_questions == 1 + [step for step, _ in plan].count("connect")


@given(plans(*ANYTHING), st.integers(1, 8))
def test_questions_are_bounded_by_what_goes_wrong(plan, max_events):
    """No storm of questions, even from a client that is told nonsense."""
    world = World(max_events)
    live(world, plan)
    world.heal()
    n_wrong = sum(step in ("connect", "repeat", "drop", "lose_history") for step, _ in plan)
    assert world.n_questions <= 3 + 2 * n_wrong
