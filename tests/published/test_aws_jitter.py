"""P1: the contention model of "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015).

N clients update one row under optimistic concurrency control. Each reads the row's version and
writes with it; a write whose version is out of date fails, and its client backs off and starts
again. Every message takes |Normal(10, 2)| ms, the server takes no time. Compared are the time
until the last client has heard of its success and the number of writes tried.
"""

import heapq
import itertools

import numpy as np
import pytest

from server_stub.draws import Purpose, uniform
from simulator.core.backoff import Policy, delay

# The exponent of the published code is 1 at the first retry, so its first bound is 2 * 5 ms.
GROWN = {"base": 0.010, "cap": 2.0}
POLICIES = {
    "none": Policy(growth="constant", base=0.0),
    "exponential": Policy(**GROWN),
    "decorrelated": Policy(jitter="decorrelated", base=0.005, cap=2.0, cap_after_jitter=True),
    "equal": Policy(jitter="equal", **GROWN),
    "full": Policy(jitter="full", **GROWN),
}
PUBLISHED = {
    (50, "none"): (1.140, 689),
    (50, "exponential"): (36.320, 622),
    (50, "decorrelated"): (2.219, 376),
    (50, "equal"): (4.294, 347),
    (50, "full"): (2.777, 332),
    (100, "none"): (2.024, 2418),
    (100, "exponential"): (62.615, 1846),
    (100, "decorrelated"): (4.581, 1002),
    (100, "equal"): (6.597, 813),
    (100, "full"): (4.824, 796),
}
"""Seconds until all have succeeded, and calls: means of 100 repetitions."""
REPETITIONS = {50: 40, 100: 20}


def contend(n_clients: int, policy: Policy, seed: int) -> tuple[float, int]:
    """Let the clients contend once.

    Returns:
        Seconds until the last client has heard of its success; writes tried.
    """
    hops = np.abs(np.random.default_rng(seed).normal(0.010, 0.002, size=200 * n_clients))
    hop = iter(hops.tolist()).__next__
    order = itertools.count()
    version = calls = 0
    retries = [0] * n_clients
    waited = [0.0] * n_clients
    # What arrives when: (instant, order of sending, client, message, version the client has read).
    queue = [(hop(), next(order), client, "read", 0) for client in range(n_clients)]
    heapq.heapify(queue)
    now = 0.0
    while queue:
        now, _, client, event, known = heapq.heappop(queue)
        if event == "read":
            event, known, at = "write", version, now + hop() + hop()
        elif event == "write":
            calls += 1
            event, at = "lost" if known != version else "won", now + hop()
            version += event == "won"
        elif event == "lost":
            retries[client] += 1
            u = uniform(seed, Purpose.BACKOFF, client, 0, retries[client])
            waited[client] = delay(policy, retries[client], u, waited[client])
            event, at = "read", now + waited[client] + hop()
        else:
            continue
        heapq.heappush(queue, (at, next(order), client, event, known))
    return now, calls


@pytest.fixture(scope="module")
def runs() -> dict[tuple[int, str], np.ndarray]:
    """Repetitions by (N, policy), each of shape (repetitions, 2): seconds and calls."""
    return {
        (n, name): np.array([contend(n, POLICIES[name], seed) for seed in range(REPETITIONS[n])])
        for n, name in PUBLISHED
    }


@pytest.mark.parametrize(("n", "name"), PUBLISHED)
def test_time_and_calls_agree_with_the_published_means(n, name, runs):
    """Both means lie within four standard errors of the difference of two such means.

    The published mean is of 100 repetitions and ours of fewer, both of the same law, whose spread
    ours estimate; four standard errors let one in some thousand such comparisons fail by chance.
    Half a unit of the published figures' last place comes on top.
    """
    repetitions = runs[n, name]
    error = repetitions.std(axis=0, ddof=1) * np.sqrt(1 / 100 + 1 / len(repetitions))
    difference = repetitions.mean(axis=0) - PUBLISHED[n, name]
    assert np.all(np.abs(difference) < 4 * error + [0.0005, 0.5])


def test_the_article_s_conclusions_hold(runs):
    """Full jitter halves the calls; equal makes as many and takes longer; no jitter loses."""
    seconds, calls = (
        {name: runs[100, name][:, column].mean() for name in POLICIES} for column in (0, 1)
    )
    assert calls["full"] < calls["exponential"] / 2
    assert calls["equal"] == pytest.approx(calls["full"], rel=0.05)
    assert seconds["equal"] > seconds["full"]
    assert seconds["exponential"] > 5 * max(seconds["equal"], seconds["decorrelated"])
