"""How many more nodes an autoscaler asks for."""

import hypothesis.strategies as st
import pytest
from hypothesis import given
from pydantic import ValidationError

from server_stub.autoscale import Autoscale, n_to_start

BY_CONNECTIONS = Autoscale(target_connections=100, most=10)
BY_UTILISATION = Autoscale(target_utilisation=0.5, most=10)


@pytest.mark.parametrize(
    ("load", "n_ready", "n_starting", "expected"),
    [
        (100, 2, 0, 0),
        (110, 2, 0, 0),
        (111, 2, 0, 1),
        (300, 2, 0, 4),
        (300, 2, 3, 1),
        (900, 2, 0, 8),
    ],
)
def test_as_many_as_carry_the_load_at_the_target(load, n_ready, n_starting, expected):
    """A tenth above it is tolerated, those that are on their way count, and there is an end."""
    n = n_to_start(BY_CONNECTIONS, n_ready=n_ready, n_starting=n_starting, load=load)
    assert n == expected


def test_busy_workers_are_a_load_as_well():
    """Three nodes that are all busy, at a target of a half, are six."""
    assert n_to_start(BY_UTILISATION, n_ready=3, n_starting=0, load=1.0) == 3


@given(st.integers(1, 12), st.integers(0, 12), st.floats(0, 1e6))
def test_it_never_takes_away_or_asks_for_too_many(n_ready, n_starting, load):
    """Whatever the load."""
    n = n_to_start(BY_CONNECTIONS, n_ready=n_ready, n_starting=n_starting, load=load)
    assert n >= 0
    assert n == 0 or n_ready + n_starting + n <= BY_CONNECTIONS.most


@pytest.mark.parametrize("targets", [{}, {"target_connections": 1, "target_utilisation": 0.5}])
def test_there_is_one_target(targets):
    """Neither none nor two."""
    with pytest.raises(ValidationError, match="one of target_connections and target_utilisation"):
        Autoscale(most=3, **targets)
