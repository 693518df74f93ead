"""The command that restarts a server: a real shell, run when it is due, and what became of it."""

import os
import signal
import time
from pathlib import Path

import pytest

from simulator.engines.live.restarts import Restarts

PATIENCE = 30.0
"""Seconds that a busy machine may take to do next to nothing."""


def until(condition):
    """Wait for it; a shell takes its time."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_running(pid):
    """Is there such a process, and is it no zombie?"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture
def ended(tmp_path):
    """Run a command that is due at 1 s, until it has ended; gives its record and its output."""

    def run(command):
        with Restarts(command, [1.0], tmp_path) as restarts:
            restarts.act(1.2)
            until(lambda: restarts.act(3.0) or restarts.records[0].ended_at is not None)
        (record,) = restarts.records
        return record, (tmp_path / record.output).read_text()

    return run


def test_it_runs_when_it_is_due(tmp_path):
    """Not before, and once each time."""
    with Restarts("echo now", [1.0, 5.0], tmp_path) as restarts:
        restarts.act(0.9)
        assert restarts.records == ()
        restarts.act(1.1)
        restarts.act(4.9)
        assert [record.started_at for record in restarts.records] == [1.1]
        restarts.act(5.0)
    assert [record.due_at for record in restarts.records] == [1.0, 5.0]
    assert [record.output for record in restarts.records] == ["restarts/0.log", "restarts/1.log"]


def test_without_a_command_nothing_runs(tmp_path):
    """The server is restarted by hand."""
    with Restarts(None, [1.0], tmp_path) as restarts:
        restarts.act(2.0)
    assert restarts.records == ()
    assert list(tmp_path.iterdir()) == []


def test_what_it_prints_is_kept(ended):
    """Both of its streams, beside the records of the run."""
    record, output = ended("echo out; echo err >&2")
    assert output == "out\nerr\n"
    assert (record.exit_code, record.failed, record.ended_at) == (0, False, 3.0)


@pytest.mark.parametrize(
    ("command", "code"), [("exit 3", 3), ("no-such-command-anywhere", 127), ("kill -9 $$", -9)]
)
def test_a_failure_is_told(ended, command, code):
    """By its exit code; a signal counts as its negative."""
    record, _ = ended(command)
    assert (record.exit_code, record.failed) == (code, True)


def test_it_reads_nothing_and_has_a_session_of_its_own(ended):
    """It cannot wait for an answer, and Ctrl-C does not reach it."""
    _, output = ended("cat; ps -o sid= -p $$ || cut -d' ' -f6 /proc/$$/stat")
    assert int(output) != os.getsid(0)


def test_a_server_started_in_the_background_stays(tmp_path):
    """The command has ended, and what it left running is what it was for."""
    with Restarts("sleep 60 & echo $!", [0.0], tmp_path) as restarts:
        restarts.act(0.0)
        until(lambda: restarts.act(1.0) or restarts.records[0].ended_at is not None)
    pid = int((tmp_path / "restarts" / "0.log").read_text())
    try:
        assert is_running(pid)
    finally:
        os.kill(pid, signal.SIGKILL)


def test_that_holds_for_one_that_ended_unseen(tmp_path, monkeypatch):
    """Between the last look and the end of the run."""
    monkeypatch.chdir(tmp_path)
    with Restarts("sleep 60 & echo $! > pid; mv pid done", [0.0], tmp_path) as restarts:
        restarts.act(0.0)
        until((tmp_path / "done").exists)
        restarts._begun[0].process.wait(PATIENCE)
    pid = int((tmp_path / "done").read_text())
    try:
        assert is_running(pid)
    finally:
        os.kill(pid, signal.SIGKILL)
    assert restarts.records[0].exit_code == 0


def test_one_that_still_runs_is_ended_with_all_it_started(tmp_path):
    """The run is over; nothing of it stays behind."""
    with Restarts("sleep 60 & echo $!; echo $$; wait", [0.0], tmp_path) as restarts:
        restarts.act(0.0)
        log = tmp_path / "restarts" / "0.log"
        until(lambda: len(log.read_text().split()) == 2)
    pids = map(int, log.read_text().split())
    until(lambda: not any(map(is_running, pids)))
    (record,) = restarts.records
    assert (record.ended_at, record.exit_code, record.failed) == (None, None, False)


def test_one_that_does_not_listen_is_killed(tmp_path, monkeypatch):
    """SIGTERM first, then SIGKILL."""
    monkeypatch.setattr("simulator.engines.live.restarts._PATIENCE", 0.1)
    stubborn = "trap '' TERM; echo $$; while true; do sleep 0.05; done"
    with Restarts(stubborn, [0.0], tmp_path) as restarts:
        restarts.act(0.0)
        log = tmp_path / "restarts" / "0.log"
        until(log.read_text)
    assert not is_running(int(log.read_text()))
