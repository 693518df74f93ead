"""Grids that take no time."""

import pytest

SMALL = ("n_clients=30", "outage.0.down_for=1.0", "horizon=12.0", "client.sync=none")


@pytest.fixture
def small():
    """Changes that make `restart` a matter of milliseconds."""
    return SMALL
