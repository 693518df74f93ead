"""A grade for each policy: how hard its herd hits a server that is down.

The storm it is graded by: N_CLIENTS lose their connections at one instant and notice at once, the
server stays down for DOWN_FOR seconds, and every attempt is refused REFUSED_AFTER seconds after it
starts. The busiest tenth of a second and the busiest second of that storm are held against those of
`exponential-full-jitter`, the basic policy that spreads a herd best; the worse of the two ratios
makes the grade. Beside it stands the same for the busiest tenth of the last LATE seconds, when the
server is about to come back: whether the herd is in step for long.

A grade is about the load that a policy's own clients make, and about nothing else: not about how
soon they are back, nor about those who never are.
"""

from dataclasses import dataclass
from functools import lru_cache

from simulator.core.backoff import BASIC, Policy
from simulator.core.peaks import peak_rate
from simulator.core.preview import leaves_to_chance
from simulator.core.storms import attempts_until

N_CLIENTS = 10_000
DOWN_FOR = 30.0
"""Seconds; of the outage."""
REFUSED_AFTER = 0.02
"""Seconds; the round trip that a dial costs in the scenarios, unless they say otherwise."""
YARDSTICK = BASIC["exponential-full-jitter"]
LATE = 10.0
"""Seconds before the outage ends: by then, full jitter has reached its cap."""
SEED = 1

GRADES = (("A", 1.25), ("B", 2.0), ("C", 4.0), ("D", 5.0), ("E", 10.0))
"""Each grade with the highest ratio that still earns it."""
WORST = "F"
"""Of every higher ratio."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StormGrade:
    """What a policy's herd makes of the storm that policies are graded by."""

    peak_attempt_rate_100ms: float
    """Attempts per second, in the busiest window of 0.1 s."""
    peak_attempt_rate_1s: float
    """The same of 1 s."""
    peak_attempt_rate_late: float
    """The first, but of the end of the outage alone."""
    ratio_100ms: float
    """The first over that of full jitter."""
    ratio_1s: float
    """Likewise of the second."""
    ratio_late: float
    """Likewise of the third; no part of the grade."""

    @property
    def ratio(self) -> float:
        """The worse of the first two."""
        return max(self.ratio_100ms, self.ratio_1s)

    @property
    def letter(self) -> str:
        """A to F."""
        return letter_of(self.ratio)


def letter_of(ratio: float) -> str:
    """The grade that a ratio earns."""
    return next((letter for letter, most in GRADES if ratio <= most), WORST)


def in_words(grade: StormGrade) -> str:
    """A grade with what earned it."""
    return (
        f"{grade.letter}: at worst {grade.ratio:,.3g} times the attempts per second of "
        f"{YARDSTICK.name}; {N_CLIENTS:,} clients without a server for {DOWN_FOR:g} s make "
        f"{grade.peak_attempt_rate_100ms:,.0f}/s in the busiest 0.1 s, "
        f"{grade.peak_attempt_rate_1s:,.0f}/s in the busiest second, and "
        f"{grade.peak_attempt_rate_late:,.0f}/s in the busiest 0.1 s of the last {LATE:g} s "
        f"({grade.ratio_late:,.3g} times)"
    )


def in_brief(grade: StormGrade) -> str:
    """The same for the title of a figure."""
    return (
        f"peak {grade.peak_attempt_rate_100ms:,.0f}/s, {grade.ratio:,.3g} times that of "
        f"{YARDSTICK.name} in the first {DOWN_FOR:g} s: grade {grade.letter}"
    )


def setting_in_words() -> str:
    """What is measured, and how the grades are dealt."""
    steps = ", ".join(f"{letter} up to {most:g}" for letter, most in GRADES)
    return (
        f"peak: the most attempts per second that {N_CLIENTS:,} clients make in any 0.1 s (or 1 s, "
        f"if that is worse) of {DOWN_FOR:g} s without a server, each refused after "
        f"{1000 * REFUSED_AFTER:g} ms, as a multiple of what {YARDSTICK.name} makes. "
        f"grade: of the peak, {steps}, {WORST} above. late: in any 0.1 s of the last {LATE:g} s, "
        "when the server is about to come back."
    )


@lru_cache(maxsize=256)
def storm_grade(policy: Policy) -> StormGrade:
    """Grade a policy."""
    short, long, late = _peaks(policy)
    short_of_all, long_of_all, late_of_all = _yardstick_peaks()
    return StormGrade(
        peak_attempt_rate_100ms=short,
        peak_attempt_rate_1s=long,
        peak_attempt_rate_late=late,
        ratio_100ms=short / short_of_all,
        ratio_1s=long / long_of_all,
        ratio_late=late / late_of_all,
    )


def _peaks(policy: Policy) -> tuple[float, float, float]:
    """Attempts per second in the busiest 0.1 s, in the busiest second, and late."""
    # Clients who are all alike need not be looked at one by one.
    n_clients = N_CLIENTS if leaves_to_chance(policy) else 1
    storm = attempts_until(policy, n_clients, DOWN_FOR, seed=SEED, refused_after=REFUSED_AFTER)
    instants = storm.instants
    is_loop = storm.until <= DOWN_FOR - LATE  # Not looked at for so long, as it does not change.
    late = instants if is_loop else instants[instants >= DOWN_FOR - LATE]
    each_stands_for = N_CLIENTS // n_clients
    short, long = (each_stands_for * peak_rate(instants, window) for window in (0.1, 1.0))
    return short, long, each_stands_for * peak_rate(late, 0.1)


@lru_cache(maxsize=1)
def _yardstick_peaks() -> tuple[float, float, float]:
    return _peaks(YARDSTICK)
