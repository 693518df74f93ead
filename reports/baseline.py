"""What got worse since an earlier recording, beyond the noise.

The rule
--------
A metric is worse if it is worse by more than a tenth (the margin within which `herd compare` does
not tell policies apart) and the 99 % interval of its difference leaves 0 out:

- service wasted: two binomial samples; the tenth is one of all services;
- clients back: likewise, but without a margin: nobody is to be lost;
- reconnect times: the distribution-free 99 % intervals of the two percentiles, whose ends are order
  statistics by the binomial law, must not overlap;
- attempts per client: two means of independent clients;
- the peak of arrivals: two Poisson counts of one second.

Clients of one run wait in one queue, so that they differ less among themselves than runs under
other seeds do: the margin is there for that. Never counts as infinitely long. A run whose verdict
is not ok, or that was cut short, can show nothing, and counts as worse: it must not pass.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reports.reading import LEVEL, Summary, value_of
from reports.tables import label_of
from reports.wording import per_second, percent, seconds
from simulator.errors import InputError
from simulator.metrics import summarise
from simulator.metrics.episodes import end_of_observation, episodes_of
from simulator.metrics.load import attempts_of
from simulator.metrics.percentiles import percentile
from simulator.results import RunResult

_Z = 2.575829
"""Standard deviations on either side that hold 99 % of a normal distribution."""
_SHARE_MARGIN = 0.1
_TIMES = {"reconnect_time_p50": 0.5, "reconnect_time_p95": 0.95, "reconnect_time_p99": 0.99}


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One thing that got worse, or cannot be told."""

    policy: str
    what: str
    before: str
    now: str

    def __str__(self) -> str:
        return f"{self.policy}: {self.what} was {self.before}, is {self.now}"


def worse(now: Mapping[str, RunResult], before: Mapping[str, RunResult]) -> tuple[Change, ...]:
    """What got worse, policy by policy; of those that only one recording has, nothing can be said.

    Args:
        now: By policy.
        before: By policy; of a single run on both sides the names need not agree.

    Raises:
        InputError: They have no policy in common.
    """
    if len(now) == len(before) == 1:
        before = dict(zip(now, before.values(), strict=True))
    common = [name for name in now if name in before]
    if not common:
        raise InputError(
            f"--baseline: has no policy in common with the run; it has {', '.join(before)}"
        )
    return tuple(change for name in common for change in _worse(name, now[name], before[name]))


def _worse(policy: str, now: RunResult, before: RunResult) -> Iterator[Change]:
    is_now, was = summarise(now), summarise(before)
    blurred = [_shortcoming(summary) for summary in (was, is_now)]
    if any(blurred):
        yield Change(
            policy=policy,
            what="whether it can be compared",
            before=blurred[0] or "ok",
            now=blurred[1] or "ok",
        )
        return
    for metric, of in (("recovered_share", "n_episodes"), ("wasted_share", None)):
        yield from _worse_share(policy, metric, of, is_now, was)
    yield from _worse_peak(policy, is_now, was)
    yield from _worse_samples(policy, now, before)


def _shortcoming(summary: Summary) -> str:
    """Why a run can show nothing; empty if it can."""
    if summary["cut_short"]:
        return "cut short"
    return "" if summary["verdict"] == "ok" else str(summary["verdict"])


def _worse_share(
    policy: str, metric: str, of: str | None, now: Summary, before: Summary
) -> Iterator[Change]:
    shares = [float(value_of(summary, metric)) for summary in (now, before)]
    sizes = [
        summary[of] if of else sum(its["completed"] for its in summary["stages"].values())
        for summary in (now, before)
    ]
    if any(map(math.isnan, shares)) or not all(sizes):
        return
    sign = -1.0 if metric == "recovered_share" else 1.0
    change = sign * (shares[0] - shares[1])
    pooled = sum(share * n for share, n in zip(shares, sizes, strict=True)) / sum(sizes)
    noise = math.sqrt(pooled * (1 - pooled) * sum(1 / n for n in sizes))
    margin = _SHARE_MARGIN if metric != "recovered_share" else 0.0
    if change > margin and change > _Z * noise:
        yield Change(
            policy=policy,
            what=label_of(metric),
            before=percent(shares[1]),
            now=percent(shares[0]),
        )


def _worse_peak(policy: str, now: Summary, before: Summary) -> Iterator[Change]:
    metric = "peak_arrival_rate_up_1s"
    peak, earlier = (float(value_of(summary, metric)) for summary in (now, before))
    if peak > LEVEL * earlier and peak - earlier > _Z * math.sqrt(peak + earlier):
        yield Change(
            policy=policy,
            what=label_of(metric),
            before=per_second(earlier),
            now=per_second(peak),
        )


def _worse_samples(policy: str, now: RunResult, before: RunResult) -> Iterator[Change]:
    times, earlier = _reconnect_times(now), _reconnect_times(before)
    if not times.size or not earlier.size:
        return
    for name, share in _TIMES.items():
        value, was = percentile(times, share), percentile(earlier, share)
        is_clear = _bounds(times, share)[0] > _bounds(earlier, share)[1]
        if _ratio(value, was) > LEVEL and is_clear:
            yield Change(
                policy=policy,
                what=name.replace("_", " "),
                before=seconds(was),
                now=seconds(value),
            )
    counts, earlier_counts = _attempts_each(now), _attempts_each(before)
    if counts.size and earlier_counts.size:
        value, was = counts.mean(), earlier_counts.mean()
        noise = math.sqrt(counts.var() / counts.size + earlier_counts.var() / earlier_counts.size)
        if value > LEVEL * was and value - was > _Z * noise:
            yield Change(
                policy=policy,
                what=label_of("amplification"),
                before=f"{was:,.1f}",
                now=f"{value:,.1f}",
            )


def _bounds(values: NDArray[np.float64], share: float) -> tuple[float, float]:
    """The 99 % interval of a percentile.

    The number of samples below it is binomial: the ends are the samples of the ranks that hold it.
    (H. A. David and H. N. Nagaraja, "Order Statistics", section 7.1.)
    """
    n = values.size
    reach = _Z * math.sqrt(n * share * (1 - share))
    low, high = math.floor(n * share - reach), math.ceil(n * share + reach) + 1
    ordered = np.sort(values)
    return float(ordered[max(low, 1) - 1]), float(ordered[min(high, n) - 1])


def _ratio(value: float, was: float) -> float:
    """How many times as long; never beside never is as long."""
    if math.isinf(value) and math.isinf(was):
        return 1.0
    return value / was if was > 0 else (math.inf if value > 0 else 1.0)


def _reconnect_times(result: RunResult) -> NDArray[np.float64]:
    return episodes_of(result, end_of_observation(result)).reconnect_time


def _attempts_each(result: RunResult) -> NDArray[np.int64]:
    """Attempts of each client that made any; none where they were only counted."""
    if result.digest is not None:
        return np.empty(0, dtype=np.int64)
    client = attempts_of(result, end_of_observation(result))["client"]
    return np.unique(client, return_counts=True)[1]
