"""Metastable: the outage is over, the load stays above capacity, next to nobody gets in."""

import math

import numpy as np
import pytest

from server_stub.tables import SERVER
from simulator.metrics.collapse import metastable
from simulator.results import as_table

CAPACITY = 100.0
OVER_AT, END = 6.0, 36.0


def judged(*, arrival_rate, connect_rate, begin=OVER_AT, end=END, over_at=OVER_AT):
    """Steady rates per second between two instants, judged over the run's last third."""
    at = np.arange(begin, end, 0.01)
    columns = {column.name: np.zeros(at.size) for column in SERVER.columns}
    server = as_table(
        SERVER, {**columns, "at": at, "arrivals": np.full(at.size, arrival_rate / 100)}
    )
    n_connects = round((end - begin) * connect_rate)
    connects = np.linspace(begin, end, n_connects, endpoint=False)
    return metastable(server, connects, outages_over_at=over_at, end=END, capacity=CAPACITY)


@pytest.mark.parametrize(
    ("arrival_rate", "connect_rate", "expected"),
    [(400, 2, True), (400, 20, False), (100, 2, False), (0, 0, False), (400, 0, True)],
)
def test_needs_both_load_and_no_goodput(arrival_rate, connect_rate, expected):
    """More than capacity arrives, less than a tenth of it gets through."""
    assert judged(arrival_rate=arrival_rate, connect_rate=connect_rate) is expected


def test_only_the_last_third_counts():
    """A storm that has spent itself by then was none."""
    assert judged(arrival_rate=900, connect_rate=0, end=25.9) is False
    assert judged(arrival_rate=900, connect_rate=0, begin=26.0) is True


def test_is_not_while_an_outage_lasts():
    """The trigger must be gone."""
    assert judged(arrival_rate=900, connect_rate=0, over_at=math.inf) is False


def test_cannot_be_told_without_the_servers_record():
    """As with somebody else's server."""
    verdict = metastable(
        SERVER.empty(), np.empty(0), outages_over_at=OVER_AT, end=END, capacity=CAPACITY
    )
    assert verdict is None
