"""What the queues of one station have done, per interval: counts, and the most at once."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from simulator.engines.model.course import INTERVAL_NS, Series
from simulator.engines.model.instants import Instants

Groups = NDArray[np.integer]
"""Which queue each was at."""
_NETS = ("waiting", "busy")


class DeskBook:
    """Of all queues of one station, one by one or together."""

    def __init__(self, n_groups: int, n_intervals: int, *, together: bool = False) -> None:
        """Nothing has happened.

        Args:
            n_groups: How many queues there are.
            n_intervals: How many intervals are observed, from t = 0 on.
            together: Are all queues counted as one? Of levels, that of the highest is kept.
        """
        self._n_intervals = n_intervals
        self._n_groups = n_groups
        self._together = together
        self._counts: dict[str, NDArray[np.int64]] = {}
        self._nets = {name: np.zeros((n_groups, n_intervals), np.int32) for name in _NETS}
        self._most = {name: np.zeros((n_groups, n_intervals), np.int32) for name in _NETS}

    def count(self, what: str, group: Groups, at: Instants) -> None:
        """So many more of something at these instants, none later than the observation."""
        if not at.size:
            return
        first, counts = _per_interval(group, at, self._n_rows)
        self._rows(what)[:, first : first + counts.shape[1]] += counts
        if what in ("admitted", "started", "completed") and self._together:
            first, counts = _per_interval(group, at, self._n_groups)
        span = slice(first, first + counts.shape[1])
        if what in ("admitted", "started"):
            self._nets["waiting"][:, span] += counts if what == "admitted" else -counts
        if what in ("started", "completed"):
            self._nets["busy"][:, span] += counts if what == "started" else -counts

    def add(self, what: str, group: Groups, at: Instants, amounts: NDArray[np.int64]) -> None:
        """So much more of something that is measured."""
        if at.size:
            cell = _cells(group, at // INTERVAL_NS, self._n_rows, self._n_intervals)
            np.add.at(self._rows(what).reshape(-1), cell, amounts)

    def waiting(self, group: Groups, at: Instants, waiting: NDArray[np.int64]) -> None:
        """How many wait just after these arrivals."""
        self._raise("waiting", group, at, waiting)

    def busy(self, group: Groups, at: Instants, busy: NDArray[np.int64]) -> None:
        """How many workers are busy just after these starts."""
        self._raise("busy", group, at, busy)

    def cleared(self, group: int, at: int, left: Mapping[str, int]) -> None:
        """Everybody `waiting` and `busy` at a queue is sent away."""
        for name, n in left.items():
            self._nets[name][group, at // INTERVAL_NS] -= n

    def counts(self, name: str) -> Series:
        """How many per queue and interval; one row if they are counted together."""
        return self._rows(name)

    def levels(self, name: str) -> Series:
        """The most `waiting` or `busy` at once, what each interval began with included."""
        levels = np.cumsum(self._nets[name], axis=1, dtype=np.int32)
        most = self._most[name].copy()
        np.maximum(most[:, 1:], levels[:, :-1], out=most[:, 1:])
        return most.max(axis=0, keepdims=True) if self._together else most

    @property
    def _n_rows(self) -> int:
        return 1 if self._together else self._n_groups

    def _rows(self, what: str) -> NDArray[np.int64]:
        if what not in self._counts:
            self._counts[what] = np.zeros((self._n_rows, self._n_intervals), np.int64)
        return self._counts[what]

    def _raise(self, name: str, group: Groups, at: Instants, level: NDArray[np.int64]) -> None:
        cell = _cells(group, at // INTERVAL_NS, self._n_groups, self._n_intervals)
        np.maximum.at(self._most[name].reshape(-1), cell, level.astype(np.int32))


def _per_interval(group: Groups, at: Instants, n_rows: int) -> tuple[int, NDArray[np.int64]]:
    """The first interval in which anything happens, and how much per row from then on."""
    interval = at // INTERVAL_NS
    first = int(interval.min())
    span = int(interval.max()) - first + 1
    cell = _cells(group, interval - first, n_rows, span)
    return first, np.bincount(cell, minlength=n_rows * span).reshape(n_rows, span)


def _cells(
    group: Groups, interval: NDArray[np.int64], n_rows: int, n_columns: int
) -> NDArray[np.int64]:
    """Places in a table with a row per queue, row after row; or in its only row."""
    return interval if n_rows == 1 else group.astype(np.int64) * n_columns + interval
