"""Background work: a Poisson stream whose rate may change, and what queueing theory says of it."""

import math

import hypothesis.strategies as st
import numpy as np
import pytest
import trio
from hypothesis import given
from scipy.stats import kstest

from server_stub.arrivals import Arrivals


def instants(arrivals, until):
    """When they come, at a rate that stays."""
    found = []
    while arrivals.next_at <= until:
        found.append(arrivals.next_at)
        arrivals.take()
    return found


def test_nothing_comes_at_a_rate_of_zero():
    """Which is how a stream begins."""
    assert Arrivals(1, 0).next_at == math.inf


def test_gaps_are_exponential():
    """With the mean that the rate says."""
    arrivals = Arrivals(3, 0)
    arrivals.set_rate(4.0, 10.0)
    gaps = np.diff(instants(arrivals, 1000.0), prepend=10.0)
    assert kstest(gaps, "expon", args=(0, 0.25)).pvalue > 0.01


def test_streams_differ_and_repeat():
    """By their number, and by the seed."""

    def first(seed, stream):
        arrivals = Arrivals(seed, stream)
        arrivals.set_rate(1.0, 0.0)
        return arrivals.next_at

    assert first(1, 0) == first(1, 0)
    assert len({first(1, 0), first(1, 1), first(2, 0)}) == 3


CHANGES = st.tuples(st.floats(0.1, 5.0), st.sampled_from([0.0, 0.5, 1.0, 8.0]))


@given(st.lists(CHANGES, min_size=1))
def test_arrivals_come_when_the_rate_added_up_over_time_says(changes):
    """However often it changes: the n-th when the sum has reached the n-th of a unit stream."""
    unit = Arrivals(1, 0)
    unit.set_rate(1.0, 0.0)
    arrivals, now, total, rate, n = Arrivals(1, 0), 0.0, 0.0, 0.0, 0
    for duration, next_rate in changes:
        for at in instants(arrivals, now + duration):
            owed = total + rate * (at - now)
            assert owed == pytest.approx(unit.next_at)
            unit.take()
            n += 1
        now, total = now + duration, total + rate * duration
        arrivals.set_rate(next_rate, now)
        rate = next_rate
    assert arrivals.n == n


def interval_of(batches):
    """A mean and the half-width of its 99 % confidence interval, from the means of 20 batches.

    Successive waits in a queue hang together; the means of long batches hardly do.
    """
    assert batches.size == 20
    return batches.mean(), 2.861 * batches.std(ddof=1) / math.sqrt(20)


def erlang_c(n_workers, offered):
    """The probability that an arrival has to wait in M/M/c (Erlang's C formula)."""
    terms = [offered**k / math.factorial(k) for k in range(n_workers)]
    last = offered**n_workers / math.factorial(n_workers) * n_workers / (n_workers - offered)
    return last / (sum(terms) + last)


@pytest.mark.parametrize(
    ("kind", "n_workers", "rho"),
    [("constant", 1, 0.6), ("exponential", 1, 0.5), ("exponential", 3, 0.7)],
)
async def test_waits_are_those_of_queueing_theory(autojump_clock, node, kind, n_workers, rho):
    """M/D/1: rho s / 2 (1 - rho); M/M/c: C(c, a) / (c mu - lambda) (P6)."""
    seconds = 0.002
    rate = rho * n_workers / seconds
    service = {"kind": kind, "mean": seconds}
    stub = await node(
        workers=n_workers, service_time=service, backlog=10**6, load={"rate": rate}, seed=11
    )
    await trio.sleep_until(12_000 / rate)
    stub.recorder.close(trio.current_time())
    columns = stub.recorder.stages.columns()
    stretches = np.array_split(np.arange(columns["at"].size), 20)
    mean, half_width = interval_of(
        np.array(
            [columns["waited"][rows].sum() / columns["completed"][rows].sum() for rows in stretches]
        )
    )
    if kind == "constant":
        expected = rho * seconds / (2 * (1 - rho))
    else:
        expected = erlang_c(n_workers, rho * n_workers) / (n_workers / seconds - rate)
    assert abs(mean - expected) < half_width < 0.45 * expected
