"""What a run looks like in a Jupyter kernel."""

import nbformat
import pytest
from nbclient import NotebookClient

from simulator import compare, run, summarise
from simulator.jupyter import bar_html, table_html, watching
from simulator.progress import Progress, unwatched

CELLS = (
    "from simulator import load_scenario, run\n"
    "changes = ['n_clients=20', 'outage.0.down_for=1.0', 'settle=0.2']\n"
    "small = load_scenario('restart', changes=changes)\n"
    "run(small, engine='virtual')",
    "run(small, engine='live')",
    "import asyncio\nawait asyncio.sleep(0)\nprint('the loop of the kernel runs on')",
)


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    """What a notebook's cells have put out."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    where = str(tmp_path_factory.mktemp("kernel"))
    NotebookClient(notebook, timeout=60, resources={"metadata": {"path": where}}).execute()
    return [cell.outputs for cell in notebook.cells]


@pytest.mark.parametrize("cell", [0, 1], ids=["virtual", "live"])
def test_a_result_is_a_table(cells, cell):
    """In the notebook, and one line in a terminal."""
    shown = cells[cell][-1]
    assert "<table>" in shown.data["text/html"]
    assert "95 % back after" in shown.data["text/html"]
    assert shown.data["text/plain"].startswith("RunResult(restart, ")
    assert len(shown.data["text/plain"]) < 100


@pytest.mark.parametrize("cell", [0, 1], ids=["virtual", "live"])
def test_the_bar_is_gone_when_the_run_is_over(cells, cell):
    """Nothing of it is left; and nothing is complained of on stderr."""
    bar, *_ = cells[cell]
    assert bar.data["text/html"] == ""
    assert [output.output_type for output in cells[cell]] == ["display_data", "execute_result"]


def test_the_kernel_goes_on(cells):
    """Its own event loop is as it was."""
    assert cells[2][-1].text == "the loop of the kernel runs on\n"


def test_outside_a_kernel_nobody_watches():
    """Unless somebody is given."""
    with watching(None, "a run") as watcher:
        assert watcher is unwatched
    with watching(print, "a run") as watcher:
        assert watcher is print


def test_a_bar_says_how_far_a_run_is():
    """While the fleet assembles by clients, then by time; names are escaped."""
    early = Progress(at=-1.0, until=35.0, n_clients=1000, n_connected=250, n_attempts=250)
    assert 'value="250" max="1000"' in bar_html("a<b", early)
    assert "a&lt;b" in bar_html("a<b", early)
    late = Progress(at=7.0, until=35.0, n_clients=1000, n_connected=250, n_attempts=900)
    assert 'value="7" max="35"' in bar_html("a", late)


def test_summaries_stand_side_by_side(tmp_path):
    """What never happened is said in words."""
    comparison = compare(
        "restart", policies=["fixed", "exponential-full-jitter"], engine="model", out=tmp_path / "c"
    )
    html = table_html(comparison.summaries)
    assert html.count('scope="col"') == 2
    assert "not within the horizon" in html
    assert repr(comparison).startswith("Comparison(fixed, exponential-full-jitter; in ")


def test_what_was_not_measured_is_said(tmp_path):
    """Rather than a number."""
    result = run("restart", engine="model", out=tmp_path / "run")
    summary = summarise(result) | {"floor": None}
    assert "not measured" in table_html({"x": summary})
