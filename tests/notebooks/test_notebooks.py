"""The notebooks run, and what is committed of them is what they say now."""

import ast
import re
from itertools import chain
from pathlib import Path

import nbformat
import papermill
import pytest
from nbclient import NotebookClient

import simulator
from reports import figures

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
TITLES = [path.stem for path in NOTEBOOKS]
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=TITLES)
ABSOLUTE = re.compile(r"""(?:^|[\s"'(=\[])(?:/[A-Za-z]\w*/|[A-Z]:\\)|file://""", re.MULTILINE)
OURS = ("simulator", "server_stub", "reports")
TEXTS = ("text/plain", "text/html")
RENEW = "render it anew, as the README's section on notebooks says"


def tags(cell):
    """What a cell is marked as."""
    return cell.metadata.get("tags", [])


def text(cell):
    """What a cell has printed, and its value as text."""
    printed = (out.text for out in cell.outputs if out.output_type == "stream")
    values = (
        out.data.get("text/plain", "")
        for out in cell.outputs
        if out.output_type == "execute_result"
    )
    return "".join(chain(printed, values))


def code(notebook):
    """The cells that run."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def fixed(notebook):
    """The texts of all cells whose output is the same each time."""
    return [text(cell) for cell in code(notebook) if "varies" not in tags(cell)]


def test_there_are_six():
    """In the order in which they are meant to be read."""
    assert [title[:2] for title in TITLES] == ["01", "02", "03", "04", "05", "06"]


@every_notebook
def test_it_runs_and_says_what_is_committed(path, tmp_path):
    """Its own assertions hold, and a reader of the committed file reads what it puts out today."""
    committed = nbformat.read(path, as_version=4)
    executed = nbformat.read(path, as_version=4)
    for cell in code(executed):
        cell.outputs = []
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(executed, timeout=120, resources=resources).execute()
    assert fixed(executed) == fixed(committed), RENEW
    assert list(tmp_path.iterdir()) == []  # records go elsewhere, and are temporary


@every_notebook
def test_it_uses_the_public_names_alone(path):
    """What a reader copies from it will keep working."""
    source = "\n".join(cell.source for cell in code(nbformat.read(path, as_version=4)))
    lines = [line for line in source.splitlines() if not line.startswith("%")]
    used = {
        (node.module, name.name)
        for node in ast.walk(ast.parse("\n".join(lines)))
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    ours = {(module, name) for module, name in used if module.split(".")[0] in OURS}
    public = {(home.__name__, name) for home in (simulator, figures) for name in home.__all__}
    assert ours
    assert ours <= public


@every_notebook
def test_its_first_code_cell_holds_the_parameters(path):
    """Where papermill looks for them."""
    first, *others = code(nbformat.read(path, as_version=4))
    assert "parameters" in tags(first)
    assert not any("parameters" in tags(cell) for cell in others)


@every_notebook
def test_it_is_committed_with_figures_and_without_traces_of_a_machine(path):
    """Every cell has run, in order; there are pictures, and no paths, times or complaints."""
    notebook = nbformat.read(path, as_version=4)
    cells = code(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1)), RENEW
    outputs = [out for cell in cells for out in cell.outputs]
    pictures = [out for out in outputs if "image/png" in out.get("data", {})]
    captions = [cell for cell in notebook.cells if cell.source.startswith("*Figure: ")]
    assert len(pictures) == len(captions) > 0
    words = [out.get("text", "") for out in outputs]
    words += [str(out.get("data", {}).get(kind, "")) for out in outputs for kind in TEXTS]
    assert not [word for word in words if ABSOLUTE.search(word)]
    assert not [out for out in outputs if out.get("name") == "stderr"]
    assert not [cell for cell in notebook.cells if "execution" in cell.metadata]


@pytest.mark.parametrize(
    "said", ["saved in /tmp/herd-1/one", "'/home/me/x'", r"C:\herd", "file://x"]
)
def test_paths_of_a_machine_are_recognised(said):
    """Else the test above proves nothing."""
    assert ABSOLUTE.search(said)
    assert not ABSOLUTE.search("peak arrivals (1/s), </td> and 8 of 8")


def test_other_parameters_can_be_given(tmp_path):
    """By papermill, as in its own documentation; what the notebook asserts holds for them too."""
    (path,) = (path for path in NOTEBOOKS if path.stem.startswith("02"))
    given = {"n_clients": 600, "seed": 3}
    executed = papermill.execute_notebook(
        path, tmp_path / "out.ipynb", given, progress_bar=False, cwd=tmp_path
    )
    injected = next(cell for cell in executed.cells if "injected-parameters" in tags(cell))
    assert "n_clients = 600" in injected.source
    assert any("600.0" in said for said in fixed(executed))  # the peak of those without jitter
