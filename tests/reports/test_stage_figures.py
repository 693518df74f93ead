"""Figures of stages, of requests to sync and of healthy connections lost."""

import dataclasses

import numpy as np
import pytest

from reports.drawing import draw_comparison, draw_run
from reports.figures import plot_backlog, plot_goodput, plot_lost, plot_syncs
from server_stub.tables import STAGES
from simulator.core.outcomes import Cause
from simulator.metrics.flows import JobFate
from simulator.results import as_table

DATABASE, SYNC = 1, 2


@pytest.fixture
def staged(lockstep):
    """A herd behind a database, in vain from 6 s on, and a stage that nobody has ever needed.

    Ten jobs wait at the database from 5 s to 8 s, twenty of them from 6 to 6.01 s.
    """
    result = lockstep(horizon=10.0)
    kind = {"kind": "constant", "mean": 0.1}
    server = result.scenario.server.model_dump(exclude_none=True) | {
        "stages": [
            {"name": "database", "workers": 1, "service_time": kind, "per_connect": 2},
            {"name": "sync", "workers": 1, "service_time": kind, "when": "sync"},
            {"name": "idle", "workers": 1, "service_time": kind, "when": "after"},
        ]
    }
    scenario = result.scenario.model_validate(
        {**result.scenario.model_dump(exclude_none=True), "server": server}
    )
    at = np.tile(np.arange(0.0, 10.0, 0.01), 2)
    stage = np.repeat([DATABASE, SYNC], 1000)
    busy = (at > 4.995) & (at < 7.995)
    of_database = stage == DATABASE
    second = np.isclose(at % 0.1, 0.0, atol=1e-6) | np.isclose(at % 0.1, 0.1, atol=1e-6)
    columns = {
        "at": at,
        "stage": stage,
        "arrivals": busy & second,
        "completed": busy & second,
        "wasted": busy & second & of_database & (at > 5.995),
        "rejected": busy & second & ~of_database,
        "backlog": np.where(busy & of_database, np.where(np.isclose(at, 6.0), 20, 10), 0),
    }
    zeros = {column.name: np.zeros(at.size) for column in STAGES.columns}
    stages = as_table(STAGES, {**zeros, **columns})
    return dataclasses.replace(result, scenario=scenario, stages=stages)


def heights(line, at):
    """The height of a line just after these instants."""
    x, y = line.get_xdata(), line.get_ydata()
    return y[np.searchsorted(x, np.asarray(at) + 1e-6, side="right") - 1].tolist()


def test_backlog_shows_the_most_that_waited(staged):
    """Of each stage that had anything to do."""
    drawn = plot_backlog(staged)
    assert list(drawn.lines) == ["database", "sync"]
    assert heights(drawn.lines["database"], [4.5, 5.5, 6.0, 7.0, 9.0]) == [0, 10, 20, 10, 0]
    assert drawn.ax.get_title(loc="left") == "fixed: up to 20 at database"
    assert [text.get_text() for text in drawn.ax.get_legend().get_texts()] == ["database", "sync"]


def test_goodput_tells_what_was_of_use_from_what_was_in_vain(staged):
    """In connects: two jobs of the database make one."""
    drawn = plot_goodput(staged)
    assert heights(drawn.lines["database"], [5.0, 6.5]) == pytest.approx([5, 0], abs=3)
    assert heights(drawn.in_vain["database"], [5.0, 6.5]) == pytest.approx([0, 5], abs=3)
    assert list(drawn.in_vain) == ["database"]
    assert drawn.ax.get_title(loc="left") == "fixed: 67 % in vain at database"
    assert drawn.handles[len(staged.scenario.server.stage_names)].get_label() == "served in vain"


def test_requests_to_sync_are_stacked_by_what_became_of_them(staged):
    """Only those stages count that stand in front of their answers."""
    drawn = plot_syncs(staged)
    assert list(drawn.stack) == [JobFate.USEFUL, JobFate.TURNED_AWAY]
    assert drawn.ax.get_ylim()[1] > 20


def test_lost_counts_the_connections_that_no_outage_broke(lockstep):
    """Per policy, up to the end of its run."""
    starved = lockstep()
    cause = np.where(starved.disconnects["client"] < 5, Cause.STARVED, Cause.GRACEFUL)
    starved = dataclasses.replace(
        starved, disconnects={**starved.disconnects, "cause": cause.astype(np.uint8)}
    )
    drawn = plot_lost({"fixed": starved, "other": lockstep()})
    assert drawn.curves["fixed"].get_ydata()[-1] == 5
    assert drawn.curves["fixed"].get_label() == "fixed: 5 (0.2 per client)"
    assert drawn.curves["other"].get_ydata().max() == 0


def test_each_is_drawn_only_where_it_has_something_to_show(staged, lockstep, tmp_path):
    """Of one run as of many."""
    plain = {path.stem for path in draw_run(lockstep(), tmp_path / "plain")}
    assert not plain & {"backlog", "goodput", "syncs", "lost"}
    drawn = {path.stem for path in draw_run(staged, tmp_path / "staged")}
    assert drawn - plain == {"backlog", "goodput", "syncs"}
    both = draw_comparison({"one": staged, "two": staged}, tmp_path / "both")
    assert {path.stem for path in both} == drawn
