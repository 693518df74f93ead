"""Who arrives next: clients by the instant of their arrival, handed out in slices of time."""

import heapq
from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from simulator.engines.model.instants import NEVER, Instants
from simulator.engines.model.keys import Clients



class Agenda:
    """Arrivals to come, in buckets of time; only the bucket that is due is kept sorted."""

    def __init__(self, width: int) -> None:
        """Nobody is expected.

        Args:
            width: Nanoseconds per bucket.
        """
        self._width = width
        self._buckets: dict[int, list[tuple[Clients, Instants]]] = defaultdict(list)
        self._ahead: list[int] = []
        """Numbers of the buckets that are not opened yet, as a heap."""
        self._ends_at = -NEVER
        """End of the bucket that is open."""
        self._clients: Clients = np.empty(0, dtype=np.uint32)
        self._arrives_at: Instants = np.empty(0, dtype=np.int64)

    def add(self, clients: Clients, arrives_at: Instants) -> None:
        """Expect clients, none of them before what was handed out already.

        Args:
            clients: Each at most once at a time, shape (n,).
            arrives_at: When they arrive, shape (n,).
        """
        soon = arrives_at < self._ends_at
        if soon.any():
            self._open(
                np.concatenate([self._clients, clients[soon]]),
                np.concatenate([self._arrives_at, arrives_at[soon]]),
            )
            clients, arrives_at = clients[~soon], arrives_at[~soon]
        if not clients.size:
            return
        bucket = arrives_at // self._width
        order = _sorting(bucket - bucket.min())
        clients, arrives_at, bucket = clients[order], arrives_at[order], bucket[order]
        starts = np.flatnonzero(np.diff(bucket, prepend=bucket[0] - 1))
        ends = [*starts[1:].tolist(), bucket.size]
        for number, start, end in zip(bucket[starts].tolist(), starts.tolist(), ends, strict=True):
            if number not in self._buckets:
                heapq.heappush(self._ahead, number)
            # Copies: a part of an array would keep the whole of it alive.
            self._buckets[number].append(
                (clients[start:end].astype(np.uint32), arrives_at[start:end].copy())
            )

    def next_at(self) -> int:
        """When the next client arrives; NEVER if none is expected."""
        while not self._clients.size and self._ahead:
            number = heapq.heappop(self._ahead)
            clients, arrives_at = zip(*self._buckets.pop(number), strict=True)
            self._ends_at = (number + 1) * self._width
            self._open(np.concatenate(clients), np.concatenate(arrives_at))
        return int(self._arrives_at[0]) if self._clients.size else NEVER

    def n_until(self, instant: int) -> int:
        """How many arrive before an instant, of those in the open bucket."""
        return int(np.searchsorted(self._arrives_at, instant, side="left"))

    def take(self, until: int) -> tuple[Clients, Instants]:
        """Those of the open bucket who arrive before an instant, by instant and then by number."""
        n = self.n_until(until)
        taken = self._clients[:n], self._arrives_at[:n]
        self._clients, self._arrives_at = self._clients[n:], self._arrives_at[n:]
        return taken

    def until(self, instant: int) -> Clients:
        """Those of the open bucket who arrive before an instant."""
        return self._clients[: self.n_until(instant)]

    def rest(self) -> Clients:
        """Everybody who is still expected."""
        ahead = (clients for pieces in self._buckets.values() for clients, _ in pieces)
        return np.concatenate([self._clients, *ahead])

    def _open(self, clients: Clients, arrives_at: Instants) -> None:
        order = np.argsort(arrives_at)
        clients, arrives_at = clients[order], arrives_at[order]
        if (np.diff(arrives_at) == 0).any():
            order = np.lexsort((clients, arrives_at))
            clients, arrives_at = clients[order], arrives_at[order]
        self._clients, self._arrives_at = clients, arrives_at


def _sorting(numbers: NDArray[np.int64]) -> NDArray[np.intp]:
    """The order of small numbers; numpy counts its way through those of 16 bits."""
    if numbers.max(initial=0) < 1 << 16:
        return np.argsort(numbers.astype(np.uint16), kind="stable")
    return np.argsort(numbers, kind="stable")
