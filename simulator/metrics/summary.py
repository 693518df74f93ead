"""The summary of a run: every metric under its name, beside its formula."""

import math
from collections.abc import Callable, Collection, Mapping
from copy import deepcopy
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from server_stub.doorkeeper import Reason
from server_stub.tables import turned_away_by
from simulator.core.outcomes import Cause, Outcome, labels
from simulator.core.peaks import peak_rate
from simulator.metrics.accounts import total
from simulator.metrics.flows import HEALTHY_LOST
from simulator.metrics.percentiles import percentile
from simulator.metrics.rates import peak_arrival_rate_up
from simulator.metrics.scope import Observation, Scope
from simulator.metrics.stages import rows_of, stage_summaries
from simulator.metrics.trust import verdict
from simulator.results import RunResult

Value = float | bool | str | dict[str, int] | None
Metric = Callable[[Scope], Value]


_KNOWN: WeakKeyDictionary[RunResult, dict[str, Any]] = WeakKeyDictionary()
"""Summaries of results that are still about: tables, figures and page all ask for them."""


def summarise(result: RunResult) -> dict[str, Any]:
    """The content of `summary.json`; a result never changes, so it is worked out once.

    Returns:
        The metrics of the whole run; the same under `outages` by index and `cohorts` by name; what
        came of each stage under `stages` by name. None stands for infinite, or for unmeasured
        where `unmeasured` names the field.
    """
    if result not in _KNOWN:
        _KNOWN[result] = _summarise(result)
    return deepcopy(_KNOWN[result])


def _summarise(result: RunResult) -> dict[str, Any]:
    observation = Observation(result)
    manifest = result.manifest
    summary_of = partial(_summary_of, unseen=manifest.unmeasured)
    return {
        **summary_of(observation.whole),
        "cut_short": manifest.interrupted or manifest.failure is not None,
        "stages": {
            name: _finite(values)
            for name, values in stage_summaries(result.scenario, observation.whole.stages).items()
        },
        "outages": {key: summary_of(scope) for key, scope in observation.outage_scopes().items()},
        "cohorts": {key: summary_of(scope) for key, scope in observation.cohort_scopes().items()},
    }


def _summary_of(scope: Scope, *, unseen: Collection[str]) -> dict[str, Any]:
    values = {
        name: None if name in unseen else _without(metric(scope), name, unseen)
        for name, metric in METRICS.items()
    }
    return _finite(values, unseen=[name for name in unseen if "." in name])


def _finite(values: Mapping[str, Value], *, unseen: Collection[str] = ()) -> dict[str, Any]:
    """The values as JSON can hold them, and which of them were not measured."""
    unmeasured = [name for name, value in values.items() if _is_unmeasured(value)]
    unmeasured += [name for name in unseen if name not in unmeasured]
    finite = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in values.items()
    }
    return {**finite, "unmeasured": unmeasured}


def _without(value: Value, name: str, unseen: Collection[str]) -> Value:
    """A metric, of a table only those fields that could be observed."""
    if not isinstance(value, dict):
        return value
    return {field: part for field, part in value.items() if f"{name}.{field}" not in unseen}


def _is_unmeasured(value: Value) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _share(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def _n_recovered(scope: Scope) -> int:
    return int(np.count_nonzero(scope.episodes.recovered))


def _n_gave_up(scope: Scope) -> int:
    return int(np.count_nonzero(scope.episodes.gave_up))


def _n_censored(scope: Scope) -> int:
    """Still down at the end of the observation, and still trying."""
    return scope.episodes.n - _n_recovered(scope) - _n_gave_up(scope)


def _n_attempts(scope: Scope) -> int:
    return scope.load.n


def _n_arrivals(scope: Scope) -> float:
    """Upgrade requests that reached the server; those that nobody accepted are not among them."""
    arrivals = scope.server["arrivals"]
    return int(arrivals.sum()) if arrivals.size else math.nan


def _outcomes(scope: Scope) -> dict[str, int]:
    return dict(zip(labels(Outcome), scope.load.by_outcome().tolist(), strict=True))


def _peak_attempt_rate(scope: Scope, *, window: float) -> float:
    return scope.load.peak_rate(window)


def _peak_connect_rate(scope: Scope, *, window: float) -> float:
    return peak_rate(scope.connects_at, window)


def _peak_arrival_rate_up(scope: Scope, *, window: float) -> float:
    if scope.server["at"].size == 0:
        return math.nan
    return peak_arrival_rate_up(scope.server, scope.outages, window)


def _reconnect_time(scope: Scope, *, share: float) -> float:
    return percentile(scope.episodes.reconnect_time, share)


def _time_to_recovery(scope: Scope, *, share: float) -> float:
    """Of the worst outage."""
    return max((recovery.time(share) for recovery in scope.recoveries), default=math.nan)


def _floor(scope: Scope) -> float:
    """The fastest possible recovery: n disconnected / capacity, of the outage with the most.

    A client that an outage costs several connections counts once.
    """
    if not scope.recoveries:
        return math.nan
    episodes = scope.episodes.where(scope.episodes.outage >= 0)
    shape = (episodes.outage.max(initial=-1) + 1, int(episodes.client.max(initial=0)) + 1)
    was_hit = np.zeros(shape, dtype=np.bool_)
    was_hit[episodes.outage, episodes.client] = True
    return int(np.count_nonzero(was_hit, axis=1).max(initial=0)) / scope.capacity


def _detection_time(scope: Scope, *, share: float) -> float:
    if not scope.has_server_record:
        return math.nan
    return percentile(scope.episodes.detection_time, share)


def _causes(scope: Scope) -> dict[str, int]:
    counts = np.bincount(scope.episodes.cause, minlength=len(Cause))
    return dict(zip(labels(Cause), counts.tolist(), strict=True))


def _n_healthy_lost(scope: Scope) -> int:
    """Connections that no outage broke: starved, or closed because they were no use."""
    return int(np.isin(scope.episodes.cause, HEALTHY_LOST).sum())


def _peak_backlog(scope: Scope) -> float:
    """Of the longest queue, whether in front of the server's own workers or at a stage."""
    backlog = np.append(scope.server["backlog"], scope.stages["backlog"])
    return int(backlog.max()) if backlog.size else math.nan


def _wasted_share(scope: Scope) -> float:
    """Services for a client that had given up, of all services; 0 when there were none.

    Counted at the narrowest stage, where services are scarce.
    """
    table = scope.server
    if scope.binding_number and scope.stages["at"].size:
        table = rows_of(scope.stages, scope.binding_number)
    if table["at"].size == 0:
        return math.nan
    return float(table["wasted"].sum()) / max(int(table["completed"].sum()), 1)


def _time_to_sync(scope: Scope, *, share: float) -> float:
    """From the end of the last outage until that share of those that ask know what they missed."""
    times = scope.sync_times
    return percentile(times[~np.isnan(times)], share)


def _turned_away(scope: Scope) -> Value:
    """Arrivals that the server did not let in, by the rule that turned them away."""
    if scope.server["at"].size == 0:
        return math.nan
    return {reason.value: int(scope.server[turned_away_by(reason)].sum()) for reason in Reason}


def _goodput_after_outage(scope: Scope) -> float:
    """Of the worst outage; those that nobody had to come back from are left out."""
    goodputs = [recovery.goodput() for recovery in scope.recoveries]
    return min((goodput for goodput in goodputs if not math.isnan(goodput)), default=math.nan)


def _generator_lag(scope: Scope, *, share: float) -> float:
    return scope.load.lag(share)


def _server_lag(scope: Scope, *, share: float) -> float:
    return percentile(scope.services["lag"], share)


def _verdict(scope: Scope) -> str:
    return verdict(
        (_generator_lag(scope, share=0.99), _server_lag(scope, share=0.99)), scope.limits
    )


def _total(scope: Scope, *, name: str) -> float:
    """Over the whole run, the ramp included."""
    return total(scope.accounts, name)


METRICS: Mapping[str, Metric] = {
    "n_clients": lambda scope: scope.n_clients,
    "n_episodes": lambda scope: scope.episodes.n,
    "disconnects_per_client": lambda scope: _share(scope.episodes.n, scope.n_clients),
    "n_recovered": _n_recovered,
    "n_censored": _n_censored,
    "n_gave_up": _n_gave_up,
    "recovered_share": lambda scope: _share(_n_recovered(scope), scope.episodes.n),
    "n_attempts": _n_attempts,
    "n_arrivals": _n_arrivals,
    "amplification": lambda scope: _share(_n_attempts(scope), scope.episodes.n),
    "outcomes": _outcomes,
    "causes": _causes,
    "n_healthy_lost": _n_healthy_lost,
    "peak_attempt_rate_100ms": partial(_peak_attempt_rate, window=0.1),
    "peak_attempt_rate_1s": partial(_peak_attempt_rate, window=1.0),
    "peak_arrival_rate_up_1s": partial(_peak_arrival_rate_up, window=1.0),
    "peak_connect_rate_1s": partial(_peak_connect_rate, window=1.0),
    "reconnect_time_p50": partial(_reconnect_time, share=0.5),
    "reconnect_time_p95": partial(_reconnect_time, share=0.95),
    "reconnect_time_p99": partial(_reconnect_time, share=0.99),
    "reconnect_time_max": partial(_reconnect_time, share=1.0),
    "time_to_recovery_p50": partial(_time_to_recovery, share=0.5),
    "time_to_recovery_p95": partial(_time_to_recovery, share=0.95),
    "time_to_recovery_p99": partial(_time_to_recovery, share=0.99),
    "time_to_recovery_p100": partial(_time_to_recovery, share=1.0),
    "time_to_sync_p95": partial(_time_to_sync, share=0.95),
    "time_to_sync_p100": partial(_time_to_sync, share=1.0),
    "floor": _floor,
    "detection_time_p50": partial(_detection_time, share=0.5),
    "detection_time_p99": partial(_detection_time, share=0.99),
    "peak_backlog": _peak_backlog,
    "wasted_share": _wasted_share,
    "turned_away": _turned_away,
    "goodput_after_outage": _goodput_after_outage,
    "connection_imbalance": lambda scope: scope.imbalance,
    "binding_stage": lambda scope: None if math.isnan(scope.capacity) else scope.binding_stage,
    "metastable": lambda scope: scope.is_metastable,
    "generator_lag_p99": partial(_generator_lag, share=0.99),
    "generator_lag_max": partial(_generator_lag, share=1.0),
    "server_lag_p99": partial(_server_lag, share=0.99),
    "verdict": _verdict,
    "n_full_refresh": partial(_total, name="n_full_refresh"),
    "n_delta_sync": partial(_total, name="n_delta_sync"),
    "n_events_missed": partial(_total, name="n_events_missed"),
    "n_operations": partial(_total, name="n_operations"),
    "n_operations_lost": partial(_total, name="n_operations_lost"),
    "n_operations_duplicated": partial(_total, name="n_operations_duplicated"),
}
"""The definition of each metric, in the order of summary.json; infinite means never, NaN or None
that there was nothing to measure it by."""
