"""A fleet of the npm package `reconnecting-websocket` under Node, over TLS, through a restart."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from simulator.core.outcomes import Cause
from simulator.metrics import summarise
from simulator.run_directory import load_run
from simulator.serving.ports import AUTHORITY

SOURCES = Path(__file__).parent / "node"
N_CLIENTS = 20
MIN_DELAY, GROWTH = 0.3, 4.0
"""Seconds before the first attempt after a loss, and how many times as long each further one is."""
DOWN_FOR = 0.9
"""Seconds; the first attempt, after 0.3 s, is in vain."""
SECOND, THIRD = MIN_DELAY * (1 + GROWTH), MIN_DELAY * (1 + GROWTH + GROWTH**2)
"""Seconds after a loss at which these attempts are made; a busy machine is late, never early."""


def command(name):
    """Where a program of Node is: beside this Python, or wherever the shell finds it."""
    places = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return shutil.which(name, path=places)


@pytest.fixture(scope="module")
def their_script(tmp_path_factory):
    """The script of the clients, with its packages beside it."""
    if command("node") is None or command("npm") is None:
        assert not os.environ.get("HERD_TESTS_NEED_NODE"), "there is no Node to be found"
        pytest.skip("there is no Node on this machine")
    folder = tmp_path_factory.mktemp("node")
    shutil.copytree(SOURCES, folder, dirs_exist_ok=True)
    quietly = ("--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
    subprocess.run([command("npm"), "ci", *quietly], cwd=folder, check=True, timeout=180)
    return folder / "fleet.mjs"


def test_a_restart(serve, fleet, their_script):
    """Over TLS, with a subprotocol; everybody comes back in the library's lockstep."""
    served = serve(
        *("restart", "--tls", "--begin-after", N_CLIENTS, "--set=horizon=60", "--set=settle=0.5"),
        *("--set=outage.starts_at=0.5", f"--set=outage.down_for={DOWN_FOR}"),
        "--set=server.workers=20",
    )
    arguments = (served.url, N_CLIENTS, 1000 * MIN_DELAY, GROWTH)
    trust = {**os.environ, "NODE_EXTRA_CA_CERTS": str(served.out / AUTHORITY)}
    fleet(command("node"), their_script, *arguments, env=trust)
    assert served.ends() == 0, served.complaints
    assert served.url.startswith("wss://")

    result = load_run(served.out)
    summary = summarise(result)
    assert summary["n_clients"] == summary["n_episodes"] == summary["n_recovered"] == N_CLIENTS
    assert set(result.disconnects["cause"]) == {Cause.GRACEFUL}
    back = result.attempts["episode"] == 1
    waits = result.attempts["started_at"][back] - result.disconnects["broke_at"].min()
    assert waits.min() >= SECOND - 0.01  # A timer of Node counts whole milliseconds.
    assert np.median(waits) < THIRD
    assert result.manifest.transport == "wss"
