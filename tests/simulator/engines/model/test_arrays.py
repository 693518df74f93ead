"""The arrays against the reference: attempt by attempt, and interval by interval."""

import numpy as np
import pytest
from hypothesis import given, settings

from simulator.core.cohorts import deal_cohorts
from simulator.engines.model.arrays import Arrays
from simulator.engines.model.reference import Reference
from simulator.scenario_files import load_scenario
from tests.simulator.engines.model.drawing import storms


def courses(scenario):
    """By the reference, and by the arrays."""
    shares = [cohort.share for cohort in scenario.cohorts]
    cohort_of = deal_cohorts(scenario.seed, shares, scenario.n_clients)
    return Reference(scenario, cohort_of.tolist()).run(), Arrays(scenario, cohort_of).run()


def rows(columns):
    """A table's rows, in an order of their own."""
    return sorted(zip(*(values.tolist() for values in columns.values()), strict=True))


def assert_alike(scenario):
    """Both ways give the same tables."""
    expected, found = courses(scenario)
    for table in ("attempts", "losses", "give_ups"):
        assert rows(getattr(found, table)) == rows(getattr(expected, table)), table
    for series in ("counts", "levels"):
        for name, values in getattr(expected, series).items():
            np.testing.assert_array_equal(getattr(found, series)[name][: values.size], values, name)


@settings(max_examples=300)
@given(scenario=storms())
def test_as_the_reference_does_it(scenario):
    """Ties, tiny backlogs, zero delays, outages in mid-service, give-ups: nothing differs."""
    assert_alike(scenario)


@pytest.mark.parametrize("name", ["restart", "crash", "flapping"])
def test_built_in_scenarios(name):
    """Those that people start from."""
    assert_alike(load_scenario(name))
