"""Did the storm outlive its trigger?"""

import numpy as np
from numpy.typing import NDArray

from server_stub.tables import Columns

_GOODPUT_SHARE = 0.1
"""Of the capacity; a goodput below it counts as near zero."""


def metastable(
    server: Columns,
    connects_at: NDArray[np.float64],
    *,
    outages_over_at: float,
    end: float,
    capacity: float,
) -> bool | None:
    """Whether load stays above capacity and goodput near zero, long after the last outage.

    Looked at over the last third of the time from the last outage's end to the observation's.

    Args:
        server: The `server` table.
        connects_at: Seconds; when attempts got through.
        outages_over_at: Seconds; end of the last outage.
        end: Seconds; end of the observation.
        capacity: Handshakes per second.

    Returns:
        None when the server has left no record.
    """
    if server["at"].size == 0:
        return None
    starts_at = end - (end - outages_over_at) / 3
    if not starts_at < end:
        return False
    arriving = (server["at"] >= starts_at) & (server["at"] < end)
    connecting = (connects_at >= starts_at) & (connects_at < end)
    arrivals = float(server["arrivals"][arriving].sum()) / (end - starts_at)
    goodput = float(np.count_nonzero(connecting)) / (end - starts_at)
    return arrivals > capacity and goodput < _GOODPUT_SHARE * capacity
