"""A rolling deploy as it is asked for."""

import pytest
from pydantic import ValidationError

from server_stub.deploy import Deploy


@pytest.mark.parametrize(
    ("amount", "n_nodes", "expected"),
    [(0, 3, 0), (2, 3, 2), ("25%", 3, 1), ("25%", 4, 1), ("25%", 5, 2), ("100 %", 3, 3)],
)
def test_a_surge_is_a_number_of_nodes_or_a_share_rounded_up(amount, n_nodes, expected):
    """As an orchestrator rounds it."""
    assert Deploy(starts_at=0.0, max_surge=amount, max_unavailable=1).surge(n_nodes) == expected


@pytest.mark.parametrize(
    ("amount", "surge", "n_nodes", "expected"),
    [
        (0, 1, 3, 0),
        (2, 1, 3, 2),
        ("25%", 1, 3, 0),
        ("25%", 1, 4, 1),
        ("25%", 0, 3, 1),
        ("0.5%", "0%", 3, 1),
        ("100%", 0, 3, 3),
    ],
)
def test_the_unavailable_are_rounded_down_but_not_to_a_standstill(amount, surge, n_nodes, expected):
    """One node must be allowed to be missing where there can be no more than usual."""
    deploy = Deploy(starts_at=0.0, max_surge=surge, max_unavailable=amount)
    assert deploy.unavailable(n_nodes) == expected


@pytest.mark.parametrize("zero", [(0, 0), ("0%", 0), (0, "0 %")])
def test_a_deploy_that_may_do_nothing_is_refused(zero):
    """Neither one more node nor one fewer."""
    with pytest.raises(ValidationError, match="no node could be replaced"):
        Deploy(starts_at=0.0, max_surge=zero[0], max_unavailable=zero[1])


@pytest.mark.parametrize("amount", [-1, 0.25, 1.0, "25", "101%", "-1%", "a few", True])
def test_what_is_no_amount_is_refused(amount):
    """A bare number below 1 or an odd share would leave a doubt about what is meant."""
    with pytest.raises(ValidationError):
        Deploy(starts_at=0.0, max_surge=amount, max_unavailable=1)


def test_a_pause_beyond_the_grace_is_refused():
    """The node would be killed before it has told anybody."""
    with pytest.raises(ValidationError, match=r"pre_stop = 30 must be less than grace = 30"):
        Deploy(starts_at=0.0, pre_stop=30.0)


def test_a_cold_start_needs_both_its_settings():
    """A factor without a period means nothing."""
    with pytest.raises(ValidationError, match="slow_factor and cold_for need each other"):
        Deploy(starts_at=0.0, slow_factor=3.0)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [({}, 0.0), ({"pre_stop": 5.0, "drain_over": 10.0}, 15.0), ({"drain_over": 60.0}, 30.0)],
)
def test_a_node_is_gone_when_its_drain_is_over_or_its_grace(settings, expected):
    """Whichever comes first."""
    assert Deploy(starts_at=0.0, **settings).stops_within == expected
