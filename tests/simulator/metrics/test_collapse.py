"""Metastable: the outage is over, the load stays above capacity, next to nobody gets in."""

import math

import numpy as np
import pytest

from server_stub.tables import SERVER, STAGES
from simulator.metrics.collapse import metastable, stage_collapsed
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


def stage(*, completed, wasted, backlog, begin=OVER_AT, number=1):
    """Steady services per second at one stage, and the length of its queue."""
    at = np.arange(begin, END, 0.01)
    columns = {column.name: np.zeros(at.size) for column in STAGES.columns}
    steady = {"completed": completed / 100, "wasted": wasted / 100, "backlog": backlog}
    return {**columns, "at": at, "stage": np.full(at.size, number), **{
        name: np.full(at.size, value) for name, value in steady.items()
    }}  # fmt: skip


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ({"completed": 300, "wasted": 300, "backlog": 9}, True),
        ({"completed": 2000, "wasted": 1900, "backlog": 9}, True),
        ({"completed": 300, "wasted": 200, "backlog": 9}, False),
        ({"completed": 300, "wasted": 300, "backlog": 0}, False),
        ({"completed": 0, "wasted": 0, "backlog": 9}, False),
    ],
)
def test_a_stage_that_works_in_vain_to_the_last_has_collapsed(rates, expected):
    """Whatever the stages beside it do; a queue that empties has got over it."""
    idle = stage(completed=100, wasted=0, backlog=0, number=0)
    busy = stage(**rates)
    both = {name: np.append(idle[name], busy[name]) for name in idle}
    assert stage_collapsed(both, outages_over_at=OVER_AT, end=END) is expected
