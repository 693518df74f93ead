"""Stages as they are written: tables, shapes, and what is refused."""

import pytest
from pydantic import ValidationError

from server_stub.config import ServerConfig
from server_stub.service_time import ServiceTime
from server_stub.shapes import SHAPES
from server_stub.stages import HANDSHAKE, Stage

PLAIN = {"name": "db", "workers": 2, "service_time": {"kind": "constant", "mean": 0.5}}


def stages(*tables):
    """The stages of a server that is told of these."""
    return ServerConfig(stages=tables).stages


def mistake(*tables, **stage):
    """What is said against such stages."""
    with pytest.raises(ValidationError) as raised:
        stages(*(tables or [{**PLAIN, **stage}]))
    return str(raised.value)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_stands_for_a_stage_of_its_name(shape):
    """By its name alone, or as a table that changes nothing."""
    by_name, by_table = *stages(shape), *stages({"shape": shape})
    assert by_name == by_table
    assert by_name.name == shape


def test_a_table_changes_what_it_names_and_leaves_the_rest_of_its_shape():
    """Also within the tables of the shape."""
    (stage,) = stages(
        {"shape": "tls", "name": "edge", "workers": 8, "service_time": {"mean": 0.002}}
    )
    (plain,) = stages("tls")
    assert (stage.name, stage.workers) == ("edge", 8)
    assert stage.service_time == ServiceTime(kind="lognormal", mean=0.002, cv=0.2)
    assert stage.cold == plain.cold


def test_another_kind_of_service_time_inherits_nothing():
    """A spread that belongs to a lognormal would be an error beside another kind."""
    (stage,) = stages({"shape": "tls", "service_time": {"kind": "constant", "mean": 0.002}})
    assert stage.service_time == ServiceTime(kind="constant", mean=0.002)


def test_stages_survive_being_written_down():
    """As tables without a shape, "none" for what is switched off."""
    config = ServerConfig(stages=[*SHAPES])
    assert ServerConfig.model_validate(config.model_dump(mode="json", exclude_none=True)) == config


def test_the_nodes_own_workers_come_first():
    """Under a name that no stage may take."""
    assert ServerConfig(stages=[PLAIN, "tls"]).stage_names == (HANDSHAKE, "db", "tls")
    assert "the node's own workers" in mistake(name=HANDSHAKE)


@pytest.mark.parametrize(
    ("stage", "why"),
    [
        ({"shape": "tsl"}, "'tsl' is no shape of a stage; allowed: tls, token-refresh"),
        ({"name": "a.b"}, "pattern"),
        ({"shared": True, "cold": {"share": 0.5}}, "cold would never apply"),
        ({"cold": {}}, "cold needs a share, a service_time, or both"),
        ({"share": 0.0}, "nobody needs the stage"),
        ({"when": "sync", "per_connect": 2}, "per_connect belongs to when = 'before' or 'after'"),
        ({"per_connect": 9, "backlog": 6}, "there are 8"),
        ({"per_event": 0.1}, "per_event belongs to when = 'sync' or 'delta', not 'before'"),
        ({"when": "delta", "per_item": 0.1}, "per_item belongs to when = 'sync' or 'full'"),
    ],
)
def test_what_would_do_nothing_is_refused(stage, why):
    """In a line that says what is allowed."""
    assert why in mistake(**stage)


def test_each_stage_has_a_name_of_its_own():
    """Two of one shape need names."""
    assert "named twice: tls" in mistake("tls", "tls")
    assert [stage.name for stage in stages("tls", {"shape": "tls", "name": "edge"})] == [
        "tls",
        "edge",
    ]


@pytest.mark.parametrize(("when", "delta", "full"), [
    ("before", False, False), ("after", False, False),
    ("sync", True, True), ("delta", True, False), ("full", False, True),
])  # fmt: skip
def test_which_requests_to_sync_pass_a_stage(when, delta, full):
    """Those that are told what they missed, those that get the whole state, both or none."""
    stage = Stage(**PLAIN, when=when)
    assert (stage.is_for(full=False), stage.is_for(full=True)) == (delta, full)


def test_work_names_a_stage_that_exists():
    """The node's own workers, or one of the stages."""
    work = ServerConfig(
        stages=[PLAIN], work={"heartbeats": True, "operations": {"stage": "db"}}
    ).work
    assert (work.heartbeats.stage, work.operations.stage) == (HANDSHAKE, "db")
    assert ServerConfig(work={"heartbeats": False, "operations": "none"}).work.heartbeats is None
    with pytest.raises(ValidationError, match=r"work.operations.stage = 'db' is no stage"):
        ServerConfig(work={"operations": {"stage": "db"}})
