"""What limits a herd, and what to do about it."""

from dataclasses import replace

import pytest

from simulator import machine
from simulator.checkup import can_run, examine
from simulator.machine import clients_within, descriptors_needed
from simulator.scenario_files import load_scenario


@pytest.fixture
def good():
    """A machine on which nothing is amiss."""
    return replace(
        machine.inspect(),
        n_cores=2,
        n_descriptors=1024,
        max_descriptors=1_000_000,
        somaxconn=4096,
        first_port=32768,
        last_port=60999,
        clock_resolution=1e-9,
    )


def test_all_is_well(good):
    """A good machine needs no advice."""
    assert not any(finding.advice for finding in examine(good, load_scenario()))
    assert can_run(good, load_scenario())


@pytest.mark.parametrize(
    ("limit", "what"),
    [
        ({"n_cores": 1}, "cores"),
        ({"max_descriptors": 1000}, "file descriptors"),
        ({"somaxconn": 128}, "somaxconn"),
        ({"clock_resolution": 0.015}, "clock"),
    ],
)
def test_one_limit(good, limit, what):
    """Each limit that is too low is told, and no other."""
    findings = examine(replace(good, **limit), load_scenario())
    assert [finding.what for finding in findings if finding.advice] == [what]


@pytest.mark.parametrize("n_descriptors", [700, 1000, 2500, 3000, 50_000])
def test_clients_within(n_descriptors):
    """So many clients fit, and one more does not."""
    scenario = load_scenario()
    fitting = clients_within(n_descriptors, scenario)
    for n_clients, fits in ((fitting, True), (fitting + 1, False)):
        herd = scenario.model_copy(update={"n_clients": n_clients})
        assert (descriptors_needed(herd, n_workers=1) <= n_descriptors) == fits
