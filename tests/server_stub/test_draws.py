import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from scipy import stats

from server_stub.draws import Purpose, permutation, uniform, uniforms

NUMBERS = st.integers(min_value=0, max_value=2**32 - 1)
SEEDS = st.integers(min_value=0, max_value=2**70)
PURPOSES = st.sampled_from(Purpose)
N = 100_000
UNLIKELY = 1e-4
"""With fixed seeds a test passes for ever or never; below this p-value a look is worth it."""


@given(SEEDS, PURPOSES, NUMBERS, NUMBERS, NUMBERS)
def test_a_draw_lies_strictly_between_0_and_1(seed, purpose, client, episode, attempt):
    """No key gives exactly 0 or 1, whose logarithms would be infinite."""
    assert 0 < uniform(seed, purpose, client, episode, attempt) < 1


@given(SEEDS, PURPOSES, st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS), min_size=1))
def test_arrays_draw_what_scalars_draw(seed, purpose, keys):
    """The vector form equals the scalar form bit for bit."""
    client, episode, attempt, index = np.array(keys, dtype=np.int64).T
    drawn = uniforms(seed, purpose, client, episode, attempt, index=index)
    assert drawn.tolist() == [
        uniform(seed, purpose, client, episode, attempt, index=index)
        for client, episode, attempt, index in keys
    ]


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32, np.int64, np.uint64])
def test_the_integer_type_of_a_column_does_not_matter(dtype):
    """A key in any integer type that holds it gives the same draw."""
    clients = np.array([0, 1, 65_535], dtype=dtype)
    expected = [uniform(3, Purpose.BACKOFF, client, 1, 2) for client in (0, 1, 65_535)]
    assert uniforms(3, Purpose.BACKOFF, clients, 1, 2).tolist() == expected


def test_key_arrays_broadcast():
    """Clients down and attempts across give a table of draws."""
    table = uniforms(1, Purpose.BACKOFF, np.arange(3)[:, None], 0, np.arange(1, 5))
    assert table.shape == (3, 4)
    assert table[2, 3] == uniform(1, Purpose.BACKOFF, 2, 0, 4)


def test_known_draws_never_change():
    """A recorded seed means the same herd in every later version."""
    assert uniform(0, Purpose.BACKOFF, 0) == 0.8164140271575341
    assert uniform(7, Purpose.SERVICE, 123, 4, 5, index=6) == 0.2919670670805755


@pytest.mark.parametrize("purpose", Purpose)
def test_draws_are_uniform(purpose):
    """Draws over consecutive clients pass Kolmogorov-Smirnov, their low digits chi-square."""
    drawn = uniforms(1, purpose, np.arange(N), 1, 1)
    assert stats.kstest(drawn, "uniform").pvalue > UNLIKELY
    low_digits = np.bincount((drawn * 2**20 % 1 * 64).astype(int), minlength=64)
    assert stats.chisquare(low_digits).pvalue > UNLIKELY


CLIENTS = np.arange(N)
BASE = uniforms(1, Purpose.BACKOFF, CLIENTS, 1, 1)


@pytest.mark.parametrize(
    "neighbour",
    [
        uniforms(2, Purpose.BACKOFF, CLIENTS, 1, 1),
        uniforms(1, Purpose.SERVICE, CLIENTS, 1, 1),
        uniforms(1, Purpose.BACKOFF, CLIENTS + 1, 1, 1),
        uniforms(1, Purpose.BACKOFF, CLIENTS, 2, 1),
        uniforms(1, Purpose.BACKOFF, CLIENTS, 1, 2),
        uniforms(1, Purpose.BACKOFF, CLIENTS, 1, 1, index=1),
        uniforms(1, Purpose.BACKOFF, 1, CLIENTS, 1),
        uniforms(1, Purpose.BACKOFF, 1, 1, CLIENTS),
    ],
    ids=["seed", "purpose", "client", "episode", "attempt", "index", "by episode", "by attempt"],
)
def test_keys_that_differ_in_one_word_are_independent(neighbour):
    """Neighbouring keys fill the unit square evenly: no correlation, no pattern."""
    assert abs(np.corrcoef(BASE, neighbour)[0, 1]) < 4 / np.sqrt(N)
    square, _, _ = np.histogram2d(BASE, neighbour, bins=16, range=[[0, 1], [0, 1]])
    assert stats.chisquare(square.ravel()).pvalue > UNLIKELY


def test_no_two_keys_share_a_draw():
    """Swapping words, or moving one from a word to another, gives another draw."""
    small = np.arange(12)
    grid = np.meshgrid(small, small, small, small, indexing="ij")
    drawn = uniforms(1, Purpose.BACKOFF, grid[0], grid[1], grid[2], index=grid[3])
    assert np.unique(drawn).size == drawn.size


@given(SEEDS, st.integers(min_value=0, max_value=200))
def test_a_permutation_holds_every_client_once(seed, n):
    """Dealing loses nobody and doubles nobody."""
    assert sorted(permutation(seed, n)) == list(range(n))


def test_a_permutation_favours_no_number():
    """The first tenth of the deal draws evenly from low and high client numbers."""
    first = permutation(5, N)[: N // 10]
    counts = np.bincount(first * 20 // N, minlength=20)
    assert stats.chisquare(counts).pvalue > UNLIKELY
    assert permutation(6, 100).tolist() != permutation(5, 100).tolist()
