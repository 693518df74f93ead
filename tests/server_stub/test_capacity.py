"""How many connects per second a stage can take, from the settings alone."""

import math

import pytest

from server_stub.capacity import Demand, stage_capacity
from server_stub.config import ServerConfig
from server_stub.stages import Stage


def stage(**fields):
    """Four workers, half a second each: eight jobs a second."""
    table = {"name": "db", "workers": 4, "service_time": {"kind": "constant", "mean": 0.5}}
    return Stage(**{**table, **fields})


@pytest.mark.parametrize(
    ("fields", "demand", "per_second"),
    [
        ({}, Demand(), 8),
        ({"share": 0.25}, Demand(), 32),
        ({"when": "after", "per_connect": 4}, Demand(), 2),
        ({"cold": {"share": 0.5}, "share": 0.25}, Demand(is_cold=True), 16),
        ({"cold": {"share": 0.5}, "share": 0.25}, Demand(is_cold=False), 32),
        ({"cold": {"service_time": {"mean": 1.0}}}, Demand(is_cold=True), 4),
        ({"when": "sync"}, Demand(), math.inf),
        ({"when": "sync"}, Demand(delta_share=0.5), 16),
        ({"when": "delta", "per_event": 0.01}, Demand(delta_share=1.0, n_events=150), 2),
        ({"when": "full", "per_item": 0.1}, Demand(full_share=0.5, n_items=15), 4),
        ({"when": "full"}, Demand(delta_share=1.0), math.inf),
    ],
)
def test_workers_over_the_worker_seconds_of_a_connect(fields, demand, per_second):
    """Infinite where no connect needs them."""
    assert stage_capacity(stage(**fields), demand) == pytest.approx(per_second)


def test_the_narrowest_before_the_101_is_the_servers_capacity():
    """What comes after it keeps nobody from being connected."""
    own = {"workers": 2, "service_time": {"kind": "constant", "mean": 0.02}}
    wide, narrow = stage(name="wide", workers=100), stage(name="narrow")
    late = stage(name="late", workers=1, when="after")
    tables = [each.model_dump(exclude_none=True) for each in (wide, narrow, late)]
    assert ServerConfig(**own).capacity == 100
    assert ServerConfig(**own, stages=tables).capacity == 8
    assert ServerConfig(**own, stages=tables).own_capacity == 100


def test_clients_that_a_restart_made_strangers_take_longer():
    """So that the capacity after a restart is another one."""
    table = stage(cold={"service_time": {"kind": "constant", "mean": 2.0}})
    config = ServerConfig(stages=[table.model_dump(exclude_none=True)])
    assert (config.capacity_for(is_cold=False), config.capacity_for(is_cold=True)) == (8, 2)
