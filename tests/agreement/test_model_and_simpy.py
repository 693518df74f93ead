"""The model against a program of the same rules that somebody would write with SimPy."""

import pytest

from simulator.bench.model_worker import SUBJECTS, storm


def test_they_count_the_same_attempts():
    """With draws of their own, so that the numbers are alike rather than equal."""
    scenario = storm(2000)
    counts = {subject: count(scenario) for subject, count in SUBJECTS.items()}
    print(counts)
    # About nine attempts per client, with a standard deviation of about one.
    assert counts["model"] == pytest.approx(counts["simpy"], rel=0.015)
