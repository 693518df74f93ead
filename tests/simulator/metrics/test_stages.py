"""Stages: what each can take, which is the narrowest, and what came of it."""

import math

import numpy as np
import pytest

from server_stub.config import ServerConfig
from server_stub.tables import STAGES
from simulator.metrics import evaluate, summarise
from simulator.metrics.stages import (
    binding_stage,
    demand_of,
    stage_capacities,
    stage_summaries,
    sync_times,
)
from simulator.results import as_table
from simulator.scenario import ClientConfig, Cohort, Outage, Scenario


def stage(name, per_second, **fields):
    """One worker that takes so many jobs per second."""
    spec = {"kind": "constant", "mean": 1 / per_second}
    return {"name": name, "workers": 1, "service_time": spec, **fields}


def scenario(*stages, outage=None, nodes=1, history=None, **client):
    """Handshakes at 100 per second and node."""
    return Scenario(
        server=ServerConfig(
            nodes=nodes,
            workers=1,
            service_time={"kind": "constant", "mean": 0.01},
            stages=stages,
            history=history or {},
        ),
        outage=() if outage is None else (Outage(starts_at=1.0, **outage),),
        client=ClientConfig(**client),
    )


def test_without_stages_the_handshake_binds():
    """It is all there is."""
    assert binding_stage(scenario()) == "handshake"
    assert stage_capacities(scenario()) == {"handshake": pytest.approx(100)}


def test_the_narrowest_stage_binds_wherever_it_stands():
    """But only what is before the 101 keeps anybody from being connected."""
    narrow = scenario(stage("auth", 50), stage("presence", 20, when="after"))
    assert binding_stage(narrow) == "presence"
    assert narrow.capacity == pytest.approx(50)


def test_nodes_multiply_all_but_what_they_share():
    """So that another one becomes the narrowest."""
    stages = stage("auth", 50), stage("database", 90, shared=True)
    assert binding_stage(scenario(*stages)) == "auth"
    assert binding_stage(scenario(*stages, nodes=2)) == "database"
    assert scenario(*stages, nodes=2).capacity == pytest.approx(90)


@pytest.mark.parametrize(
    ("outage", "capacity"),
    [
        ({"kind": "crash", "down_for": 1.0}, 10),
        ({"kind": "freeze", "down_for": 1.0}, 100),
        ({"kind": "freeze", "down_for": 1.0, "lost_at_thaw": True}, 10),
    ],
)
def test_after_a_restart_everybody_is_a_stranger(outage, capacity):
    """Which is what the fastest possible recovery must reckon with."""
    cold = {"service_time": {"kind": "constant", "mean": 0.1}}
    assert scenario(stage("tls", 1000, cold=cold), outage=outage).capacity == pytest.approx(
        capacity
    )


@pytest.mark.parametrize(
    ("sync", "history", "delta", "full"),
    [
        ("none", {}, 0, 0),
        ("delta", {"rate": 2.0}, 1, 0),
        ("delta", {"rate": 2.0, "survives_restart": False}, 0, 1),
        ("delta", {"rate": 2.0, "max_events": 5}, 0, 1),
        ("full", {"rate": 2.0}, 0, 1),
    ],
)
def test_what_clients_ask_for_decides_who_passes_which_stage(sync, history, delta, full):
    """And whether the server still remembers it after the longest outage."""
    outage = {"kind": "crash", "down_for": 4.0}
    demand = demand_of(scenario(outage=outage, history=history, sync=sync))
    assert (demand.delta_share, demand.full_share) == (delta, full)
    assert demand.n_events == (8.0 if "rate" in history else 0.0)


def test_cohorts_count_by_their_shares():
    """Half of them fetch everything."""
    mixed = scenario(stage("refresh", 10, when="full")).model_copy(
        update={"cohort": (Cohort(name="a", share=0.5, sync="full"), Cohort(name="b", share=0.5))}
    )
    assert stage_capacities(mixed)["refresh"] == pytest.approx(20)


def rows(**columns):
    """A `stages` table of two intervals each for the handshake and for one stage."""
    table = {column.name: np.zeros(4) for column in STAGES.columns}
    return as_table(STAGES, {**table, "stage": np.array([0, 1, 0, 1]), **columns})


def test_a_stage_is_summed_up_by_what_it_did():
    """The wait is that of the services that ended."""
    stages = rows(
        arrivals=np.array([1, 5, 1, 7]),
        completed=np.array([2, 3, 0, 1]),
        wasted=np.array([0, 1, 0, 1]),
        waited=np.array([0.0, 6.0, 0.0, 2.0]),
        backlog=np.array([0, 4, 0, 9]),
    )
    found = stage_summaries(scenario(stage("auth", 50)), stages)
    assert found["auth"] == {
        "capacity": pytest.approx(50), "arrivals": 12, "completed": 4, "wasted": 2, "rejected": 0,
        "peak_backlog": 9, "mean_wait": 2.0,
    }  # fmt: skip
    assert found["handshake"]["arrivals"] == 2
    assert stage_summaries(scenario(), STAGES.empty()) == {}


def test_a_wait_that_nobody_had_is_unmeasured(herd):
    """And conditions reach into the stages by name."""
    run = herd(1).outage(2, 6).interval(1)
    run.rows["stages"] += [(1.0, 0, 0, 3, 3, 0, 0, 0, 0.0, 7, 1)]
    summary = summarise(run.result())
    assert summary["stages"]["handshake"]["unmeasured"] == ["mean_wait"]
    assert evaluate("stages.handshake.peak_backlog == 7", summary)
    assert summary["peak_backlog"] == 7


def test_when_clients_were_told_what_they_missed(herd):
    """In seconds after the last outage; told before it, told since, told and lost again, never."""
    run = herd(5, sync="delta").outage(2, 6)
    for client, synced_at in enumerate([1.0, 9.0, 7.0, math.nan]):
        run.account(client, synced_at=synced_at)
    run.account(4, synced_at=math.nan).loses(2, 8.0)
    times = sync_times(run.result(), 6.0)
    assert times.tolist() == [0.0, 3.0, math.inf, math.inf, math.inf]
    assert np.isnan(sync_times(herd(2).result(), 0.0)).all()


def test_the_time_to_sync_is_part_of_the_summary(herd):
    """Of those that ask; "never" where some are not told."""
    run = herd(4, sync="delta").outage(2, 6).interval(1)
    for client in range(4):
        run.loses(client, 2).tries(client, 7).account(client, synced_at=8.0 + client)
    summary = summarise(run.result())
    assert summary["time_to_sync_p95"] == summary["time_to_sync_p100"] == 5.0
    assert summary["outages"]["0"]["time_to_sync_p95"] == 5.0
    assert summary["cohorts"]["all"]["time_to_sync_p95"] == 5.0
