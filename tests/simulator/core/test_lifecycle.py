"""A client's states follow one table, and its events tell the truth about attempts and downtime."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.core.backoff import BASIC, Policy
from simulator.core.lifecycle import (
    TRANSITIONS,
    AttemptEnded,
    Connected,
    Disconnected,
    Failed,
    Lifecycle,
    Reconnecting,
    State,
    Step,
)
from simulator.core.outcomes import NoticedBy, Outcome

FIXED = BASIC["fixed"]
DOUBLING = BASIC["exponential"]
"""1, 2, 4, 8, 10, 10 ... seconds."""


def lifecycle(policy=FIXED, draw=lambda episode, attempt: 0.5, *, due_at=0.0):
    """The life of client 7, whose first attempt is due."""
    return Lifecycle(7, policy, draw, due_at=due_at)


def open_at(life, at):
    """The attempt succeeds; says how the client announces it."""
    return life.opened(at, at)[1]


def fail_at(life, at, *, started_at=None, retry_after=0.0):
    """The attempt is refused; says how it goes on."""
    started_at = at if started_at is None else started_at
    return life.attempt_failed(started_at, at, Outcome.REFUSED, retry_after)[1]


def lose_at(life, at):
    """The connection is reset; says how it goes on."""
    return life.lost(at, NoticedBy.RESET, 1006, "")[1]


# The table

GIVES_UP = Policy(growth="constant", max_attempts=0)


def in_state(state):
    """A client that has got into this state by the shortest way."""
    life = lifecycle(GIVES_UP if state is State.FAILED else FIXED)
    if state in (State.CONNECTED, State.BACKING_OFF, State.FAILED):
        open_at(life, 0.0)
    if state in (State.BACKING_OFF, State.FAILED):
        lose_at(life, 1.0)
    if state is State.CLOSED:
        life.close()
    assert life.state is state
    return life


TAKE = {
    Step.OPENED: lambda life: open_at(life, 2.0),
    Step.ATTEMPT_FAILED: lambda life: fail_at(life, 2.0),
    Step.LOST: lambda life: lose_at(life, 2.0),
    Step.DIAL: Lifecycle.dial,
    Step.CLOSE: Lifecycle.close,
}
"""How each step that comes from outside is taken; giving up follows from the policy."""


@pytest.mark.parametrize(("state", "step"), [pair for pair in TRANSITIONS if pair[1] in TAKE])
def test_a_listed_step_leads_where_the_table_says(state, step):
    """Every step of the table can be taken."""
    life = in_state(state)
    TAKE[step](life)
    assert life.state is TRANSITIONS[state, step]


@pytest.mark.parametrize(
    ("state", "step"),
    [pair for pair in itertools.product(State, TAKE) if pair not in TRANSITIONS],
)
def test_a_step_that_is_not_listed_is_an_error(state, step):
    """A client does nothing out of turn, and stays what it was."""
    life = in_state(state)
    with pytest.raises(RuntimeError, match=f"client 7: .*{step.name}.* while .*{state.name}"):
        TAKE[step](life)
    assert life.state is state


def test_giving_up_is_a_step_from_backing_off():
    """The table lists it, and the policy takes it."""
    assert TRANSITIONS[State.BACKING_OFF, Step.GAVE_UP] is State.FAILED
    assert in_state(State.FAILED).state is State.FAILED


# What the events say


def test_the_first_connection_is_no_reconnect():
    """It ends no downtime, however many attempts it took."""
    life = lifecycle(due_at=5.0)
    fail_at(life, 5.5)
    life.dial()
    assert open_at(life, 6.6) == Connected(
        client=7, at=6.6, was_reconnect=False, attempt=2, downtime=0.0
    )


def test_a_reconnect_says_so_after_its_counter_was_reset():
    """`was_reconnect`, `attempt` and `downtime` are those of the episode that just ended."""
    life = lifecycle()
    open_at(life, 0.0)
    lose_at(life, 10.0)
    for at in (11.0, 12.0):
        life.dial()
        fail_at(life, at)
    life.dial()
    assert open_at(life, 13.5) == Connected(
        client=7, at=13.5, was_reconnect=True, attempt=3, downtime=3.5
    )


def test_a_loss_begins_the_next_episode():
    """Episodes count losses; attempts count from 1 in each."""
    life = lifecycle()
    open_at(life, 0.0)
    disconnected, reconnecting = life.lost(10.0, NoticedBy.CLOSE_FRAME, 1012, "restart")
    assert disconnected == Disconnected(
        client=7,
        at=10.0,
        episode=1,
        noticed_by=NoticedBy.CLOSE_FRAME,
        close_code=1012,
        reason="restart",
    )
    assert reconnecting == Reconnecting(client=7, attempt=1, delay=1.0, due_at=11.0)


def test_an_attempt_keeps_what_it_owed_beside_what_it_did():
    """The record holds due, start and end, so that lag can be told from latency."""
    life = lifecycle(due_at=3.0)
    ended, _ = life.attempt_failed(3.2, 4.0, Outcome.TIMED_OUT)
    assert ended == AttemptEnded(
        client=7,
        episode=0,
        attempt=1,
        due_at=3.0,
        started_at=3.2,
        ended_at=4.0,
        outcome=Outcome.TIMED_OUT,
    )


def test_an_attempt_cut_short_is_recorded_as_it_stood():
    """Cancelling from outside is an outcome of its own."""
    life = lifecycle(due_at=3.0)
    ended = life.cancelled(3.2, 4.0)
    assert (ended.attempt, ended.due_at, ended.outcome) == (1, 3.0, Outcome.CANCELLED)


# The delay


def delays_of(life, n):
    """The delays of n failing attempts in a row, from a loss at t = 0 on."""
    steps = [lose_at(life, 0.0)]
    while len(steps) < n:
        life.dial()
        steps.append(fail_at(life, steps[-1].due_at))
    return [step.delay for step in steps]


def test_delays_grow_from_the_first():
    """The delay after a loss is the policy's first; each failure takes the next."""
    life = lifecycle(DOUBLING)
    open_at(life, 0.0)
    assert delays_of(life, 5) == [1.0, 2.0, 4.0, 8.0, 10.0]


def test_decorrelated_jitter_remembers_the_delay_before():
    """With u = 1/2 a delay lies midway between the base and three times the one before."""
    life = lifecycle(Policy(jitter="decorrelated"))
    open_at(life, 0.0)
    assert delays_of(life, 3) == [2.0, 3.5, 5.75]


def test_a_delay_counts_from_the_end_of_the_failed_attempt():
    """An attempt that took long does not shorten the wait after it."""
    step = fail_at(lifecycle(), 8.0, started_at=0.0)
    assert (step.due_at, step.delay) == (9.0, 1.0)


def test_a_delay_may_count_from_the_start_of_the_failed_attempt():
    """Some libraries run their timer while they connect: what is left of it is waited."""
    policy = FIXED.model_copy(update={"count_from": "start"})
    step = fail_at(lifecycle(policy), 0.25, started_at=0.0)
    assert (step.due_at, step.delay) == (1.0, 0.75)


def test_a_delay_that_is_over_already_is_none():
    """An attempt longer than the delay counted from its start is followed at once, never before."""
    policy = FIXED.model_copy(update={"count_from": "start"})
    step = fail_at(lifecycle(policy), 8.0, started_at=0.0)
    assert (step.due_at, step.delay) == (8.0, 0.0)


def test_the_first_delay_counts_from_the_loss_whatever_the_policy_says():
    """There is no attempt whose start could count."""
    life = lifecycle(FIXED.model_copy(update={"count_from": "start"}))
    open_at(life, 0.0)
    assert lose_at(life, 10.0).due_at == 11.0


@pytest.mark.parametrize(("retry_after", "due_at"), [(0.0, 5.0), (0.5, 5.0), (30.0, 34.0)])
def test_retry_after_is_a_lower_bound(retry_after, due_at):
    """A client waits for what the server asks, or for its own delay if that is longer."""
    assert fail_at(lifecycle(), 4.0, retry_after=retry_after).due_at == due_at


def test_a_long_retry_after_does_not_grow_the_delay():
    """Only the policy's own delays feed the policy."""
    life = lifecycle(Policy(jitter="decorrelated"))
    fail_at(life, 0.0, retry_after=100.0)
    life.dial()
    assert fail_at(life, 200.0).delay == 3.5


# The counter


def test_without_reset_after_any_connection_resets_the_counter():
    """The next loss starts from the first delay again."""
    life = lifecycle(DOUBLING.model_copy(update={"reset_after": None}))
    open_at(life, 0.0)
    delays_of(life, 4)
    life.dial()
    open_at(life, 20.0)
    assert lose_at(life, 20.0).delay == 1.0


def test_with_reset_after_a_short_connection_does_not_reset_the_counter():
    """A server that accepts and drops its clients meets growing delays."""
    life = lifecycle(DOUBLING.model_copy(update={"reset_after": 5.0}))
    delays = []
    for turn in range(4):
        open_at(life, 100.0 * turn)
        delays.append(lose_at(life, 100.0 * turn + 4.9).delay)
        life.dial()
    assert delays == [1.0, 2.0, 4.0, 8.0]


def test_with_reset_after_a_long_connection_resets_the_counter():
    """Exactly that many seconds are enough."""
    life = lifecycle(DOUBLING.model_copy(update={"reset_after": 5.0}))
    open_at(life, 0.0)
    delays_of(life, 4)
    life.dial()
    open_at(life, 100.0)
    assert lose_at(life, 105.0).delay == 1.0


def test_attempts_count_from_one_whether_or_not_the_counter_was_reset():
    """The attempt belongs to the episode, the step to the policy."""
    life = lifecycle(DOUBLING.model_copy(update={"reset_after": 5.0}))
    open_at(life, 0.0)
    delays_of(life, 3)
    life.dial()
    open_at(life, 100.0)
    step = lose_at(life, 100.0)
    assert (step.attempt, step.delay) == (1, 8.0)


# Giving up


def test_a_client_gives_up_after_max_attempts():
    """So many retries are made, then it fails for good, saying how many there were."""
    life = lifecycle(FIXED.model_copy(update={"max_attempts": 3}))
    open_at(life, 0.0)
    assert delays_of(life, 3) == [1.0, 1.0, 1.0]
    life.dial()
    assert fail_at(life, 9.0) == Failed(
        client=7, at=9.0, attempts=3, reason="max_attempts = 3 are used up"
    )
    assert life.state is State.FAILED


def test_the_ramp_has_one_attempt_before_its_retries():
    """The first attempt of all is no retry."""
    life = lifecycle(FIXED.model_copy(update={"max_attempts": 1}))
    assert isinstance(fail_at(life, 1.0), Reconnecting)
    life.dial()
    assert fail_at(life, 2.0) == Failed(
        client=7, at=2.0, attempts=2, reason="max_attempts = 1 are used up"
    )


def test_a_client_that_never_retries_gives_up_at_the_loss():
    """`max_attempts = 0` leaves nothing to wait for."""
    life = lifecycle(GIVES_UP)
    open_at(life, 0.0)
    assert lose_at(life, 3.0) == Failed(
        client=7, at=3.0, attempts=0, reason="max_attempts = 0 are used up"
    )


# The draws


def test_draws_are_keyed_by_episode_and_attempt():
    """Each wait asks for the draw of the attempt that it precedes."""
    asked = []

    def draw(episode, attempt):
        asked.append((episode, attempt))
        return 0.5

    life = lifecycle(DOUBLING, draw)
    fail_at(life, 0.0)
    life.dial()
    open_at(life, 1.0)
    lose_at(life, 2.0)
    life.dial()
    fail_at(life, 3.0)
    assert asked == [(0, 2), (1, 1), (1, 2)]


def test_the_draw_decides_the_delay():
    """Full jitter waits the drawn share."""
    life = lifecycle(BASIC["exponential-full-jitter"], lambda episode, attempt: attempt / 10)
    open_at(life, 0.0)
    assert delays_of(life, 3) == pytest.approx([0.1, 0.4, 1.2])


# Random lives

POLICIES = st.builds(
    lambda name, changes: BASIC[name].model_copy(update=changes),
    st.sampled_from(sorted(BASIC)),
    st.fixed_dictionaries(
        {},
        optional={
            "max_attempts": st.integers(0, 4),
            "reset_after": st.floats(0.1, 10.0),
            "count_from": st.just("start"),
            "immediate_first": st.just(True),
        },
    ),
)
"""Every basic policy, with the settings that the lifecycle itself looks at."""


@given(POLICIES, st.data())
def test_in_any_life_attempts_are_contiguous_and_nothing_is_due_in_the_past(policy, data):
    """Attempts run 1, 2, 3 ... within an episode, waits never end before now, failure is final."""
    life = lifecycle(policy, lambda episode, attempt: (episode + attempt) % 10 / 10 + 0.05)
    now, episode, attempt = 0.0, 0, 1
    for _ in range(data.draw(st.integers(1, 25))):
        assert (life.episode, life.attempt) == (episode, attempt)
        started_at, now = now, now + data.draw(st.floats(0.0, 20.0))
        if life.state is State.CONNECTED:
            disconnected, next_step = life.lost(now, NoticedBy.EOF, 1006, "")
            episode, attempt = episode + 1, 0
            assert disconnected.episode == episode
        elif data.draw(st.booleans()):
            ended, connected = life.opened(started_at, now)
            assert (ended.attempt, connected.attempt) == (attempt, attempt)
            assert connected.was_reconnect is (episode > 0)
            continue
        else:
            retry_after = data.draw(st.sampled_from([0.0, 2.0]))
            ended, next_step = life.attempt_failed(started_at, now, Outcome.REJECTED, retry_after)
            assert (ended.episode, ended.attempt) == (episode, attempt)
        if isinstance(next_step, Failed):
            assert next_step.attempts == attempt
            break
        attempt += 1
        assert next_step.attempt == attempt
        assert next_step.delay >= 0.0
        assert life.due_at == next_step.due_at >= now
        life.dial()
        now = life.due_at
    if life.state is State.FAILED:
        for step in TAKE.values():
            if step is not Lifecycle.close:
                with pytest.raises(RuntimeError):
                    step(life)
