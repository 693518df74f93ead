"""What a recorded run tells of a server: the dials that met it while it was up, and how they went.

Everything here is the clients' view, the same for the stub and for a server that is not ours.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.core.outcomes import Outcome
from simulator.results import RunResult

_TURNED_AWAY = (Outcome.REJECTED, Outcome.RESET)
"""What a client of a server that is up meets when there is no place for it."""
_GAVE_UP = (Outcome.TIMED_OUT, Outcome.CANCELLED)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Dials:
    """Dials of a server that was up, in order of arrival; arrays of one length n."""

    arrived_at: NDArray[np.float64]
    """Seconds."""
    answered_at: NDArray[np.float64]
    """Seconds; when the client had its answer, or gave up."""
    connected: NDArray[np.bool_]
    turned_away: NDArray[np.bool_]
    gave_up: NDArray[np.bool_]
    was_reset: bool
    """Was being turned away mostly a TCP reset?"""

    @property
    def latency(self) -> NDArray[np.float64]:
        """Seconds from arrival to answer."""
        return self.answered_at - self.arrived_at


def dials_of(result: RunResult) -> Dials:
    """The dials of a run that met the server while it was up, whoever else was in front of them.

    Those that an outage overlaps are left out: the outage answered them, not the server. So is the
    ramp, which the stub lets in without service.
    """
    attempts = result.attempts
    rtts = np.array([cohort.rtt for cohort in result.scenario.cohorts])
    arrived_at = attempts["started_at"] + rtts[attempts["cohort"]]
    answered_at = attempts["ended_at"]
    outcome = attempts["outcome"]
    counts = (attempts["outage"] >= 0) | (attempts["episode"] > 0)
    counts &= np.isin(outcome, [Outcome.CONNECTED, *_TURNED_AWAY, *_GAVE_UP])
    for starts_at, ends_at in zip(
        result.outages["starts_at"], result.outages["ends_at"], strict=True
    ):
        counts &= (arrived_at >= ends_at) | (answered_at < starts_at)
    chosen = np.flatnonzero(counts)
    # Of dials at one instant, those that were answered first stood first in the queue, and those
    # that found no place came last.
    turned_away = np.isin(outcome, _TURNED_AWAY)
    chosen = chosen[np.lexsort((answered_at[chosen], turned_away[chosen], arrived_at[chosen]))]
    outcome = outcome[chosen]
    n_reset = np.count_nonzero(outcome == Outcome.RESET)
    return Dials(
        arrived_at=arrived_at[chosen],
        answered_at=np.maximum(answered_at[chosen], arrived_at[chosen]),
        connected=outcome == Outcome.CONNECTED,
        turned_away=np.isin(outcome, _TURNED_AWAY),
        gave_up=np.isin(outcome, _GAVE_UP),
        was_reset=bool(n_reset > np.count_nonzero(outcome == Outcome.REJECTED)),
    )


def time_on_the_way(result: RunResult) -> float:
    """Seconds that a connect costs when no worker is needed; 0 where that cannot be seen.

    The stub lets the ramp in without service, so what a connect of the ramp takes beyond its round
    trip is network, kernel and client. Another server works for its ramp as for any connect.
    """
    if result.manifest.target is not None:
        return 0.0
    attempts = result.attempts
    rtts = np.array([cohort.rtt for cohort in result.scenario.cohorts])
    ramp = (attempts["episode"] == 0) & (attempts["outcome"] == Outcome.CONNECTED)
    if not ramp.any():
        return 0.0
    latency = attempts["ended_at"] - attempts["started_at"] - rtts[attempts["cohort"]]
    return max(float(np.median(latency[ramp])), 0.0)
