"""What can be said of a population from few replications; confidence intervals, pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
Z = float(stats.norm.ppf((1 + CONFIDENCE) / 2))
"""Standard deviations to either side that hold this share of a normal distribution."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """An estimate and the interval that holds the truth with the confidence asked for."""

    estimate: float
    low: float
    high: float
    n: int
    """Observations that it rests on."""


def wilson(n_successes: int, n: int, *, confidence: float = CONFIDENCE) -> Interval:
    """The share of successes, by Wilson's score interval (1927), which is apt for few and for rare.

    Args:
        n_successes: Of n.
        n: Trials; the interval is 0 to 1 when there are none.
        confidence: That the interval holds the true share.

    Raises:
        ValueError: More successes than trials.
    """
    if not 0 <= n_successes <= n:
        raise ValueError(f"{n_successes} successes in {n} trials")
    if n == 0:
        return Interval(estimate=math.nan, low=0.0, high=1.0, n=0)
    found = stats.binomtest(n_successes, n).proportion_ci(confidence, method="wilson")
    return Interval(estimate=n_successes / n, low=float(found.low), high=float(found.high), n=n)


def mean_of(values: Sequence[float], *, confidence: float = CONFIDENCE) -> Interval:
    """The mean of a population, by Student's t.

    Args:
        values: Independent observations, finite; the interval is unbounded for fewer than two.
        confidence: That the interval holds the true mean.
    """
    n = len(values)
    if n == 0:
        return Interval(estimate=math.nan, low=-math.inf, high=math.inf, n=0)
    mean = float(np.mean(values))
    if n == 1:
        return Interval(estimate=mean, low=-math.inf, high=math.inf, n=1)
    error = float(np.std(values, ddof=1)) / math.sqrt(n)
    reach = float(stats.t.ppf((1 + confidence) / 2, n - 1)) * error
    return Interval(estimate=mean, low=mean - reach, high=mean + reach, n=n)


def paired_difference(
    values: Sequence[float], others: Sequence[float], *, confidence: float = CONFIDENCE
) -> Interval:
    """The mean of `others` - `values`, pair by pair: what the pairs have in common cancels out.

    Args:
        values: Observations under one treatment.
        others: Under the other, in the same order; pairs that are not finite do not count.
        confidence: That the interval holds the true difference.

    Raises:
        ValueError: They are not of one length.
    """
    pairs = zip(values, others, strict=True)
    differences = [other - value for value, other in pairs if math.isfinite(value - other)]
    return mean_of(differences, confidence=confidence)
