"""The model engine against what can be worked out on paper."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server_stub.config import ServerConfig, ServiceTime
from server_stub.outage import Outage
from server_stub.stages import Stage
from simulator.core.backoff import Policy
from simulator.core.cohorts import deal_cohorts
from simulator.core.outcomes import Outcome
from simulator.engines.model.arrays import Arrays
from simulator.scenario import ClientConfig, Scenario

_RTT = 0.02


def connects_after(scenario):
    """Seconds from the outage's end to each connect, sorted."""
    course = Arrays(scenario, deal_cohorts(scenario.seed, [1.0], scenario.n_clients)).run()
    back = course.attempts["outcome"] == Outcome.CONNECTED
    return np.sort(course.attempts["ended_at"][back] / 1e9) - scenario.windows[0].ends_at


def herd(policy, *, n_clients, workers, service_time, down_for=1.0, **server):
    """Everybody is cut off at 1 s, and nobody is turned away or loses patience."""
    return Scenario(
        n_clients=n_clients,
        horizon=500.0,
        ramp_rate=1e6,
        server=ServerConfig(
            workers=workers, backlog=n_clients, service_time=service_time, **server
        ),
        outage=(Outage(kind="crash", starts_at=1.0, down_for=down_for),),
        client=ClientConfig(policy=policy, rtt=_RTT, connect_timeout=None),
    )


@settings(max_examples=20)
@given(n_clients=st.integers(1, 300), workers=st.integers(1, 7))
def test_of_a_herd_that_arrives_at_once_the_kth_connects_at_k_over_c(n_clients, workers):
    """P6: with a service of s at each of c workers, at s ceil(k / c) after the arrival."""
    scenario = herd(
        Policy(growth="constant", base=1.5),
        n_clients=n_clients,
        workers=workers,
        service_time=ServiceTime(kind="constant", mean=0.1),
    )
    position = np.arange(1, n_clients + 1)
    expected = 0.5 + _RTT + 0.1 * np.ceil(position / workers)
    assert connects_after(scenario) == pytest.approx(expected, abs=1e-6)


@settings(max_examples=20)
@given(
    n_clients=st.integers(1, 200),
    own=st.sampled_from([0.05, 0.1, 0.2]),
    behind=st.sampled_from([0.05, 0.1, 0.2]),
)
def test_in_a_tandem_the_kth_of_a_batch_passes_the_narrower_stage_k_times(n_clients, own, behind):
    """Tandem queue of a batch: the k-th connects after s1 + s2 + (k - 1) max(s1, s2)."""
    scenario = herd(
        Policy(growth="constant", base=1.5),
        n_clients=n_clients,
        workers=1,
        service_time=ServiceTime(kind="constant", mean=own),
        stages=(
            Stage(
                name="auth",
                workers=1,
                service_time=ServiceTime(kind="constant", mean=behind),
                backlog=n_clients,
            ),
        ),
    )
    k = np.arange(1, n_clients + 1)
    expected = 0.5 + _RTT + own + behind + (k - 1) * max(own, behind)
    assert connects_after(scenario) == pytest.approx(expected, abs=1e-6)


def test_nodes_share_the_herd_and_the_service_behind_them_sets_the_pace():
    """N / C for the narrowest: four nodes of 10 per second each, and 16 per second behind them."""
    scenario = herd(
        Policy(growth="constant", base=1.5),
        n_clients=200,
        workers=1,
        service_time=ServiceTime(kind="constant", mean=0.1),
        nodes=4,
        stages=(
            Stage(
                name="auth",
                workers=4,
                service_time=ServiceTime(kind="constant", mean=0.25),
                backlog=200,
                shared=True,
            ),
        ),
    )
    assert scenario.capacity == 16.0
    last = connects_after(scenario)[-1]
    print("last connect after", last, "s; floor", 200 / scenario.capacity, "s")
    assert last == pytest.approx(0.5 + _RTT + 0.1 + 200 / scenario.capacity, abs=1e-6)


def test_a_uniform_wave_as_wide_as_the_floor_keeps_the_server_just_busy():
    """P6: over W = N / C the arrivals come at the rate that it serves; then nobody waits long."""
    n_clients, workers = 20_000, 10
    width = n_clients / (workers / 0.01)
    scenario = herd(
        Policy(growth="constant", base=1.0, jitter="additive", spread=width),
        n_clients=n_clients,
        workers=workers,
        service_time=ServiceTime(kind="constant", mean=0.01),
        down_for=1.0 + _RTT,
    )
    connects = connects_after(scenario)
    # A bridge of arrivals over the wave lags by about the square root of their number.
    lag = 3 * np.sqrt(n_clients) / 1000
    print("last connect after", connects[-1].round(2), "s; floor", width, "s")
    assert width - lag < connects[-1] < width + lag
    counts = np.histogram(connects, bins=10, range=(0, width))[0]
    assert counts == pytest.approx(n_clients / 10, abs=4 * np.sqrt(n_clients / 10))


def test_attempts_at_a_closed_door_follow_the_delays_alone():
    """While nobody listens, each client's k-th retry comes after k delays and k round trips."""
    scenario = herd(
        Policy(base=0.5, factor=2.0, cap=4.0),
        n_clients=5,
        workers=1,
        service_time=ServiceTime(kind="constant", mean=0.1),
        down_for=60.0,
    )
    course = Arrays(scenario, deal_cohorts(scenario.seed, [1.0], 5)).run()
    first = course.attempts["client"] == 0
    due_at = np.sort(course.attempts["due_at"][first]) / 1e9
    delays = np.minimum(0.5 * 2.0 ** np.arange(due_at.size), 4.0)
    expected = 1.0 + np.cumsum(delays) + _RTT * np.arange(due_at.size)
    assert due_at == pytest.approx(expected, abs=1e-6)
