"""What arrivals at the server met, over time: let in, or turned away by one of its rules."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from server_stub.doorkeeper import Reason
from server_stub.tables import turned_away_by
from simulator.metrics.series import BIN, server_rates
from simulator.results import RunResult


class Met(IntEnum):
    """What one arrival met."""

    ADMITTED = 0
    """A worker, or a place in the queue."""
    BACKLOG = 1
    MAX_CONNECTIONS = 2
    ADMISSION = 3
    MAX_PER_ADDRESS = 4
    """The rule that turned it away, as in `Reason`; what an outage sends away had been admitted."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ArrivalsMet:
    """How many arrivals met what."""

    edges: NDArray[np.float64]
    """Seconds; of the bins, shape (n_bins + 1,)."""
    per_second: NDArray[np.float64]
    """Arrivals per second, shape (n_met, n_bins), rows as in `Met`."""

    @property
    def totals(self) -> NDArray[np.int64]:
        """Arrivals over the whole observation, shape (n_met,)."""
        whole = self.per_second @ np.diff(self.edges)
        return np.rint(whole).astype(np.int64)


def arrivals_met(result: RunResult, *, width: float = BIN) -> ArrivalsMet | None:
    """What arrivals met, per second, in bins.

    Args:
        result: Any run.
        width: Seconds per bin; not below the 10 ms of the record.

    Returns:
        Bins from t = 0 to the end of the observation; None when the server left no record.
    """
    columns = ["admitted", *(turned_away_by(Reason[met.name]) for met in Met if met)]
    rates = server_rates(result, columns, width=width)
    if rates is None:
        return None
    edges, per_second = rates
    return ArrivalsMet(edges=edges, per_second=per_second)
