"""The grade of a policy."""

import numpy as np
import pytest

from simulator.core.backoff import BASIC, Policy
from simulator.grading import (
    DOWN_FOR,
    GRADES,
    N_CLIENTS,
    REFUSED_AFTER,
    YARDSTICK,
    in_words,
    letter_of,
    storm_grade,
)


def test_full_jitter_is_the_yardstick():
    """Its ratios are 1 by definition, which is the best grade."""
    grade = storm_grade(YARDSTICK)
    assert grade.ratio_100ms == grade.ratio_1s == grade.ratio == grade.ratio_late == 1.0
    assert grade.letter == "A"


@pytest.mark.parametrize("base", [0.5, 1.0, 7.0])
def test_a_herd_in_lockstep_is_all_within_one_window(base):
    """With one delay for all, as many as there are clients try at one instant."""
    grade = storm_grade(Policy(growth="constant", base=base))
    assert grade.peak_attempt_rate_100ms == N_CLIENTS / 0.1
    per_second = 1 + int(0.999 / (base + REFUSED_AFTER))
    assert grade.peak_attempt_rate_1s == N_CLIENTS * per_second


def test_an_immediate_retry_is_lockstep_too():
    """However well the later ones are spread."""
    policy = Policy(cap=30.0, base=5.0, jitter="full", immediate_first=True)
    assert storm_grade(policy).peak_attempt_rate_100ms >= N_CLIENTS / 0.1


def test_even_jitter_has_an_even_peak():
    """A first delay that is uniform over 10 s gives a tenth of the clients each second."""
    policy = Policy(growth="constant", base=10.0, jitter="full", max_attempts=1)
    grade = storm_grade(policy)
    mean = N_CLIENTS / 10
    # Of some hundred windows that do not overlap, the fullest is within 4 deviations above.
    assert mean < grade.peak_attempt_rate_1s < mean + 4 * np.sqrt(mean)
    assert mean < grade.peak_attempt_rate_100ms < mean + 10 * 4.5 * np.sqrt(mean / 10)


def test_who_gives_up_before_trying_makes_no_storm():
    """Without attempts there is no peak."""
    assert storm_grade(Policy(max_attempts=0)).ratio == 0.0


def test_a_loop_is_graded_by_its_second():
    """At twenty milliseconds a refusal, a client in a loop tries some fifty times a second."""
    grade = storm_grade(BASIC["immediate"])
    loop = N_CLIENTS / REFUSED_AFTER
    assert grade.peak_attempt_rate_1s == pytest.approx(loop, rel=0.05)
    assert grade.letter == "F"


def test_the_outage_lasts_long_enough_for_the_later_steps():
    """A burst at the fifth step counts."""
    policy = Policy(base=2.0, cap=10.0, jitter="first-attempt")
    assert storm_grade(policy).ratio < storm_grade(Policy(base=2.0, cap=10.0)).ratio
    assert DOWN_FOR > 2 + 4 + 8 + 10


def test_late_is_the_end_of_the_outage_alone():
    """There, lockstep that lasts is told from a single burst; it does not change the grade."""
    lasting, single = storm_grade(BASIC["fixed"]), storm_grade(Policy(base=1.0, max_attempts=1))
    assert lasting.letter == single.letter == "E"
    assert lasting.peak_attempt_rate_late == N_CLIENTS / 0.1
    assert lasting.ratio_late > 5 * lasting.ratio
    assert single.peak_attempt_rate_late == single.ratio_late == 0.0


def test_a_loop_is_as_bad_late_as_ever():
    """Though nobody watches it for so long."""
    grade = storm_grade(BASIC["immediate"])
    assert grade.peak_attempt_rate_late == grade.peak_attempt_rate_100ms


def test_letters_rise_with_the_ratio():
    """The thresholds are in order; each still earns its letter, and a little more the next."""
    ratios = [most for _, most in GRADES]
    assert ratios == sorted(ratios)
    letters = "".join(letter_of(ratio + step) for ratio in ratios for step in (0.0, 1e-9))
    assert letters == "ABBCCDDEEF"


def test_in_words():
    """The letter, the ratio, and the peaks it comes from."""
    text = in_words(storm_grade(BASIC["fixed"]))
    assert text.startswith("E: ")
    for part in ("exponential-full-jitter", "100,000/s", "10,000/s", "30 s", "39.8 times"):
        assert part in text
