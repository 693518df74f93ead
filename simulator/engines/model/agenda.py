"""Who arrives next: clients by the instant of their arrival, handed out in slices of time."""

import heapq
from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from simulator.engines.model.instants import NEVER, Instants
from simulator.engines.model.keys import Clients

_Piece = tuple[Clients, Instants]
_NOBODY: Clients = np.empty(0, dtype=np.uint32)


class Agenda:
    """Arrivals to come, in buckets of time; only what is handed out is put in order."""

    def __init__(self, width: int) -> None:
        """Nobody is expected.

        Args:
            width: Nanoseconds per bucket.
        """
        self._width = width
        self._buckets: dict[int, list[_Piece]] = defaultdict(list)
        self._ahead: list[int] = []
        """Numbers of the buckets that are not opened yet, as a heap."""
        self._ends_at = -NEVER
        """End of the bucket that is open."""
        self._open: list[_Piece] = []
        """What is in it, in no order; none of them empty."""

    def add(self, clients: Clients, arrives_at: Instants) -> None:
        """Expect clients, none of them before what was handed out already.

        Args:
            clients: Each at most once at a time, shape (n,).
            arrives_at: When they arrive, shape (n,).
        """
        soon = arrives_at < self._ends_at
        if soon.any():
            self._open.append((clients[soon].astype(np.uint32), arrives_at[soon]))
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
        while not self._open and self._ahead:
            number = heapq.heappop(self._ahead)
            self._ends_at = (number + 1) * self._width
            self._open = self._buckets.pop(number)
        return min((int(arrives_at.min()) for _, arrives_at in self._open), default=NEVER)

    def n_until(self, instant: int) -> int:
        """How many arrive before an instant, of those in the open bucket."""
        return sum(int(np.count_nonzero(arrives_at < instant)) for _, arrives_at in self._open)

    def until(self, instant: int) -> Clients:
        """Those of the open bucket who arrive before an instant, in no order."""
        found = [clients[arrives_at < instant] for clients, arrives_at in self._open]
        return np.concatenate([_NOBODY, *found])

    def take(self, until: int) -> tuple[Clients, Instants]:
        """Those of the open bucket who arrive before an instant, by instant and then by number."""
        if not self._open:
            return _NOBODY, np.empty(0, dtype=np.int64)
        clients, arrives_at = map(np.concatenate, zip(*self._open, strict=True))
        soon = arrives_at < until
        if soon.all():
            self._open = []
        else:
            self._open = [(clients[~soon], arrives_at[~soon])]
            clients, arrives_at = clients[soon], arrives_at[soon]
        return _in_order(clients, arrives_at)

    def rest(self) -> Clients:
        """Everybody who is still expected."""
        pieces = [self._open, *self._buckets.values()]
        return np.concatenate([_NOBODY, *(clients for piece in pieces for clients, _ in piece)])


def _in_order(clients: Clients, arrives_at: Instants) -> tuple[Clients, Instants]:
    order = np.argsort(arrives_at)
    clients, arrives_at = clients[order], arrives_at[order]
    if (arrives_at[1:] == arrives_at[:-1]).any():
        order = np.lexsort((clients, arrives_at))
        clients, arrives_at = clients[order], arrives_at[order]
    return clients, arrives_at


def _sorting(numbers: NDArray[np.int64]) -> NDArray[np.intp]:
    """The order of small numbers; numpy counts its way through those of 16 bits."""
    if numbers.max(initial=0) < 1 << 16:
        return np.argsort(numbers.astype(np.uint16), kind="stable")
    return np.argsort(numbers, kind="stable")
