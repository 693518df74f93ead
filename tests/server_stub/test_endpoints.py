"""Which nodes take part at each instant."""

import math

import hypothesis.strategies as st
from hypothesis import given

from server_stub.endpoints import Endpoints, HealthCheck, Stretch, failing_stretch

CHECK = HealthCheck(unhealthy_after=2.0, healthy_after=1.0)
INSTANTS = st.integers(0, 20).map(float)
STRETCHES = st.lists(st.builds(Stretch, st.integers(0, 3), INSTANTS, INSTANTS), max_size=8)


def always(*nodes):
    """These take part from the beginning to the end."""
    return [Stretch(node, -math.inf, math.inf) for node in nodes]


def test_a_node_takes_part_from_its_first_instant_to_just_before_its_last():
    """At the very instant at which its removal is heard of, it is out."""
    endpoints = Endpoints([*always(0), Stretch(1, 3.0, 7.0)])
    assert [tuple(endpoints.at(at)) for at in (-math.inf, 2.9, 3.0, 6.9, 7.0, 99.0)] == [
        (0,),
        (0,),
        (0, 1),
        (0, 1),
        (0,),
        (0,),
    ]


def test_there_may_be_none():
    """Between the last node's going and the first one's coming."""
    endpoints = Endpoints([Stretch(0, -math.inf, 1.0), Stretch(0, 4.0, math.inf)])
    assert [tuple(endpoints.at(at)) for at in (0.0, 1.0, 3.9, 4.0)] == [(0,), (), (), (0,)]


def test_a_node_that_is_down_is_left_out_once_its_check_has_failed():
    """Down from 5 to 15 s: noticed after 2 s, and well again 1 s after it is back."""
    endpoints = Endpoints(always(0, 1), [failing_stretch(CHECK, 1, 5.0, 15.0)])
    assert [tuple(endpoints.at(at)) for at in (6.9, 7.0, 15.9, 16.0)] == [
        (0, 1),
        (0,),
        (0,),
        (0, 1),
    ]


def test_a_node_that_is_back_before_it_was_missed_is_never_left_out():
    """Down for a second and a half only."""
    endpoints = Endpoints(always(0, 1), [failing_stretch(CHECK, 1, 5.0, 6.5)])
    assert all(tuple(endpoints.at(at)) == (0, 1) for at in (6.0, 7.0, 7.2, 8.0))


def test_a_check_that_all_nodes_fail_is_not_believed():
    """So a single node gets its connects whether it is up or down."""
    failing = [failing_stretch(CHECK, node, 5.0, 15.0) for node in (0, 1)]
    endpoints = Endpoints(always(0, 1), failing)
    assert tuple(endpoints.at(10.0)) == (0, 1)
    assert tuple(Endpoints(always(0), failing[:1]).at(10.0)) == (0,)


@given(STRETCHES, STRETCHES, st.floats(-1, 21))
def test_whoever_takes_part_is_a_member_and_well_unless_nobody_is(member, failing, at):
    """The definition, at any instant."""

    def within(stretches):
        return {node for node, first, last in stretches if first <= at < last}

    found = set(Endpoints(member, failing).at(at))
    assert found == (within(member) - within(failing) or within(member))
