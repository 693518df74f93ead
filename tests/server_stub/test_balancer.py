"""Which node a connect goes to."""

from collections import Counter
from itertools import product

import hypothesis.strategies as st
import pytest
from hypothesis import given

from server_stub.balancer import Balancer
from server_stub.wire import Identity

RULES = ["round_robin", "least_connections", "random", "hash"]
NODES = st.lists(st.integers(0, 7), unique=True).map(sorted)


def connect(client, attempt=1, episode=1):
    """Somebody who knocks."""
    return Identity(client, episode, attempt)


def choices(balancer, nodes, clients):
    """Where these clients go, one after the other."""
    return [balancer.choose(nodes, connect(client)) for client in clients]


@pytest.mark.parametrize("rule", RULES)
def test_no_node_is_chosen_where_none_takes_part(rule):
    """Nor is one made up."""
    assert Balancer(rule, 3, seed=1).choose([], connect(0)) is None


@given(st.sampled_from(RULES), st.lists(st.tuples(NODES, st.integers(0, 99))))
def test_whoever_is_chosen_takes_part(rule, connects):
    """Under every rule, however the nodes come and go."""
    balancer = Balancer(rule, 8, seed=1)
    for nodes, client in connects:
        node = balancer.choose(nodes, connect(client))
        assert node in nodes if nodes else node is None
        if node is not None:
            balancer.opened(node)


def test_round_robin_takes_the_nodes_in_turn():
    """From the first on, whoever asks."""
    balancer = Balancer("round_robin", 3, seed=1)
    assert choices(balancer, [0, 1, 2], [5, 5, 5, 9, 9]) == [0, 1, 2, 0, 1]


def test_round_robin_goes_on_after_the_last_one_where_nodes_are_missing():
    """It does not start over when the set changes."""
    balancer = Balancer("round_robin", 4, seed=1)
    assert choices(balancer, [0, 1, 2], range(2)) == [0, 1]
    assert choices(balancer, [0, 1], range(1)) == [0]
    assert choices(balancer, [0, 2, 3], range(3)) == [2, 3, 0]


def test_least_connections_fills_up_a_node_that_is_new():
    """So a node that has just started gets every connect, until it holds as many as the others."""
    balancer = Balancer("least_connections", 3, seed=1)
    for _ in range(4):
        for node in (0, 1):
            balancer.opened(node)
    for client in range(4):
        node = balancer.choose([0, 1, 2], connect(client))
        assert node == 2
        balancer.opened(node)
    assert list(balancer.n_open) == [4, 4, 4]


def test_least_connections_counts_only_connections_that_have_not_ended():
    """One that has ended is no burden any more."""
    balancer = Balancer("least_connections", 2, seed=1)
    for node in (0, 0, 1):
        balancer.opened(node)
    balancer.ended(0)
    balancer.ended(0)
    assert balancer.choose([0, 1], connect(0)) == 0


def test_least_connections_takes_equal_nodes_in_turn():
    """Or the first would get the first connect of every lull."""
    balancer = Balancer("least_connections", 3, seed=1)
    assert choices(balancer, [0, 1, 2], range(4)) == [0, 1, 2, 0]


def test_random_depends_on_the_attempt_alone():
    """Not on what was drawn before, so that the order of processing cannot matter (RULES 1)."""
    keys = [connect(client, attempt) for client, attempt in product(range(20), range(1, 4))]
    one, other = Balancer("random", 5, seed=7), Balancer("random", 5, seed=7)
    forwards = {key: one.choose(range(5), key) for key in keys}
    backwards = {key: other.choose(range(5), key) for key in reversed(keys)}
    assert forwards == backwards
    assert forwards != {key: Balancer("random", 5, seed=8).choose(range(5), key) for key in keys}


@pytest.mark.parametrize("rule", ["random", "hash"])
def test_rules_that_draw_spread_evenly(rule):
    """Each of 5 nodes gets a fifth of 10,000, within four standard deviations (40 each)."""
    balancer = Balancer(rule, 5, seed=3)
    counts = Counter(choices(balancer, range(5), range(10_000)))
    assert all(abs(counts[node] - 2000) < 160 for node in range(5))


@given(NODES.filter(lambda nodes: len(nodes) > 1), st.data())
def test_hash_moves_nobody_but_the_clients_of_the_node_that_leaves(nodes, data):
    """And brings back just those when it returns."""
    gone = data.draw(st.sampled_from(nodes))
    balancer = Balancer("hash", 8, seed=1)
    clients = range(50)
    before = choices(balancer, nodes, clients)
    without = choices(balancer, [node for node in nodes if node != gone], clients)
    assert all(b == w for b, w in zip(before, without, strict=True) if b != gone)
    assert choices(balancer, nodes, clients) == before


def test_hash_spreads_the_clients_of_a_node_that_leaves_over_all_others():
    """No single neighbour inherits them: of about 2,000, each of four others gets about 500."""
    balancer = Balancer("hash", 5, seed=1)
    before = choices(balancer, range(5), range(10_000))
    without = choices(balancer, [0, 1, 3, 4], range(10_000))
    moved = Counter(w for b, w in zip(before, without, strict=True) if b == 2)
    assert all(abs(moved[node] - 500) < 100 for node in (0, 1, 3, 4))


def test_hash_does_not_depend_on_the_attempt():
    """A client stays where it was, whenever it comes."""
    balancer = Balancer("hash", 5, seed=1)
    chosen = {balancer.choose(range(5), connect(3, attempt)) for attempt in range(1, 50)}
    assert len(chosen) == 1
