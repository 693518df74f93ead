"""Ctrl-C ends a run with 130; what was recorded loads and draws, and no process is left."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from simulator.experiment import load_comparison
from simulator.run_directory import MANIFEST, load_run

ENDLESS = (
    "--clients=50",
    "--set=horizon=100000",
    "--set=settle=100000",
    "--set=ramp_rate=2000",
    "--quiet",
)
"""Virtual time flies: even at fifty thousand client-seconds per second this takes a while."""
LONG = 120.0
"""Seconds; on a busy machine, importing in three processes takes its time."""


@pytest.mark.parametrize("engine", ["live", "virtual"])
@pytest.mark.parametrize("command", ["run", "compare"])
def test_interrupted(in_tmp, program, herd_process, command, engine):
    """The recorded part is kept and can be looked at as the last line says."""
    out = in_tmp / "out"
    process = subprocess.Popen(
        [*program, command, *ENDLESS, "--engine", engine, "--out", str(out)],
        cwd=in_tmp,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        wait_for(lambda: has_begun(out, process))
        os.killpg(process.pid, signal.SIGINT)
        _, complaints = process.communicate(timeout=LONG)
    finally:
        process.kill()
    assert process.returncode == 130
    assert complaints.splitlines() == [
        f"herd: interrupted; what was recorded is in {out}; to look at it: herd report {out}"
    ]
    wait_for(lambda: not processes_of_session(process.pid))
    result = load_run(out) if command == "run" else load_comparison(out).results["fixed"]
    assert result.manifest.interrupted
    assert result.manifest.origin is not None
    assert (result.attempts["episode"] == 0).sum() == 50

    shown = herd_process("report", out)
    assert shown.returncode == 0, shown.stderr
    assert "interrupted" in shown.stdout
    assert {path.name for path in (out / "figures").iterdir()} >= {"storm.png", "raster.png"}


def wait_for(condition):
    """Wait until a condition holds."""
    deadline = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def has_begun(out, process):
    """Has a run named its t = 0?"""
    assert process.poll() is None, process.stderr.read()
    return any(json.loads(path.read_text())["origin"] is not None for path in out.rglob(MANIFEST))


def processes_of_session(session):
    """The processes that belong to a session, zombies aside."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found
