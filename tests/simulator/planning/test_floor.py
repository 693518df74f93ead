"""What arithmetic alone rules out."""

import pytest

from simulator.planning.changes import enough_steps
from simulator.planning.floor import forbids, least_capacity
from simulator.planning.objective import parse_goal
from simulator.scenario_files import load_scenario


def _goals(text):
    return [parse_goal(text)]


@pytest.fixture(scope="module")
def herd():
    """A million clients, 5,000 connects per second: a floor of 200 s."""
    return load_scenario("capacity")


@pytest.mark.parametrize(
    ("text", "is_ruled_out"),
    [
        ("time_to_recovery_p99 < 180", True),
        ("time_to_recovery_p99 < 210", False),
        ("time_to_recovery_p50 < 120", False),
        ("time_to_recovery_p50 <= 90", True),
        ("time_to_recovery_p99 > 1", False),
        ("peak_arrival_rate_up_1s < 1", False),
    ],
)
def test_nobody_recovers_faster_than_the_narrowest_stage_lets_in(herd, text, is_ruled_out):
    """Half of them take half as long; of other metrics the floor says nothing."""
    assert (forbids(_goals(text), herd) is not None) is is_ruled_out


def test_the_least_capacity_is_clients_over_seconds(herd):
    """99 % of a million within 180 s: 5,500 per second, less a margin for luck."""
    assert 5_350 < least_capacity(_goals("time_to_recovery_p99 < 180"), herd) < 5_500


def test_an_outage_of_some_nodes_rules_nothing_out():
    """The others go on, and hold those who were not hit."""
    some = load_scenario("capacity", changes=["outage.0.nodes=[0, 1]"])
    assert forbids(_goals("time_to_recovery_p99 < 1"), some) is None


def test_nothing_is_taken_away_for_a_capacity(herd):
    """Nodes hold connections, too: their surplus of handshakes is no reason to have fewer."""
    assert enough_steps(herd, 6_000) == {"server.nodes": 40, "server.stages.0.workers": 60}
