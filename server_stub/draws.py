"""Keyed random draws: each is a pure function of what it is for (RULES.md, 1 and 2).

No generator has a state, so the order in which draws are made cannot matter, every policy meets
the same herd, and a million clients need no million generators. The key is seed, purpose, (client,
episode), (attempt, index): four words of 64 bits, the last two of two numbers each. They are
absorbed one after another, each followed by the finaliser of SplitMix64 (Steele, Lea and Flood,
"Fast Splittable Pseudorandom Number Generators", 2014; constants of Stafford's variant 13).
"""

from enum import IntEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Numbers = int | NDArray[np.integer]
"""One number of a key: the same for all draws, or one for each."""


class Purpose(IntEnum):
    """What a draw decides. The numbers are part of every recorded seed's meaning: only add."""

    BACKOFF = 1
    """The jitter before an attempt."""
    SERVICE = 2
    """How long the server works on an attempt."""
    HEARTBEAT = 3
    """The phase of a client's heartbeat."""
    COHORT = 4
    """A client's rank when cohorts are dealt."""
    WAKE_UP = 5
    """When, within a window, a client acts on an outside event that wakes a herd."""
    PROBE = 6
    """The phase of a client's network probes."""
    OPERATION = 7
    """The phase of a client's operations."""
    BRAKE = 8
    """The first delay of a browser's own brake."""
    HIDDEN = 9
    """Whether a client's page is hidden, since when, and where its browser's wake-ups lie."""
    DRAIN = 10
    """A client's rank among those that a drain disconnects."""
    RETRY_AFTER = 11
    """Where in the window of a Retry-After an answer lies."""
    RECONNECT = 12
    """Where in the window after a restart a client is asked to come back."""
    OWN = 16
    """What a client keeps for life: how much longer its policy's base is than the shortest."""
    BALANCE = 20
    """Which node an attempt goes to, where that is left to chance."""
    AFFINITY = 21
    """Where a node stands in a client's own order of nodes."""
    LIFETIME = 22
    """How old a connection may get."""


_MASK = (1 << 64) - 1
_GAMMA = 0x9E3779B97F4A7C15
_MULTIPLIER_1 = 0xBF58476D1CE4E5B9
_MULTIPLIER_2 = 0x94D049BB133111EB


@lru_cache(maxsize=64)
def _stream(seed: int, purpose: Purpose) -> int:
    """The state after the first two words, which few keys differ in."""
    return _absorb(_absorb(0, seed), purpose)


def _absorb(state: int, word: int) -> int:
    x = (state + _GAMMA + word) & _MASK
    x = ((x ^ (x >> 30)) * _MULTIPLIER_1) & _MASK
    x = ((x ^ (x >> 27)) * _MULTIPLIER_2) & _MASK
    return x ^ (x >> 31)


def _absorb_each(state: NDArray[np.uint64], words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    x = state + np.uint64(_GAMMA) + words
    x = (x ^ (x >> np.uint64(30))) * np.uint64(_MULTIPLIER_1)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(_MULTIPLIER_2)
    return x ^ (x >> np.uint64(31))


def _pairs(low: Numbers, high: Numbers) -> NDArray[np.uint64]:
    """Words of 64 bits from pairs of 32; at least one-dimensional, where numpy wraps silently."""
    low, high = (np.atleast_1d(number).astype(np.uint64) for number in (low, high))
    return low + (high << np.uint64(32))


def uniform(
    seed: int, purpose: Purpose, client: int, episode: int = 0, attempt: int = 0, *, index: int = 0
) -> float:
    """The draw with this key, uniform on the open interval (0, 1).

    Args:
        seed: Of the run; any integer, counts modulo 2**64.
        purpose: What the draw decides.
        client: Number of the client; like the three that follow from 0 up to 2**32 - 1, which is
            what the columns of a recorded run can hold.
        episode: Number of the client's episode.
        attempt: 1-based within the episode; 0 for what belongs to no attempt.
        index: Tells several draws with an otherwise equal key apart.

    Returns:
        An odd multiple of 2**-53, so that log(u) and log(1 - u) are finite. (With one bit more
        the largest would round to 1.)
    """
    state = _absorb(_stream(seed, purpose), client + (episode << 32))
    state = _absorb(state, attempt + (index << 32))
    return ((state >> 12) + 0.5) * 2.0**-52


def uniforms(
    seed: int,
    purpose: Purpose,
    client: Numbers,
    episode: Numbers = 0,
    attempt: Numbers = 0,
    *,
    index: Numbers = 0,
) -> NDArray[np.float64]:
    """The same draws as `uniform`, bit for bit, for whole arrays of keys.

    Args:
        seed: As for `uniform`.
        purpose: As for `uniform`.
        client: An integer, or an array of them of any shape; so are the three that follow.
        episode: As for `uniform`.
        attempt: As for `uniform`.
        index: As for `uniform`.

    Returns:
        Draws in the shape to which the numbers broadcast; shape (1,) when none is an array.
    """
    start = np.array([_stream(seed, purpose)], dtype=np.uint64)
    state = _absorb_each(_absorb_each(start, _pairs(client, episode)), _pairs(attempt, index))
    mantissas: NDArray[np.float64] = (state >> np.uint64(12)).astype(np.float64)
    return (mantissas + 0.5) * 2.0**-52


def permutation(seed: int, n: int) -> NDArray[np.intp]:
    """The order in which `n` clients are dealt to cohorts, so that none has the lowest numbers.

    Returns:
        The numbers 0 to n - 1, each once, shape (n,).
    """
    return np.argsort(uniforms(seed, Purpose.COHORT, np.arange(n)), kind="stable")
