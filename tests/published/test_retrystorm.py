"""P2: the peaks of v-code01/retrystorm.

N clients fail together at t = 0 and every retry fails at once, six times over. The peak is the
most retries in a window of 20 ms, its figure the median over 11 seeds. The source states neither
base nor cap, nor how its windows lie. 1 s, 60 s and windows end to end give its figures at both
N; sliding windows find some more, and relatively more the smaller the herd.
"""

from functools import cache

import numpy as np
import pytest

from server_stub.draws import Purpose, uniforms
from simulator.core.backoff import Policy, delays

WINDOW = 0.020
RETRIES = 6
SEEDS = range(11)
POLICIES = {
    "none": Policy(cap=60.0),
    "full": Policy(cap=60.0, jitter="full"),
    "equal": Policy(cap=60.0, jitter="equal"),
    "decorrelated": Policy(cap=60.0, jitter="decorrelated", cap_after_jitter=True),
}


def retries_at(name, n_clients, seed):
    """Instants in seconds of all retries, in order, shape (RETRIES * n_clients,)."""
    clients = np.arange(n_clients)
    waits, now, instants = np.zeros(n_clients), np.zeros(n_clients), []
    for retry in range(1, RETRIES + 1):
        u = uniforms(seed, Purpose.BACKOFF, clients, 0, retry)
        waits = delays(POLICIES[name], np.full(n_clients, retry), u, waits)
        now = now + waits
        instants.append(now)
    return np.sort(np.concatenate(instants))


def fixed_peak(instants):
    """The most instants in any of the windows [0, WINDOW), [WINDOW, 2 WINDOW) ..."""
    return np.bincount((instants / WINDOW).astype(int)).max()


def sliding_peak(instants):
    """The most instants in any window [t, t + WINDOW]."""
    ends = np.searchsorted(instants, instants + WINDOW, side="right")
    return (ends - np.arange(instants.size)).max()


@cache
def peaks(name, n_clients):
    """Peaks by seed: row 0 in fixed windows, row 1 in sliding ones."""
    runs = [retries_at(name, n_clients, seed) for seed in SEEDS]
    return np.array([[peak(run) for run in runs] for peak in (fixed_peak, sliding_peak)])


def standard_error(peaks_by_seed):
    """Of the difference between two independent medians over the seeds, if peaks are normal."""
    return np.sqrt(np.pi / 2 * 2 / len(SEEDS)) * peaks_by_seed.std(ddof=1)


@pytest.mark.parametrize("n_clients", [10_000, 100_000])
def test_without_jitter_the_whole_herd_retries_in_one_window(n_clients):
    """The published peaks of the policy without jitter are N."""
    run = retries_at("none", n_clients, seed=0)
    assert fixed_peak(run) == sliding_peak(run) == n_clients


@pytest.mark.parametrize(
    ("n_clients", "name", "published"),
    [
        (10_000, "full", 327),
        (10_000, "equal", 438),
        (10_000, "decorrelated", 150),
        (100_000, "full", 3_148),
        (100_000, "equal", 4_111),
        (100_000, "decorrelated", 1_347),
    ],
)
def test_peaks_in_fixed_windows_are_the_published_ones(n_clients, name, published):
    """Medians agree within three standard errors (1 to 2 % of 100,000 clients' peaks)."""
    fixed, _ = peaks(name, n_clients)
    assert np.median(fixed) == pytest.approx(published, abs=3 * standard_error(fixed))


@pytest.mark.parametrize(
    ("name", "rerun"), [("full", 3_196), ("equal", 4_158), ("decorrelated", 1_366)]
)
def test_peaks_in_sliding_windows_are_those_of_the_rerun(name, rerun):
    """Of 100,000 clients: medians agree within three standard errors, and exceed the fixed ones."""
    fixed, sliding = peaks(name, 100_000)
    assert np.median(sliding) == pytest.approx(rerun, abs=3 * standard_error(sliding))
    assert np.all(sliding >= fixed)


def test_jitter_divides_the_peak_in_the_published_order():
    """Decorrelated jitter has the lowest peak, then full, then equal, which is still under 5 %."""
    decorrelated, full, equal = (
        np.median(peaks(name, 100_000)[0]) for name in ("decorrelated", "full", "equal")
    )
    assert decorrelated < full < equal < 100_000 / 20
