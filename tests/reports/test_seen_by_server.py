"""Runs of which only the server's side is known: nothing is claimed that was not seen."""

import pytest

from reports.conclusion import conclusion
from reports.drawing import draw_run
from reports.figures import plot_raster, plot_storm
from reports.tables import NOT_MEASURED, comparison_table
from reports.trust import verdict_in_words
from reports.wording import policy_name
from simulator.cli.output import main_numbers
from simulator.metrics import summarise
from simulator.server_view import UNSEEN


@pytest.fixture
def seen(lockstep):
    """The herd in lockstep, as a server would have seen it."""
    return lockstep(manifest={"engine": "serve", "unmeasured": UNSEEN})


def test_the_clients_have_no_policy_that_we_know(seen):
    """Whatever the scenario's own herd would have."""
    assert policy_name(seen) == "your clients"


def test_the_storm_shows_what_arrived(seen):
    """Its peak is that of what is drawn."""
    storm = plot_storm({"your clients": seen})
    assert storm.figure.get_suptitle().startswith("Attempts that arrived")
    (panel,) = storm.panels.values()
    assert "peak 200/s over 0.1 s, all back within" in panel.ax.get_title(loc="left")


def test_the_raster_counts_what_arrived(seen):
    """Not attempts per client, which nobody knows."""
    raster = plot_raster(seen)
    assert raster.figure.get_suptitle().startswith("Every attempt that arrived")
    assert raster.ax.get_title(loc="left") == "your clients: 40 seen by the server"


def test_all_figures_can_be_drawn(seen, tmp_path):
    """The same four."""
    assert len(draw_run(seen, tmp_path)) == 4


def test_the_main_numbers_say_what_was_not_measured(seen):
    """And how many arrived instead of how many were tried."""
    numbers = dict(main_numbers(summarise(seen)))
    assert numbers["attempts that arrived"] == "20"
    assert numbers["loss noticed after (99 %)"] == "not measured"
    assert numbers["clients late by (99 %)"] == "not measured"
    assert "attempts" not in numbers


def test_the_verdict_is_on_the_server_alone(seen):
    """With what it does not cover."""
    words = verdict_in_words(summarise(seen), seen.manifest)
    assert words.startswith("The verdict is ok: the server kept up")
    assert "left no trace" in words


def test_the_table_and_the_conclusion_hold_without_the_clients_side(seen):
    """A dash for what was not measured."""
    summaries = {"your clients": summarise(seen)}
    cells = dict(comparison_table(summaries).rows)
    assert cells["attempts per client"] == NOT_MEASURED
    assert conclusion(summaries).startswith("With your clients the herd recovers")
