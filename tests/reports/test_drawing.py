"""Drawing: the figures of runs as they are found on disk."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from matplotlib.image import imread

from reports.drawing import draw_comparison, draw_run
from server_stub.tables import OUTAGES, TableWriter
from simulator.raw_tables import RAW_TABLES
from simulator.run_directory import begin_run, load_run, save_run

NAMES = ["storm.png", "recovery.png", "raster.png", "states.png"]


def test_draws_four_figures_of_a_comparison(pair, tmp_path):
    """Each is as wide as the others and holds more than white paper."""
    paths = draw_comparison(pair, tmp_path)
    assert paths == [tmp_path / "figures" / name for name in NAMES]
    pictures = [imread(path) for path in paths]
    assert {picture.shape[1] for picture in pictures} == {1440}
    assert all(picture.min() < 1.0 for picture in pictures)


def test_a_server_that_turned_some_away_gets_a_fifth(pair, lockstep, tmp_path):
    """One that shows what arrivals met, under every policy."""
    results = {**pair, "third": lockstep(turned_away={"max_per_address": 4})}
    assert [path.name for path in draw_comparison(results, tmp_path)] == [*NAMES, "arrivals.png"]


def test_cohorts_get_a_figure_of_their_own(lockstep, tmp_path):
    """Where there are several."""
    paths = draw_run(lockstep(cohorts=("brave", "shy")), tmp_path)
    assert [path.name for path in paths] == [*NAMES, "cohorts.png"]


def test_several_nodes_get_one_of_their_own(lockstep, tmp_path):
    """One that shows how many connections each holds, beside the four."""
    results = {"one": lockstep(nodes=3), "other": lockstep(nodes=3, n_back=5)}
    assert [path.name for path in draw_comparison(results, tmp_path)] == [*NAMES, "nodes.png"]


@pytest.mark.parametrize("n_policies", [1, 2, 5, 10])
def test_draws_any_number_of_policies(lockstep, tmp_path, n_policies):
    """Panels fill rows of up to three; many attempts are told apart best in one column."""
    results = {f"policy {place}": lockstep(n_back=3 * place) for place in range(n_policies)}
    assert len(draw_comparison(results, tmp_path)) == 4


def test_redraws_a_run_from_disk(pair, tmp_path):
    """What was saved gives the very picture that the result in memory gave."""
    (fresh, *_) = draw_run(pair["fixed"], tmp_path / "fresh", format="svg")
    save_run(pair["fixed"], tmp_path / "saved")
    (again, *_) = draw_run(load_run(tmp_path / "saved"), tmp_path / "saved", format="svg")
    assert again.read_bytes() == fresh.read_bytes()
    assert ET.parse(again).getroot().tag.endswith("svg")


@pytest.mark.parametrize(
    "missing",
    [
        {"outage": False},
        {"server": False},
        {"manifest": {"observed_until": None}},
        {"manifest": {"observed_until": 3.0, "interrupted": True}},
        {"manifest": {"observed_until": 0.0}},
        {"n_clients": 1, "n_back": 0},
    ],
    ids=["no outage", "no server", "no end", "cut off in the outage", "cut off at once", "alone"],
)
def test_draws_whatever_there_is(lockstep, tmp_path, missing):
    """A run that lacks something is drawn without it."""
    assert len(draw_run(lockstep(**missing), tmp_path)) == 4


def test_draws_an_outage_without_an_end(lockstep, tmp_path):
    """A run that was killed while the server was down is shaded to its end."""
    result = lockstep(manifest={"observed_until": 3.5})
    writer = TableWriter(OUTAGES)
    writer.append(0, 0, 0, 2.0, np.inf)
    object.__setattr__(result, "outages", writer.columns())
    assert len(draw_run(result, tmp_path)) == 4


def test_draws_a_run_killed_in_its_ramp(lockstep, tmp_path):
    """Of streams alone, without an origin: what was recorded loads and plots."""
    result = lockstep()
    manifest = result.manifest.model_copy(update={"origin": None, "observed_until": None})
    streams = begin_run(tmp_path, manifest=manifest, scenario=result.scenario)
    writer = TableWriter(RAW_TABLES["attempts"], streams / "attempts-0.arrows")
    writer.append(0, 0, 1, 0, 99.0, 99.0, 99.1, 0)
    writer.close()
    assert len(draw_run(load_run(tmp_path), tmp_path)) == 4
