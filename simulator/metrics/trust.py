"""Can the figures be trusted? How late generator and server were, and what that means."""

import numpy as np

from simulator.core.backoff import first_delay
from simulator.results import Thresholds
from simulator.scenario import Scenario

_OK_SHARE, _OK_AT_LEAST = 0.1, 0.05
_STRAINED_SHARE, _STRAINED_AT_LEAST = 0.3, 0.15
"""Shares of the first delay, and seconds: a lag smears a burst as jitter would, so
it must be small beside the delays that are compared."""


def thresholds(scenario: Scenario) -> Thresholds:
    """The largest lags at which a run is `ok` and `strained`, by the shortest first delay."""
    shortest = min(first_delay(cohort.policy) for cohort in scenario.cohorts)
    return Thresholds(
        ok=max(_OK_AT_LEAST, _OK_SHARE * shortest),
        strained=max(_STRAINED_AT_LEAST, _STRAINED_SHARE * shortest),
    )


def verdict(lags: tuple[float, float], limits: Thresholds) -> str:
    """What the worse of two lags makes of a run: `ok`, `strained` or `saturated`.

    Args:
        lags: Seconds; the 99th percentiles of generator and server, NaN for one without samples.
        limits: From the run's manifest.
    """
    worse = float(np.nanmax([0.0, *lags]))
    if worse <= limits.ok:
        return "ok"
    return "strained" if worse <= limits.strained else "saturated"
