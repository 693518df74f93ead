"""Did the storm outlive its trigger?"""

import numpy as np
from numpy.typing import NDArray

from server_stub.tables import Columns

_GOODPUT_SHARE = 0.1
"""Of the capacity; a goodput below it counts as near zero."""


def stage_collapsed(stages: Columns, *, outages_over_at: float, end: float) -> bool:
    """Whether some stage is kept busy to the last with work that nobody waits for any more.

    That is: over the last third of the time from the last outage's end to the observation's, its
    queue was never empty, and hardly a tenth of its services were of use.

    Args:
        stages: The `stages` table.
        outages_over_at: Seconds; end of the last outage.
        end: Seconds; end of the observation.
    """
    starts_at = end - (end - outages_over_at) / 3
    late = (stages["at"] >= starts_at) & (stages["at"] < end)
    for stage in np.unique(stages["stage"][late]):
        rows = late & (stages["stage"] == stage)
        completed, wasted = (int(stages[name][rows].sum()) for name in ("completed", "wasted"))
        is_in_vain = completed > 0 and completed - wasted < _GOODPUT_SHARE * completed
        if is_in_vain and stages["backlog"][rows].min() > 0:
            return True
    return False


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
