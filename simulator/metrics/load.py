"""The attempts that a summary counts: one by one, or counted in intervals where they were too many.

Either way the ramp's are left out, and so are those that came due after the end of the observation.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from server_stub.recorder import INTERVAL
from server_stub.tables import Columns
from simulator.core.outcomes import Outcome
from simulator.core.peaks import peak_rate
from simulator.metrics.percentiles import percentile
from simulator.metrics.rates import peak_count
from simulator.results import RunResult, select


class Load(Protocol):
    """The attempts of a scope."""

    @property
    def n(self) -> int:
        """How many."""

    def by_outcome(self) -> NDArray[np.int64]:
        """How many ended in each way, shape (n_outcomes,)."""

    def peak_rate(self, window: float) -> float:
        """The most started within any window of so many seconds, per second."""

    def lag(self, share: float) -> float:
        """Seconds from due to started that this share of them did not exceed."""

    def series(self, width: float, n_bins: int) -> NDArray[np.int64]:
        """Attempts started per bin from t = 0 on, by outcome.

        Args:
            width: Seconds per bin.
            n_bins: How many at least; there are as many more as it takes.

        Returns:
            Shape (n_outcomes, n_bins).
        """

    def of_outage(self, outage: int) -> "Load":
        """Those of the episodes that an outage began."""

    def of_cohort(self, cohort: int) -> "Load":
        """Those of a cohort's clients."""


@dataclass(frozen=True, slots=True, eq=False)
class EveryAttempt:
    """All of them on record."""

    attempts: Columns

    @property
    def n(self) -> int:
        """How many."""
        return self.attempts["outcome"].size

    def by_outcome(self) -> NDArray[np.int64]:
        """How many ended in each way, shape (n_outcomes,)."""
        return np.bincount(self.attempts["outcome"], minlength=len(Outcome))

    def peak_rate(self, window: float) -> float:
        """The most started within any window of so many seconds, per second."""
        return peak_rate(self.attempts["started_at"], window)

    def lag(self, share: float) -> float:
        """Seconds from due to started that this share of them did not exceed."""
        return percentile(self.attempts["started_at"] - self.attempts["due_at"], share)

    def series(self, width: float, n_bins: int) -> NDArray[np.int64]:
        """Attempts started per bin, by outcome, shape (n_outcomes, n_bins)."""
        bins = np.floor(self.attempts["started_at"] / width).astype(np.intp)
        return _cells(self.attempts["outcome"], bins, n_bins)

    def of_outage(self, outage: int) -> "EveryAttempt":
        """Those of the episodes that an outage began."""
        return EveryAttempt(select(self.attempts, self.attempts["outage"] == outage))

    def of_cohort(self, cohort: int) -> "EveryAttempt":
        """Those of a cohort's clients."""
        return EveryAttempt(select(self.attempts, self.attempts["cohort"] == cohort))


@dataclass(frozen=True, slots=True, eq=False)
class CountedAttempts:
    """Only their numbers on record, per interval of 10 ms: rows of the `rates` table."""

    rates: Columns

    @property
    def n(self) -> int:
        """How many."""
        return int(self.rates["n"].sum())

    def by_outcome(self) -> NDArray[np.int64]:
        """How many ended in each way, shape (n_outcomes,)."""
        counts = np.bincount(self.rates["outcome"], weights=self.rates["n"], minlength=len(Outcome))
        return counts.astype(np.int64)

    def peak_rate(self, window: float) -> float:
        """The most started within any window of intervals, per second.

        A window that begins within an interval could hold up to one interval's attempts more.
        """
        return peak_count(self.rates["at"], self.rates["n"], window) / window

    def lag(self, share: float) -> float:
        """Nothing is late without a machine; 0, or NaN where there was no attempt."""
        return 0.0 if self.n else np.nan

    def series(self, width: float, n_bins: int) -> NDArray[np.int64]:
        """Attempts started per bin, by outcome, shape (n_outcomes, n_bins)."""
        bins = np.floor((self.rates["at"] + INTERVAL / 2) / width).astype(np.intp)
        return _cells(self.rates["outcome"], bins, n_bins, self.rates["n"])

    def of_outage(self, outage: int) -> "CountedAttempts":
        """Those of the episodes that an outage began."""
        return CountedAttempts(select(self.rates, self.rates["outage"] == outage))

    def of_cohort(self, cohort: int) -> "CountedAttempts":
        """Those of a cohort's clients."""
        return CountedAttempts(select(self.rates, self.rates["cohort"] == cohort))


def _cells(
    outcome: NDArray[np.uint8],
    bins: NDArray[np.intp],
    n_bins: int,
    weights: NDArray[np.uint32] | None = None,
) -> NDArray[np.int64]:
    n_bins = max(n_bins, int(bins.max(initial=0)) + 1)
    cells = outcome.astype(np.intp) * n_bins + bins
    counts = np.bincount(cells, weights=weights, minlength=len(Outcome) * n_bins)
    return counts.astype(np.int64).reshape(len(Outcome), n_bins)


def load_of(result: RunResult, end: float) -> Load:
    """The attempts of a run's episodes.

    Args:
        result: Any run.
        end: Seconds; end of the observation. Attempts due later are none of its business.
    """
    if result.digest is not None:
        rates = result.digest.rates
        return CountedAttempts(select(rates, rates["at"] <= end))
    return EveryAttempt(attempts_of(result, end))


def attempts_of(result: RunResult, end: float) -> Columns:
    """The attempts of a run's episodes, where they are on record.

    Args:
        result: Any run.
        end: Seconds; end of the observation. Attempts due later are none of its business.
    """
    attempts = result.attempts
    return select(
        attempts,
        (attempts["episode"] > 0) & (attempts["started_at"] >= 0) & (attempts["due_at"] <= end),
    )
