"""Which process takes which node's place when."""

import math
from itertools import pairwise

import hypothesis.strategies as st
import pytest
from hypothesis import given

from server_stub.deploy import Deploy
from server_stub.rollout import first_processes, roll_out

AMOUNTS = st.integers(0, 5) | st.integers(0, 100).map("{}%".format)
SOME_SECONDS = st.sampled_from([0.0, 1.0, 2.5, 7.0])


@st.composite
def deploys(draw):
    """Any deploy that is allowed."""
    surge, unavailable = draw(AMOUNTS), draw(AMOUNTS)
    if surge in (0, "0%") and unavailable in (0, "0%"):
        surge = 1
    return Deploy(
        starts_at=draw(SOME_SECONDS),
        max_surge=surge,
        max_unavailable=unavailable,
        ready_after=draw(st.sampled_from([0.5, 1.0, 5.0])),
        pre_stop=draw(SOME_SECONDS),
        drain_over=draw(SOME_SECONDS),
        grace=draw(st.sampled_from([7.5, 10.0, 30.0])),
    )


def rolled(n_nodes=3, **settings):
    """The old and the new processes of a deploy at 10 s."""
    processes = roll_out(Deploy(starts_at=10.0, **settings), first_processes(n_nodes))
    return processes[:n_nodes], processes[n_nodes:]


def test_one_at_a_time_in_its_own_place():
    """Each node is told to go when the one before it is ready again, 5 s after it went."""
    old, new = rolled(max_surge=0, max_unavailable=1, ready_after=5.0)
    assert [(process.node, process.told_at, process.gone_at) for process in old] == [
        (0, 10.0, 10.0),
        (1, 15.0, 15.0),
        (2, 20.0, 20.0),
    ]
    assert [(process.node, process.starts_at, process.ready_at) for process in new] == [
        (0, 10.0, 15.0),
        (1, 15.0, 20.0),
        (2, 20.0, 25.0),
    ]


def test_with_a_surge_the_new_one_comes_first():
    """The first takes a place of its own, each later one that of the node which went before it."""
    old, new = rolled(max_surge=1, max_unavailable=0, ready_after=5.0, pre_stop=1.0, drain_over=2.0)
    assert [
        (process.node, process.told_at, process.stops_at, process.gone_at) for process in old
    ] == [
        (0, 15.0, 16.0, 18.0),
        (1, 23.0, 24.0, 26.0),
        (2, 31.0, 32.0, 34.0),
    ]
    assert [(process.node, process.starts_at, process.ready_at) for process in new] == [
        (3, 10.0, 15.0),
        (0, 18.0, 23.0),
        (1, 26.0, 31.0),
    ]


def test_all_at_once():
    """Where all may be missing, all go at the start."""
    old, new = rolled(max_surge=0, max_unavailable="100%", ready_after=6.0)
    assert [process.told_at for process in old] == [10.0] * 3
    assert [(process.node, process.ready_at) for process in new] == [
        (0, 16.0),
        (1, 16.0),
        (2, 16.0),
    ]


def test_blue_and_green():
    """Where the surge is as large as the fleet, nobody goes before all the new ones are ready."""
    old, new = rolled(max_surge="100%", max_unavailable=0, ready_after=6.0)
    assert [(process.node, process.ready_at) for process in new] == [
        (3, 16.0),
        (4, 16.0),
        (5, 16.0),
    ]
    assert [process.told_at for process in old] == [16.0] * 3


@pytest.mark.parametrize(("drain_over", "gone_after"), [(4.0, 6.0), (28.0, 30.0), (60.0, 30.0)])
def test_a_process_ends_with_its_drain_or_is_killed(drain_over, gone_after):
    """Counted from when it was told, the pause included."""
    old, _ = rolled(max_surge=1, max_unavailable=0, pre_stop=2.0, drain_over=drain_over)
    assert all(process.gone_at - process.told_at == gone_after for process in old)


def test_a_deploy_after_a_deploy_starts_where_that_has_left():
    """The place that was left empty is the first to be taken."""
    _, running = rolled(max_surge=1, max_unavailable=0)
    later = Deploy(starts_at=100.0, max_surge=1, max_unavailable=0)
    processes = roll_out(later, running)
    assert {process.node for process in running} == {3, 0, 1}
    assert [process.node for process in processes[:3]] == [0, 1, 3]
    assert [process.node for process in processes[3:]] == [2, 0, 1]


@given(deploys(), st.integers(1, 12))
def test_every_process_is_replaced_exactly_once(deploy, n_nodes):
    """By as many new ones, each in a place that nobody else takes at the time."""
    processes = roll_out(deploy, first_processes(n_nodes))
    old, new = processes[:n_nodes], processes[n_nodes:]
    assert sorted(process.node for process in old) == list(range(n_nodes))
    assert len(new) == n_nodes
    assert all(math.isfinite(process.gone_at) for process in old)
    assert all(process.gone_at == math.inf for process in new)
    for place in {process.node for process in processes}:
        tenants = sorted(
            (process for process in processes if process.node == place),
            key=lambda process: process.starts_at,
        )
        for before, after in pairwise(tenants):
            assert before.gone_at <= after.starts_at


@given(deploys(), st.integers(1, 12))
def test_never_are_too_many_there_or_too_few_ready(deploy, n_nodes):
    """At no instant more than nodes + max_surge, nor fewer ready than nodes - max_unavailable."""
    processes = roll_out(deploy, first_processes(n_nodes))
    for now in instants(processes):
        there = [process for process in processes if process.starts_at <= now < process.gone_at]
        ready = [process for process in processes if process.ready_at <= now < process.told_at]
        assert len(there) <= n_nodes + deploy.surge(n_nodes)
        assert len(ready) >= n_nodes - deploy.unavailable(n_nodes)


@given(deploys(), st.integers(1, 12))
def test_no_time_is_lost(deploy, n_nodes):
    """Until all is done, one process at least is starting or ending."""
    processes = roll_out(deploy, first_processes(n_nodes))
    at = instants(processes)
    for now in at[:-1]:
        assert any(
            process.starts_at <= now < process.ready_at or process.told_at <= now < process.gone_at
            for process in processes
        )
    assert at[0] == deploy.starts_at


def instants(processes):
    """When anything happens to any of them, in order."""
    every = {at for process in processes for at in vars_of(process) if math.isfinite(at)}
    return sorted(every)


def vars_of(process):
    """The instants in the life of a process."""
    return process.starts_at, process.ready_at, process.told_at, process.stops_at, process.gone_at
