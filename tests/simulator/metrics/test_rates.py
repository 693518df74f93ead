"""Peak rates: the busiest sliding window, per second."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_stub.tables import OUTAGES, SERVER
from simulator.core.peaks import peak_rate
from simulator.metrics.rates import peak_arrival_rate_up
from simulator.results import as_table


def table(schema, *rows):
    """A table from rows that name only what matters."""
    return as_table(
        schema,
        {
            column.name: np.array([row.get(column.name, 0) for row in rows], dtype="f8")
            for column in schema.columns
        },
    )


@given(st.lists(st.integers(0, 60), max_size=30), st.sampled_from([1, 4, 8]))
def test_no_window_is_busier(quarters, window):
    """Against counting every window [t, t + W) that begins at any quarter of a second."""
    counts = [
        sum(start <= quarter < start + window for quarter in quarters) for start in range(-8, 61)
    ]
    instants = np.array(quarters, dtype="f8") / 4
    assert peak_rate(instants, window / 4) == max(counts) / (window / 4)


def test_a_burst_counts_in_full_in_any_window_it_fits():
    """1,000 attempts at once are 10,000 a second over 100 ms, 1,000 over a second."""
    burst = np.full(1000, 3.14)
    assert peak_rate(burst, 0.1) == pytest.approx(10_000)
    assert peak_rate(burst, 1.0) == 1000


def test_a_uniform_wave_has_the_rate_of_its_width():
    """N over W seconds arrive at N/W (P6)."""
    wave = np.linspace(0, 20, 2000, endpoint=False)
    assert peak_rate(wave, 1.0) == pytest.approx(100, abs=1)


def test_windows_are_half_open():
    """Two events exactly a window apart are never in one."""
    assert peak_rate(np.array([1.0, 2.0]), 1.0) == 1
    assert peak_rate(np.array([1.0, 1.999]), 1.0) == 2


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 9)), max_size=40))
def test_arrivals_are_summed_over_sliding_intervals(rows):
    """Over 10 ms intervals in any order, of several nodes, some without a row."""
    server = table(SERVER, *({"at": 0.123 + at / 100, "arrivals": n} for at, n in rows))
    busiest = max(
        (sum(n for at, n in rows if start <= at < start + 100) for start in range(-100, 301)),
        default=0,
    )
    assert peak_arrival_rate_up(server, table(OUTAGES), 1.0) == busiest


def test_arrivals_at_a_node_that_is_down_do_not_count():
    """Neither those that met it closed, nor any other node's lack of them."""
    server = table(
        SERVER,
        {"at": 2.99, "arrivals": 1},
        {"at": 3.00, "arrivals": 100},
        {"at": 3.00, "arrivals": 7, "node": 1},
        {"at": 3.50, "arrivals": 1},
    )
    outages = table(OUTAGES, {"starts_at": 2.995, "ends_at": 3.5})
    assert peak_arrival_rate_up(server, outages, 1.0) == 9


@pytest.mark.parametrize(
    ("kind", "peak"),
    [("network", 7), ("idle_timeout", 7), ("slow", 7), ("drain", 1), ("cold", 1), ("crash", 1)],
)
def test_a_server_is_down_only_where_it_lets_nobody_in(herd, kind, peak):
    """What arrives while some path is cut, or services are slow, met a server that was up."""
    run = herd(1).outage(2, 6, kind=kind).interval(3, arrivals=7).interval(9, arrivals=1)
    result = run.result()
    assert peak_arrival_rate_up(result.server, result.outages, 1.0) == peak
