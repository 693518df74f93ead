"""Forecasts a storm that was recorded, and says how far off the forecast is."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from server_stub.config import ServerConfig
from server_stub.outage import Outage, OutageKind
from simulator.errors import InputError
from simulator.metrics import summarise
from simulator.metrics.episodes import end_of_observation, episodes_of
from simulator.metrics.percentiles import percentile
from simulator.results import RunResult
from simulator.scenario import Scenario
from simulator.trials import result_of

METRICS = (
    "time_to_recovery_p50",
    "time_to_recovery_p95",
    "reconnect_time_p50",
    "reconnect_time_p95",
    "peak_attempt_rate_1s",
    "peak_connect_rate_1s",
    "recovered_share",
)
"""What is forecast."""
_SHARES = np.arange(0.05, 0.96, 0.05)
"""Of the way back at which the truth is held against the forecast's interval."""
_ENGINES = ("model", "virtual")
_KINDS = tuple(OutageKind)
"""By their codes in recorded tables."""
_LEAST = 2
"""Replications without which there is no interval."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """One metric: what happened, and what was foretold; infinite for never."""

    metric: str
    truth: float
    median: float
    low: float
    high: float
    """The interval in which nine of ten replications lie."""

    @property
    def error(self) -> float | None:
        """Of the median, as a share of the truth; None if either is not finite, or truth is 0."""
        if not (math.isfinite(self.truth) and math.isfinite(self.median)) or self.truth == 0:
            return None
        return self.median / self.truth - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Backtest:
    """A recorded storm beside its forecast."""

    forecasts: tuple[Forecast, ...]
    share_inside: float | None
    """Of the recovery curve's points (5 %, 10 % ... 95 % back), those between the least and the
    most of all replications; None if the truth was that nobody came back. What is uncertain in the
    settings themselves is not in that range."""
    replications: int
    engine: str

    def values(self) -> dict[str, Any]:
        """All of it as JSON can hold it; None for never."""

        def finite(value: float) -> float | None:
            return value if math.isfinite(value) else None

        return {
            "engine": self.engine,
            "replications": self.replications,
            "share_inside": self.share_inside,
            "forecasts": {
                one.metric: {
                    "truth": finite(one.truth),
                    "median": finite(one.median),
                    "low": finite(one.low),
                    "high": finite(one.high),
                    "error": one.error,
                }
                for one in self.forecasts
            },
        }


def backtest(
    recorded: RunResult,
    server: ServerConfig,
    *,
    replications: int = 20,
    engine: str = "model",
) -> Backtest:
    """Forecast a recorded storm with other settings of the server than it was recorded with.

    Clients and policy are those of the record, and so are the outages, as they really happened; the
    seeds are others than the record's, so that nothing of its chance is known beforehand.

    Args:
        recorded: The run to foretell.
        server: The calibrated server.
        replications: How many seeds.
        engine: "model" or "virtual".

    Raises:
        InputError: The engine cannot run it, or there are too few replications.
    """
    if replications < _LEAST:
        raise InputError(f"--replications = {replications}: allowed: at least {_LEAST}")
    scenario = scenario_to_forecast(recorded, server)
    if engine not in _ENGINES:
        raise InputError(f"--engine = {engine}: allowed: {' or '.join(_ENGINES)}")
    summaries, curves = [], []
    for turn in range(1, replications + 1):
        seeded = scenario.model_copy(update={"seed": scenario.seed + turn})
        result = result_of(seeded, engine=engine)
        summaries.append(summarise(result))
        curves.append(_way_back(result))
    truth = summarise(recorded)
    return Backtest(
        forecasts=tuple(_forecast(metric, truth, summaries) for metric in METRICS),
        share_inside=_share_inside(_way_back(recorded), np.array(curves)),
        replications=replications,
        engine=engine,
    )


def scenario_to_forecast(recorded: RunResult, server: ServerConfig) -> Scenario:
    """The record's clients and outages, as these really happened, before another server."""
    horizon = recorded.scenario.horizon
    outages = tuple(
        _as_it_happened(recorded.scenario, index, _KINDS[kind], starts_at, ends_at)
        for index, kind, starts_at, ends_at in zip(
            recorded.outages["outage"].tolist(),
            recorded.outages["kind"].tolist(),
            recorded.outages["starts_at"].tolist(),
            np.minimum(recorded.outages["ends_at"], 2 * horizon).tolist(),
            strict=True,
        )
        if starts_at < horizon
    )
    return recorded.scenario.model_copy(
        update={"server": server, "outage": outages, "deploy": (), "objective": ()}
    )


def _as_it_happened(
    scenario: Scenario, index: int, kind: OutageKind, starts_at: float, ends_at: float
) -> Outage:
    times: Mapping[str, Any] = {"starts_at": max(starts_at, 0.0), "down_for": ends_at - starts_at}
    of_schedule = [window for window in scenario.windows if window.index == index]
    if kind is OutageKind.SERVER_LOST:
        # Nobody knows how it broke; that everybody knew at once is the nearest.
        return Outage(kind=OutageKind.CRASH, **times)
    code = of_schedule[0].close_code if of_schedule and kind.says_goodbye else None
    return Outage(kind=kind, close_code=code, **times)


def _way_back(result: RunResult) -> NDArray[np.float64]:
    """Seconds from the last outage's end until each of `_SHARES` of its clients was back."""
    back_at = episodes_of(result, end_of_observation(result)).recovered_at
    if not back_at.size:
        return np.full(_SHARES.size, np.inf)
    ends_at = float(result.outages["ends_at"].max(initial=0.0))
    return np.array([percentile(back_at, share) - ends_at for share in _SHARES])


def _forecast(
    metric: str, truth: Mapping[str, Any], summaries: Sequence[Mapping[str, Any]]
) -> Forecast:
    values = np.array([_number(summary[metric]) for summary in summaries])
    low, median, high = np.quantile(values, [0.05, 0.5, 0.95], method="closest_observation")
    return Forecast(
        metric=metric,
        truth=_number(truth[metric]),
        median=float(median),
        low=float(low),
        high=float(high),
    )


def _number(value: float | None) -> float:
    return math.inf if value is None else float(value)


def _share_inside(truth: NDArray[np.float64], curves: NDArray[np.float64]) -> float | None:
    """Share of the points of a curve that lie between the least and the most of others."""
    known = np.isfinite(truth)
    if not known.any():
        return None
    low, high = curves.min(axis=0), curves.max(axis=0)
    return float(np.mean((truth >= low)[known] & (truth <= high)[known]))
