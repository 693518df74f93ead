"""A directory for a run that may turn out impossible."""

import pytest

from simulator.errors import MachineError, RunFailedError
from simulator.run_directory import fresh_directory, load_run, save_run


@pytest.fixture
def result(herd):
    """Any run."""
    return herd(2).outage(1.0, 2.0).result()


def begin_and_fail(path, error, *, force=False):
    """Begin a run in a directory, and let it fail."""
    with fresh_directory(path, force=force):
        (path / "begun").touch()
        raise error


def attempt_in(path, error, *, force=False):
    """The same, expecting no less."""
    with pytest.raises(type(error)):
        begin_and_fail(path, error, force=force)


def test_bad_input_leaves_no_trace(tmp_path):
    """If bad input ends it, the directory is gone again."""
    attempt_in(tmp_path / "new", MachineError("port in use"))
    assert list(tmp_path.iterdir()) == []


def test_bad_input_leaves_an_empty_directory_empty(tmp_path):
    """A directory that was there stays."""
    (tmp_path / "empty").mkdir()
    attempt_in(tmp_path / "empty", MachineError("port in use"))
    assert list((tmp_path / "empty").iterdir()) == []


def test_bad_input_brings_the_earlier_run_back(tmp_path, result):
    """What was to be replaced is there again."""
    save_run(result, tmp_path / "old")
    attempt_in(tmp_path / "old", MachineError("port in use"), force=True)
    assert load_run(tmp_path / "old").scenario == result.scenario
    assert not (tmp_path / "old" / "begun").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def test_failure_keeps_what_was_recorded(tmp_path, result):
    """A run that died keeps its records, and has replaced the earlier one."""
    save_run(result, tmp_path / "old")
    attempt_in(tmp_path / "old", RunFailedError("worker 1 died"), force=True)
    assert [path.name for path in (tmp_path / "old").iterdir()] == ["begun"]
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def test_recorded_runs_survive_bad_input(tmp_path, result):
    """The runs of a comparison that had ended are kept."""
    save_run(result, tmp_path / "fixed")
    out = tmp_path / "out"

    def compare():
        with fresh_directory(out):
            (tmp_path / "fixed").rename(out / "fixed")
            raise MachineError("port in use")

    with pytest.raises(MachineError):
        compare()
    assert load_run(out / "fixed").scenario == result.scenario
