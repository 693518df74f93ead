"""Clients that leave on purpose: they say goodbye, and do not come back."""

import numpy as np
from numpy.typing import NDArray

from simulator.core.outcomes import Cause
from simulator.keys import episode_keys, find
from simulator.results import RunResult, select


def left_at(result: RunResult) -> NDArray[np.float64]:
    """When each client left for good, infinite for those that did not, shape (n_clients,).

    Only who closed the connection without being made to has left; clients of ours never do.
    """
    losses = result.disconnects
    closed = select(losses, losses["cause"] == Cause.CLIENT)
    tried_again = find(episode_keys(closed), episode_keys(result.attempts)) >= 0
    for_good = select(closed, ~tried_again)
    left = np.full(result.clients["client"].size, np.inf)
    left[for_good["client"]] = for_good["broke_at"]
    return left
