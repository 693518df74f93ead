"""Delay policies: how long a client waits before its next attempt to connect.

`policy` is the form that a policy is written in, `schedule` and `delays` the arithmetic, for one
client and for arrays of them, `points` distributions given by points, `functions` delays by a
function of the user's own, `words` descriptions, and `basic` the policies that everything is
compared with.
"""

from simulator.core.backoff.basic import BASIC
from simulator.core.backoff.delays import delay, delays
from simulator.core.backoff.policy import (
    LAST_STEP,
    LONGEST_DELAY,
    Growth,
    Jitter,
    Policy,
    without_effect,
)
from simulator.core.backoff.schedule import first_delay, gives_up, most_retries, schedule
from simulator.core.backoff.words import describe

__all__ = [
    "BASIC",
    "LAST_STEP",
    "LONGEST_DELAY",
    "Growth",
    "Jitter",
    "Policy",
    "delay",
    "delays",
    "describe",
    "first_delay",
    "gives_up",
    "most_retries",
    "schedule",
    "without_effect",
]
