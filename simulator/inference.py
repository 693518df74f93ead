"""Outages as clients see them: waves of lost connections at a server that keeps no record for us.

A server that is not ours does not say when it went down. Its clients do, all at once:

- A *wave* is a stretch of `BURST` seconds in which a share of `SHARE` of the clients connected
  before it, and `FEWEST` of them at least, lose their connections; of fewer clients, all. Clients
  that time out on a silent server notice over one interval of their heartbeats, so that their
  losses count for so much longer.
- The outage starts at the first loss of the wave. It ends when the first attempt begun since then
  gets through, once that share is lost: before, a client that came back only shows that some other
  loss fell into the same stretch.
- Whatever is lost until then, or within the stretch, belongs to that wave and begins no other.

So two restarts less than `BURST` apart are one outage; a server that loses one client now and then
has none; of several nodes, each that carries a tenth of the clients has its own. A loss of another
origin up to `BURST` before a wave makes the outage start that much too early; a drain so slow that
no burst holds a tenth of those who are left starts late.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from server_stub.tables import Columns
from simulator.core.outcomes import NoticedBy, Outcome

SHARE = 0.1
"""Of the clients connected: the weight of one node among ten, and more than networks and browsers
cost a fleet within seconds."""
FEWEST = 3
"""Clients: in a small herd a tenth is a single one, and a single loss is no wave."""
BURST = 2.0
"""Seconds. A busy machine takes part of that to send, and to read, a thousand close frames."""


class Wave(NamedTuple):
    """One outage as the clients saw it, in seconds."""

    starts_at: float
    ends_at: float
    """Infinite if nobody has got through since."""


def n_needed(n_connected: int) -> int:
    """How many of so many connected clients make up a wave."""
    return max(1, min(n_connected, FEWEST), int(np.ceil(round(SHARE * n_connected, 6))))


def infer_outages(
    attempts: Columns, disconnects: Columns, heartbeat_of: NDArray[np.float64]
) -> tuple[Wave, ...]:
    """The outages that a herd's own records show, by start.

    Args:
        attempts: A table with the columns `client`, `started_at`, `ended_at` and `outcome`.
        disconnects: One with `client`, `noticed_at` and `noticed_by`. What was noticed before
            t = 0 is part of the ramp, and of no wave.
        heartbeat_of: Seconds; the interval of each client's heartbeat, shape (n_clients,).
    """
    made = attempts["outcome"] == Outcome.CONNECTED
    connects = _Connects(attempts["started_at"][made], attempts["ended_at"][made])
    losses = _Losses(disconnects, heartbeat_of)
    return tuple(_waves(connects, losses))


class _Connects:
    """The attempts that got through."""

    def __init__(self, started_at: NDArray[np.float64], ended_at: NDArray[np.float64]) -> None:
        order = np.argsort(ended_at, kind="stable")
        self._started_at, self._ended_at = started_at[order], ended_at[order]

    def n_before(self, instant: float) -> int:
        """How many there were before that."""
        return int(np.searchsorted(self._ended_at, instant, side="left"))

    def first_after(self, instant: float, *, begun_at: float) -> float:
        """When the first got through after an instant, of those begun at `begun_at` or later."""
        later = self._ended_at > instant
        return float(self._ended_at[later & (self._started_at >= begun_at)].min(initial=np.inf))


class _Losses:
    """The connections lost, sorted by when that was noticed."""

    def __init__(self, disconnects: Columns, heartbeat_of: NDArray[np.float64]) -> None:
        order = np.argsort(disconnects["noticed_at"], kind="stable")
        self.at: NDArray[np.float64] = disconnects["noticed_at"][order]
        self.client = disconnects["client"][order]
        silent = disconnects["noticed_by"][order] == NoticedBy.HEARTBEAT
        self.patience = BURST + np.where(silent, heartbeat_of[self.client], 0.0)
        """Seconds from the first loss of a wave until when a loss can be part of it."""
        self._longest_patience = float(self.patience.max(initial=BURST))

    def n_before(self, instant: float) -> int:
        """How many there were before that."""
        return int(np.searchsorted(self.at, instant, side="left"))

    def wave_from(
        self, first: int, n_connected: int, *, unclaimed: NDArray[np.bool_]
    ) -> float | None:
        """When so many clients are lost that a loss proves to have begun a wave; None if never.

        Args:
            first: The place of that loss.
            n_connected: Clients connected before it.
            unclaimed: Which losses are part of no earlier wave, shape (n_losses,).
        """
        until = np.searchsorted(self.at, self.at[first] + self._longest_patience, side="right")
        rest = slice(first, int(until))
        part = unclaimed[rest] & (self.at[rest] - self.at[first] <= self.patience[rest])
        _, firsts = np.unique(self.client[rest][part], return_index=True)  # Each client once.
        grown_at = np.sort(self.at[rest][part][firsts])
        needed = n_needed(n_connected)
        return float(grown_at[needed - 1]) if grown_at.size >= needed else None


def _waves(connects: _Connects, losses: _Losses) -> Iterator[Wave]:
    unclaimed = losses.at >= 0
    while unclaimed.any():
        first = int(np.argmax(unclaimed))
        starts_at = float(losses.at[first])
        n_connected = connects.n_before(starts_at) - losses.n_before(starts_at)
        grown_at = losses.wave_from(first, n_connected, unclaimed=unclaimed)
        if grown_at is None:
            unclaimed[first] = False
            continue
        ends_at = connects.first_after(grown_at, begun_at=starts_at)
        yield Wave(starts_at, ends_at)
        unclaimed &= (losses.at > ends_at) & (losses.at - starts_at > losses.patience)
