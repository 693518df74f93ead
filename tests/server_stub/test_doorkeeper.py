"""Whom the rules in front of a node let in, and which of them turns the others away."""

import math

import pytest

from server_stub.config import ServerConfig
from server_stub.doorkeeper import Doorkeeper, Reason

HERE, THERE = "10.0.0.1", "10.0.0.2"


def keeper(**settings):
    """Of a node with these settings."""
    return Doorkeeper(ServerConfig(**settings))


def objection(door, now=0.0, address=HERE, *, n_present=0, n_waiting=0, has_place=True):
    """To an arrival at a node that is empty unless told otherwise."""
    return door.objection(
        now, address=address, n_present=n_present, n_waiting=n_waiting, has_place=has_place
    )


def test_a_node_without_rules_has_none():
    """Everybody is let in, for whom there is a place."""
    door = keeper()
    assert objection(door, n_present=10**6, n_waiting=10**6) is None
    assert objection(door, has_place=False) is Reason.BACKLOG


def test_too_many_connections():
    """The last that fits is let in."""
    door = keeper(max_connections=5)
    assert objection(door, n_present=4) is None
    assert objection(door, n_present=5) is Reason.MAX_CONNECTIONS


def test_too_long_a_queue():
    """Whoever would find `limit` waiting is turned away."""
    door = keeper(admission={"kind": "queue", "limit": 3})
    assert objection(door, n_waiting=2) is None
    assert objection(door, n_waiting=3) is Reason.ADMISSION


def test_a_used_up_quota():
    """`burst` at once, `rate` per second."""
    door = keeper(admission={"kind": "token_bucket", "rate": 2.0, "burst": 3})
    assert [objection(door, 0.0) for _ in range(4)] == [None] * 3 + [Reason.ADMISSION]
    assert [objection(door, 0.5) for _ in range(2)] == [None, Reason.ADMISSION]


def test_a_quota_is_used_up_by_those_that_a_rule_behind_it_turns_away():
    """A gateway does not know how the node behind it fares."""
    door = keeper(admission={"kind": "token_bucket", "rate": 1.0, "burst": 1})
    assert objection(door, has_place=False) is Reason.BACKLOG
    assert objection(door) is Reason.ADMISSION


def test_an_address_may_have_so_many_connections():
    """Each on its own; who leaves makes room."""
    door = keeper(max_per_address={"connections": 2})
    for who in ("first", "second"):
        assert objection(door) is None
        door.enter(who, HERE)
    assert objection(door) is Reason.MAX_PER_ADDRESS
    assert objection(door, address=THERE) is None
    for who in ("first", "first", "somebody else"):
        door.leave(who)
    assert objection(door) is None
    door.enter("third", HERE)
    assert objection(door) is Reason.MAX_PER_ADDRESS


def test_an_address_may_connect_so_often():
    """A token bucket for each."""
    door = keeper(max_per_address={"rate": 1.0, "burst": 2})
    assert [objection(door) for _ in range(3)] == [None, None, Reason.MAX_PER_ADDRESS]
    assert [objection(door, address=THERE) for _ in range(2)] == [None, None]
    assert door.address_waits(HERE, 0.25) == pytest.approx(0.75)
    assert objection(door, 1.0) is None


def test_addresses_that_have_been_silent_are_forgotten():
    """What is remembered is bounded by how many connect within the time a bucket takes to fill."""
    door = keeper(max_per_address={"rate": 1.0, "burst": 1})
    for number in range(20_000):
        assert objection(door, number / 100, address=str(number)) is None
    assert len(door._buckets) <= 1024


def test_the_room_is_what_the_narrowest_rule_leaves():
    """Whatever the addresses."""
    door = keeper(max_connections=10, admission={"kind": "token_bucket", "rate": 1.0, "burst": 4})
    assert door.room(0.0, n_present=8, n_waiting=0) == 2
    assert door.room(0.0, n_present=0, n_waiting=0) == 4
    assert keeper().room(0.0, n_present=10**6, n_waiting=0) == math.inf
    assert keeper(admission={"kind": "queue", "limit": 5}).room(0, n_present=9, n_waiting=3) == 2
