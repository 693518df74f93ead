"""Which cells a grid has, and what is no grid."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import load_scenario
from simulator.errors import InputError
from simulator.sweeping import grid_of


@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=4, unique=True),
    st.lists(st.integers(1, 9), min_size=1, max_size=4, unique=True),
)
def test_every_combination_is_a_cell(clients, workers):
    """Once each, with the values in its scenario."""
    vary = [
        f"n_clients={','.join(map(str, clients))}",
        f"server.workers={','.join(map(str, workers))}",
    ]
    cells = grid_of(vary=vary).cells
    found = [(cell.scenario.n_clients, cell.scenario.server.workers) for cell in cells]
    assert found == [(n, w) for n in clients for w in workers]
    assert [cell.number for cell in cells] == list(range(len(found)))


def test_a_value_may_hold_commas():
    """Within brackets and braces; the others part the values."""
    tables = '{kind="constant",mean=0.01},{kind="lognormal",mean=0.02,cv=0.3}'
    cells = grid_of(vary=[f"server.service_time={tables}"]).cells
    assert [cell.scenario.server.service_time.kind for cell in cells] == ["constant", "lognormal"]


def test_policies_are_an_axis_that_replaces_those_of_all_cohorts():
    """As in a comparison."""
    cells = grid_of("mixed-fleet", policies=["fixed", "socket.io"], engine="virtual").cells
    assert [cell.values for cell in cells] == [{"policy": "fixed"}, {"policy": "socket.io"}]
    for cell in cells:
        assert len({cohort.policy for cohort in cell.scenario.cohorts}) == 1


def test_part_of_a_policy_can_vary():
    """A name on the way becomes a table that starts from it."""
    cells = grid_of(vary=["client.policy.base=0.5,2.0"]).cells
    assert [cell.scenario.client.policy.base for cell in cells] == [0.5, 2.0]


def test_a_scenario_in_python_can_be_varied():
    """It need not come from a file."""
    scenario = load_scenario("crash", changes=["n_clients=77"])
    (cell, _) = grid_of(scenario, vary=["outage.0.down_for=2.0,9.0"]).cells
    assert (cell.scenario.n_clients, cell.scenario.outage[0].down_for) == (77, 2.0)


def test_the_key_tells_grids_apart():
    """By cells and engine, but not by the number of replications: more can be added."""
    key = grid_of(vary=["n_clients=10,20"]).key
    assert grid_of(vary=["n_clients=10,20"], replications=3).key == key
    assert grid_of(vary=["n_clients=10,30"]).key != key
    assert grid_of(vary=["n_clients=10,20"], engine="virtual").key != key
    assert grid_of(vary=["n_clients=10,20"], changes=["seed=2"]).key != key


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "nothing varies"),
        ({"vary": ["n_clients"]}, "--vary n_clients: allowed: FIELD=V1,V2"),
        ({"vary": ["n_clients="]}, "--vary n_clients=: allowed: FIELD=V1,V2"),
        ({"vary": ["n_clients=1,,2"]}, "allowed: FIELD=V1,V2"),
        ({"vary": ["n_clients=1,2", "n_clients=3"]}, "given twice"),
        ({"vary": ["n_clients=5,5"]}, "--vary n_clients: 5 is there twice"),
        ({"vary": ["seed=1,2"]}, "--vary seed: cannot be varied"),
        ({"vary": ["name=a,b"]}, "--vary name: cannot be varied"),
        ({"vary": ["server.wrokers=1,2"]}, "server.wrokers"),
        ({"vary": ["server.workers=1,0"]}, "server.workers = 0: allowed: more than 0"),
        ({"vary": ["n_clients=1,2,3"], "max_cells": 2}, "3 cells; allowed: at most 2"),
        ({"vary": ["n_clients=1"], "replications": 0}, "--replications = 0: allowed: 1 or more"),
        ({"vary": ["n_clients=1"], "engine": "real"}, "engine 'real'"),
        ({"policies": ["fixed", "fixed"]}, "fixed is there twice"),
        ({"policies": ["fxied"]}, "fxied"),
        ({"vary": ["client.brake=none,{}"]}, "brake"),
    ],
)
def test_what_is_no_grid_is_one_line(options, says):
    """It names the option, the field, the value and what is allowed, before anything runs."""
    with pytest.raises(InputError) as caught:
        grid_of(**options)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
