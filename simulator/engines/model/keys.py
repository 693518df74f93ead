"""Whose attempt it is: what keys every draw (RULES 1), for many at once."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Clients = NDArray[np.integer]
"""Numbers of clients."""


class Keys(NamedTuple):
    """Client, episode and attempt of each; arrays of shape (n,)."""

    client: Clients
    episode: NDArray[np.uint16]
    attempt: NDArray[np.uint32]

    def only(self, some: slice | NDArray[np.bool_]) -> "Keys":
        """Of some."""
        return Keys(self.client[some], self.episode[some], self.attempt[some])


def in_blocks(n_clients: int, size: int = 32_768) -> Iterator[Clients]:
    """All clients, some at a time, so that what is computed on the way stays small and close."""
    for first in range(0, n_clients, size):
        yield np.arange(first, min(first + size, n_clients), dtype=np.uint32)
