"""A log says what was missed exactly, or that it cannot."""

from hypothesis import given
from hypothesis import strategies as st

from server_stub.history import Delta, EventLog, Full, FullReason, HistoryConfig

UNBOUNDED = HistoryConfig(max_events=None, max_age=None)


def log_of(n_events, config=UNBOUNDED, **options):
    """A log to which an event has been added at t = 1, 2 ... n."""
    log = EventLog(config, **options)
    for at in range(1, n_events + 1):
        log.publish(float(at))
    return log


def test_ids_increase_from_1():
    """And the last one is known."""
    log = EventLog(UNBOUNDED)
    assert [log.publish(0.0) for _ in range(3)] == [1, 2, 3]
    assert log.latest == 3


@given(
    st.lists(st.tuples(st.floats(0.0, 5.0), st.integers(0, 70)), max_size=60),
    st.none() | st.integers(1, 20),
    st.none() | st.floats(0.1, 60.0),
)
def test_a_delta_is_what_was_missed_if_all_of_it_is_remembered(steps, max_events, max_age):
    """Against the plain reading of the two bounds, after every event."""
    log = EventLog(HistoryConfig(max_events=max_events, max_age=max_age))
    now, published = 0.0, []
    for wait, after in steps:
        now += wait
        published.append((log.publish(now), now))
        remembered = [
            event
            for event, at in published[-(max_events or len(published)) :]
            if max_age is None or at >= now - max_age
        ]
        missed = [event for event, _ in published if event > after]
        answer = log.since(log.epoch, after, now)
        if after > log.latest:
            assert answer == Full(FullReason.OTHER_EPOCH, log.latest)
        elif set(missed) <= set(remembered):
            assert list(range(answer.first_id, answer.last_id + 1)) == missed
            assert len(answer) == len(missed)
            assert isinstance(answer, Delta)
        else:
            assert answer == Full(FullReason.TOO_OLD, log.latest)


def test_age_counts_when_nothing_new_is_published():
    """An old event is forgotten when somebody asks for it."""
    log = log_of(3, HistoryConfig(max_age=10.0))
    assert log.since(1, 0, now=11.0) == Delta(1, 3)
    assert log.since(1, 0, now=11.5) == Full(FullReason.TOO_OLD, 3)
    assert log.since(1, 1, now=11.5) == Delta(2, 3)


def test_who_has_seen_everything_missed_nothing():
    """Even when the log has forgotten all of it."""
    log = log_of(3, HistoryConfig(max_age=10.0))
    answer = log.since(1, 3, now=1000.0)
    assert answer == Delta(4, 3)
    assert len(answer) == 0
    assert len(log) == 0


def test_without_a_cursor_there_is_only_the_whole_state():
    """A client that comes for the first time."""
    assert log_of(3).since(None, 0, now=3.0) == Full(FullReason.NO_CURSOR, 3)


def test_a_cursor_from_the_future_is_of_another_history():
    """The server has lost events that the client has seen."""
    assert log_of(3).since(1, 4, now=3.0) == Full(FullReason.OTHER_EPOCH, 3)


def test_a_restart_that_loses_the_log_begins_another_epoch_from_1():
    """A cursor of the old epoch is told so, also when its id exists in the new one."""
    log = log_of(3)
    assert log.restart(survives=False) == 2
    assert log.publish(4.0) == 1
    assert log.since(1, 1, now=4.0) == Full(FullReason.OTHER_EPOCH, 1)
    assert log.since(2, 0, now=4.0) == Delta(1, 1)
    assert len(log) == 1


def test_a_restart_that_the_log_survives_changes_nothing():
    """Cursors stay good."""
    log = log_of(3, epoch=7)
    assert log.restart(survives=True) == 7
    assert log.since(7, 1, now=3.0) == Delta(2, 3)
    assert log.publish(4.0) == 4
