"""What came of events and operations: sums over the accounts of the clients."""

import math
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from simulator.results import RunResult
from simulator.scenario import Scenario

Accounts = Mapping[str, NDArray[np.float64]]
"""What each client of a scope counted, by name: only what the scenario lets anybody observe."""

NO_ACCOUNTS: Accounts = {}
"""Of an outage's scope: accounts are made up once, when the run is over."""


def accounts_of(result: RunResult) -> Accounts:
    """The accounts of all clients, the ramp's events and operations included."""
    if result.manifest.target is not None:
        return NO_ACCOUNTS  # A server that is not ours keeps none.
    return {name: result.clients[name] for name in _observable(result.scenario)}


def _observable(scenario: Scenario) -> Iterator[str]:
    if any(cohort.sync != "none" for cohort in scenario.cohorts):
        yield from ("n_full_refresh", "n_delta_sync")
    if scenario.server.history.rate is not None:
        yield "n_events_missed"
    if any(cohort.operation_rate is not None for cohort in scenario.cohorts):
        yield from ("n_operations", "n_operations_lost", "n_operations_duplicated")


def total(accounts: Accounts, name: str) -> float:
    """The sum over all clients; NaN if one of them left no account, or none observed this."""
    values = accounts.get(name)
    whole = math.nan if values is None else float(values.sum())
    return whole if math.isnan(whole) else int(whole)
