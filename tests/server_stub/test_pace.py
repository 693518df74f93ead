"""How much longer services take: while a node is slow, and while it is cold after a restart."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from server_stub.admission import Desk, Job
from server_stub.config import ServerConfig
from server_stub.outage import Outage, unfold
from server_stub.pace import Pace

SLOW = {"kind": "slow", "starts_at": 2.0, "down_for": 6.0, "slow_factor": 4.0}
COLD = {"kind": "cold", "starts_at": 2.0, "down_for": 6.0, "slow_factor": 5.0, "cold_for": 16.0}


def pace(*outages, origin=0.0):
    """Of a node with this schedule."""
    return Pace(unfold(Outage(**outage) for outage in outages), origin=origin)


@pytest.mark.parametrize(("at", "factor"), [(0, 1), (1.999, 1), (2, 4), (7.999, 4), (8, 1)])
def test_a_slow_node_is_slow_from_its_start_up_to_its_end(at, factor):
    """The start is part of it, the end is not."""
    assert pace(SLOW).factor(at) == factor


@pytest.mark.parametrize(
    ("at", "factor"),
    [(0, 1), (5, 1), (7.999, 1), (8, 5), (12, 4), (16, 3), (24, 1)],
)
def test_a_cold_node_warms_up_in_a_straight_line(at, factor):
    """From the moment at which it is back."""
    assert pace(COLD).factor(at) == pytest.approx(factor)


@pytest.mark.parametrize("kind", ["crash", "drain"])
def test_other_restarts_can_leave_the_node_cold(kind):
    """A crash, and a drain, whose end counts from its start as that of all outages does."""
    drain = {"drain_over": 3.0} if kind == "drain" else {}
    assert pace({**COLD, **drain, "kind": kind}).factor(12) == pytest.approx(4)


@pytest.mark.parametrize(
    "outage",
    [
        {"kind": "graceful"},
        {"kind": "crash"},
        {"kind": "freeze"},
        {"kind": "network"},
        {"kind": "idle_timeout", "idle_for": 1.0},
        {"kind": "drain", "drain_over": 1.0},
    ],
)
@given(at=st.floats(0, 100))
def test_other_outages_leave_service_times_alone(outage, at):
    """While they last and afterwards."""
    assert pace({"starts_at": 2.0, "down_for": 6.0, **outage}).factor(at) == 1


def test_a_restart_ends_the_cold_spell_of_the_one_before():
    """The node warms up from the last one alone."""
    again = {**COLD, "kind": "crash", "starts_at": 10.0, "down_for": 2.0}
    assert pace(COLD, again).factor(12) == 5
    warm = {"kind": "crash", "starts_at": 10.0, "down_for": 2.0}
    assert pace(COLD, warm).factor(12) == 1


def test_a_node_that_is_slow_and_cold_is_both():
    """The factors multiply."""
    assert pace(COLD, {**SLOW, "starts_at": 10.0}).factor(12) == pytest.approx(4 * 4)


def test_a_slow_spell_comes_back_with_its_outage():
    """`every` so many seconds."""
    repeated = pace({**SLOW, "every": 10.0, "count": 3})
    assert [repeated.factor(at) for at in (1, 3, 9, 13, 19, 23, 29, 33)] == [1, 4, 1, 4, 1, 4, 1, 1]


def test_instants_are_readings_of_the_clock():
    """The schedule begins at its origin."""
    assert pace(SLOW, origin=100.0).factor(103) == 4
    assert pace(SLOW, origin=100.0).factor(3) == 1


def last_departure(schedule, n_jobs, service_time, at=0.0):
    """When one worker is done with a crowd that arrives at one instant."""
    desk = Desk(ServerConfig(workers=1, backlog=10**6), pace=schedule)
    jobs = [Job(arrived_at=at, service_time=service_time) for _ in range(n_jobs)]
    for job in jobs:
        desk.arrive(job)
    desk.finish(1e9)
    return jobs[-1].due_at


def test_a_slow_node_takes_exactly_so_many_times_as_long():
    """The makespan of a crowd within the spell is n s f."""
    whole = pace({**SLOW, "starts_at": 0.0, "down_for": 1000.0})
    assert last_departure(whole, 50, 0.25) == pytest.approx(50 * 0.25 * 4.0)


def test_only_services_that_begin_within_a_slow_spell_are_slowed():
    """Of services of 1 s from 0 s on: two before it, then four seconds each for those begun in it.

    They begin at 0, 1 | 2, 6 | 10, 11 s: the second of the slowed ones ends after the spell, at its
    own pace.
    """
    assert last_departure(pace(SLOW), 2, 1.0) == 2.0
    assert last_departure(pace(SLOW), 4, 1.0) == 10.0
    assert last_departure(pace(SLOW), 6, 1.0) == 12.0


@given(n_jobs=st.integers(1, 300), service_time=st.floats(0.001, 0.2))
def test_a_cold_node_serves_a_crowd_in_the_closed_form(n_jobs, service_time):
    """The k-th departs s f (1 - (1 - a)^k) / a after the node is back, a = s (f - 1) / T.

    Each service multiplies what is left of the way to s f / a by 1 - a: t' = t (1 - a) + s f. That
    holds for those that begin while the node is cold.
    """
    factor, cold_for, back_at = 5.0, 16.0, 8.0
    a = service_time * (factor - 1) / cold_for
    began = service_time * factor * (1 - (1 - a) ** (n_jobs - 1)) / a
    if began < cold_for:
        expected = back_at + service_time * factor * (1 - (1 - a) ** n_jobs) / a
        found = last_departure(pace(COLD), n_jobs, service_time, at=back_at)
        assert found == pytest.approx(expected)
