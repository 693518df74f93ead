"""Jobs that may still be cut short by the next outage of their node."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.engines.model.dealing import Nodes
from simulator.engines.model.instants import Instants


class _Jobs(NamedTuple):
    nodes: Nodes
    starts_at: Instants


class InHand:
    """Of one station: those that are not done when their node goes down next."""

    def __init__(self) -> None:
        self._pieces: list[_Jobs] = []

    def add(self, nodes: Nodes, starts_at: Instants, cut_short: NDArray[np.bool_]) -> None:
        """Jobs have been taken in, of which these will be cut short."""
        if cut_short.any():
            self._pieces.append(_Jobs(nodes[cut_short], starts_at[cut_short]))

    def cleared(self, hit: NDArray[np.bool_], at: int) -> Iterator[tuple[int, Mapping[str, int]]]:
        """Nodes go down: with each, how many of its jobs are `waiting` and how many `busy` then."""
        if not self._pieces:
            return
        nodes, starts_at = (np.concatenate(columns) for columns in zip(*self._pieces, strict=True))
        stay = ~hit[nodes]
        self._pieces = [_Jobs(nodes[stay], starts_at[stay])] if stay.any() else []
        for node in np.flatnonzero(hit).tolist():
            starts = starts_at[nodes == node]
            busy = int(np.count_nonzero(starts < at))
            yield node, {"waiting": starts.size - busy, "busy": busy}
