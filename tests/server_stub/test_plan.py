"""Outages and deploys together, node by node."""

import math

import pytest

from server_stub.deploy import Deploy
from server_stub.endpoints import HealthCheck
from server_stub.outage import Outage, OutageKind
from server_stub.plan import plan

CHECK = HealthCheck(unhealthy_after=2.0, healthy_after=1.0)
SURGE = {"max_surge": 1, "max_unavailable": 0, "ready_after": 5.0}
IN_PLACE = {"max_surge": 0, "max_unavailable": 1, "ready_after": 5.0}


def spans(windows):
    """Where each window begins and ends."""
    return [(window.starts_at, window.ends_at) for window in windows]


def test_an_outage_hits_all_nodes_or_those_that_it_names():
    """Each node goes through its own."""
    schedule = plan(
        3,
        [
            Outage(starts_at=1.0, down_for=2.0, nodes=[0, 2]),
            Outage(starts_at=5.0, down_for=1.0, kind="crash"),
        ],
    )
    assert schedule.n_places == 3
    assert [window.nodes for window in schedule.windows] == [(0, 2), (0, 1, 2)]
    assert spans(schedule.windows_of(0)) == spans(schedule.windows_of(2)) == [(1, 3), (5, 6)]
    assert spans(schedule.windows_of(1)) == [(5, 6)]


def test_different_nodes_may_be_down_at_a_time():
    """It is for one node that two outages are one too many."""
    first = Outage(starts_at=1.0, down_for=5.0, nodes=[0])
    plan(3, [first, Outage(starts_at=2.0, down_for=5.0, nodes=[1])])
    for nodes in ([0, 1], None):
        with pytest.raises(ValueError, match="at 2 s starts before the one at 1 s has ended"):
            plan(3, [first, Outage(starts_at=2.0, down_for=5.0, nodes=nodes)])


def test_a_cut_of_the_network_hits_no_node():
    """It is between a cohort and all of them."""
    (window,) = plan(2, [Outage(starts_at=1.0, down_for=5.0, kind="network")]).windows
    assert window.nodes is None


def test_an_outage_of_a_node_that_is_not_there_is_an_error():
    """Whether there never is one or a deploy has left its place empty."""
    with pytest.raises(ValueError, match=r"hits node 3, which is not there; allowed: 0, 1, 2"):
        plan(3, [Outage(starts_at=1.0, down_for=5.0, nodes=[3])])
    late = Outage(starts_at=100.0, down_for=5.0, nodes=[2])
    with pytest.raises(ValueError, match=r"hits node 2, which is not there; allowed: 0, 1, 3"):
        plan(3, [late], [Deploy(starts_at=1.0, **SURGE)])


def test_a_deploy_in_place_takes_each_node_down_until_it_is_ready_again():
    """With one row for each node, all under one number."""
    schedule = plan(2, [], [Deploy(starts_at=10.0, pre_stop=1.0, drain_over=2.0, **IN_PLACE)])
    assert [(window.index, window.nodes) for window in schedule.windows] == [(0, (0,)), (0, (1,))]
    assert spans(schedule.windows) == [(11.0, 18.0), (19.0, 26.0)]
    assert all(window.up_again_at == window.ends_at for window in schedule.windows)
    assert all(window.kind is OutageKind.DRAIN for window in schedule.windows)
    assert [window.killed_at for window in schedule.windows] == [40.0, 48.0]
    assert schedule.n_places == 2


def test_a_deploy_with_a_surge_leaves_a_place_empty():
    """The last node to go is over when it is gone, and does not come back."""
    schedule = plan(2, [], [Deploy(starts_at=10.0, **SURGE)])
    first, last = schedule.windows
    assert (first.nodes, first.starts_at, first.ends_at, first.up_again_at) == ((0,), 15, 20, 20)
    assert (last.nodes, last.starts_at, last.ends_at, last.up_again_at) == ((1,), 20, 20, math.inf)
    assert schedule.n_places == 3
    assert [schedule.is_taken(node) for node in range(3)] == [True, True, False]
    (empty,) = schedule.windows_of(2)
    assert (empty.index, empty.starts_at, empty.up_again_at) == (-1, -math.inf, 15.0)
    assert [schedule.present(at) for at in (14.9, 15.0, 20.0)] == [(0, 1), (1, 2), (0, 2)]


def test_a_deploy_without_a_drain_is_graceful():
    """All close frames at once."""
    (window,) = plan(1, [], [Deploy(starts_at=10.0, close_code=4001, **IN_PLACE)]).windows
    assert (window.kind, window.close_code) == (OutageKind.GRACEFUL, 4001)


def test_outages_and_deploys_are_numbered_together():
    """By start."""
    schedule = plan(
        2,
        [Outage(starts_at=1.0, down_for=1.0), Outage(starts_at=90.0, down_for=1.0)],
        [Deploy(starts_at=50.0, **IN_PLACE), Deploy(starts_at=10.0, **IN_PLACE)],
    )
    assert [window.index for window in schedule.windows] == [0, 1, 1, 2, 2, 3]
    assert [window.starts_at for window in schedule.windows] == [1, 10, 15, 50, 55, 90]


def test_a_second_deploy_fills_the_place_that_the_first_has_left():
    """Which is then up again, though the first deploy was over long before."""
    schedule = plan(2, [], [Deploy(starts_at=10.0, **SURGE), Deploy(starts_at=100.0, **SURGE)])
    of_the_first = schedule.windows_of(1)[0]
    assert (of_the_first.ends_at, of_the_first.up_again_at) == (20.0, 105.0)
    assert schedule.n_places == 3


def test_a_deploy_must_be_over_before_the_next():
    """An orchestrator would drop the first in the middle; ours goes through with it."""
    deploys = [Deploy(starts_at=10.0, **SURGE), Deploy(starts_at=19.9, **SURGE)]
    with pytest.raises(ValueError, match=r"at 19\.9 s starts before the one at 10 s is over \(20"):
        plan(2, [], deploys)


@pytest.mark.parametrize("starts_at", [4.0, 10.0, 19.0])
def test_no_node_may_break_down_during_a_deploy(starts_at):
    """An orchestrator would wait for it; ours does not know of outages."""
    outage = Outage(starts_at=starts_at, down_for=8.0, kind="crash", nodes=[0])
    with pytest.raises(ValueError, match=r"stops nodes during the deploy at 10 s, .* until 20 s"):
        plan(2, [outage], [Deploy(starts_at=10.0, **IN_PLACE)])


def test_paths_may_be_cut_and_nodes_be_slow_during_a_deploy():
    """A slow outage of all nodes is one of the new ones, too."""
    outages = [
        Outage(starts_at=10.0, down_for=8.0, kind="network"),
        Outage(starts_at=12.0, down_for=4.0, kind="slow", slow_factor=2.0),
    ]
    schedule = plan(2, outages, [Deploy(starts_at=10.0, **SURGE)])
    slow = next(window for window in schedule.windows if window.kind is OutageKind.SLOW)
    assert slow.nodes == (0, 1, 2)


def test_the_balancer_hears_late_that_a_node_goes():
    """So a node without a pause refuses connects that are still sent to it."""
    schedule = plan(2, [], [Deploy(starts_at=10.0, endpoint_removal_lag=1.5, **IN_PLACE)])
    assert [tuple(schedule.endpoints.at(at)) for at in (11.4, 11.5, 15.0, 16.4, 16.5, 20.0)] == [
        (0, 1),
        (1,),
        (0, 1),
        (0, 1),
        (0,),
        (0, 1),
    ]


def test_the_balancer_finds_out_that_a_node_is_down():
    """A deploy needs no check: the orchestrator tells."""
    outage = Outage(starts_at=5.0, down_for=10.0, kind="crash", nodes=[1])
    checked, unchecked = plan(2, [outage], [], CHECK), plan(2, [outage])
    assert [tuple(checked.endpoints.at(at)) for at in (6.9, 7.0, 16.0)] == [(0, 1), (0,), (0, 1)]
    assert tuple(unchecked.endpoints.at(10.0)) == (0, 1)


def test_slow_nodes_pass_their_check():
    """They do answer."""
    slow = Outage(starts_at=5.0, down_for=10.0, kind="slow", slow_factor=9.0, nodes=[1])
    assert tuple(plan(2, [slow], [], CHECK).endpoints.at(10.0)) == (0, 1)


def test_a_schedule_of_nothing():
    """All nodes, always."""
    schedule = plan(3)
    assert schedule.windows == ()
    assert tuple(schedule.endpoints.at(1e9)) == schedule.present(-1e9) == (0, 1, 2)


def test_a_new_process_is_cold_as_its_own_deploy_says():
    """Also one that comes to a place which an earlier deploy has left."""
    deploys = [
        Deploy(starts_at=10.0, **SURGE),
        Deploy(starts_at=100.0, slow_factor=3.0, cold_for=4.0, **SURGE),
    ]
    schedule = plan(2, [], deploys)
    assert schedule.windows_of(2)[0].slow_factor == 1.0
    assert schedule.windows_of(1)[0].slow_factor == 3.0
    assert schedule.windows_of(1)[0].cold_for == 4.0


def test_whether_others_serve_meanwhile():
    """Then a client need not wait until its node is back."""
    outages = [
        Outage(starts_at=1.0, down_for=1.0, nodes=[0]),
        Outage(starts_at=5.0, down_for=1.0),
        Outage(starts_at=9.0, down_for=1.0, nodes=[0, 1]),
    ]
    assert [window.others_serve for window in plan(2, outages).windows] == [True, False, False]
    for unavailable, serve in ((1, True), ("100%", False)):
        deploy = Deploy(starts_at=10.0, max_surge=0, max_unavailable=unavailable)
        assert all(window.others_serve is serve for window in plan(2, [], [deploy]).windows)


def test_a_node_that_is_added_takes_part_once_it_is_ready():
    """In a place that was kept for it; the outages of all nodes that follow are its own, too."""
    outages = [
        Outage(starts_at=1.0, down_for=9.0, kind="crash"),
        Outage(starts_at=20.0, down_for=9.0, kind="crash"),
        Outage(starts_at=40.0, down_for=9.0, kind="crash", nodes=[0]),
    ]
    before = plan(1, outages, [], CHECK, most=3)
    after = before.joined(1, starts_at=4.0, ready_at=6.0)
    assert before.n_places == after.n_places == 3
    assert [window.nodes for window in after.windows] == [(0,), (0, 1), (0,)]
    assert [after.present(at) for at in (5.9, 6.0)] == [(0,), (0, 1)]
    assert [tuple(after.endpoints.at(at)) for at in (5.9, 6.0, 25.0, 45.0)] == [
        (0,),
        (1,),
        (0, 1),
        (1,),
    ]
    empty, crash = after.windows_of(1)
    assert (empty.index, empty.up_again_at, crash.starts_at) == (-1, 6.0, 20.0)
    assert [window.nodes for window in before.windows] == [(0,), (0,), (0,)]
