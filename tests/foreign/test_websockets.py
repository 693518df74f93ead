"""A fleet of the Python library `websockets`, through restarts, seen by `herd serve`."""

import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from simulator.cli import main
from simulator.core.outcomes import Cause, Outcome
from simulator.metrics import summarise
from simulator.run_directory import load_run

FLEET = (sys.executable, Path(__file__).with_name("fleet.py"))
N_CLIENTS = 25
SPREAD, DELAY, GROWTH = 0.5, 1.2, 10.0
"""After a loss the library dials at once; after a failure it waits at random for up to the first of
these, in seconds, after the next failure for the second, then for so many times as long."""
DOWN_FOR = 0.7
"""Seconds; the first two attempts are in vain."""


@pytest.fixture
def their_fleet(fleet):
    """Start it with shorter delays than the library's usual ones."""

    def start(url):
        delays = {"INITIAL_DELAY": SPREAD, "MIN_DELAY": DELAY, "FACTOR": GROWTH}
        environment = {f"WEBSOCKETS_BACKOFF_{name}": str(value) for name, value in delays.items()}
        fleet(*FLEET, url, N_CLIENTS, env={**os.environ, **environment})

    return start


def test_a_restart(serve, their_fleet, capsys):
    """Everybody is known again, and comes back as the library's rule says."""
    served = serve(
        *("restart", "--begin-after", N_CLIENTS, "--set=horizon=60", "--set=settle=0.5"),
        *("--set=outage.starts_at=0.3", f"--set=outage.down_for={DOWN_FOR}"),
        "--set=server.workers=20",
    )
    their_fleet(f"{served.url}/?client=number-{{}}")
    assert served.ends() == 0
    result = load_run(served.out)
    summary = summarise(result)
    assert summary["n_clients"] == summary["n_episodes"] == summary["n_recovered"] == N_CLIENTS
    assert set(result.disconnects["cause"]) == {Cause.GRACEFUL}
    assert set(result.disconnects["close_code"]) == {1012}
    assert set(result.attempts["outcome"]) == {Outcome.CONNECTED}

    back = result.attempts["episode"] == 1
    waits = result.attempts["started_at"][back] - result.disconnects["broke_at"].min()
    assert waits.min() >= DELAY
    assert np.median(waits) < DELAY * (1 + GROWTH)

    assert main(["report", str(served.out)]) == 0
    assert "attempts that arrived" in capsys.readouterr().out
    figures = {path.name for path in (served.out / "figures").iterdir()}
    assert figures == {"storm.png", "recovery.png", "raster.png", "states.png"}


def test_orders_by_hand_to_clients_without_a_name(serve, their_fleet):
    """Down and up again by HTTP; health follows; Ctrl-C ends it with everything saved."""
    served = serve("restart", "--set=outage=[]", "--set=server.workers=20")
    their_fleet(f"{served.url}/echo")
    served.wait_until(N_CLIENTS)
    assert served.ask("/api/health") == (200, {"status": "up"})
    status, state = served.ask("/api/stop?kind=crash", "POST")
    assert (status, state["up"], state["connections"]) == (200, False, 0)
    assert served.ask("/api/health") == (503, {"status": "down"})
    assert served.ask("/api/freeze", "POST")[0] == 409
    assert served.ask("/api/start", "POST")[0] == 200
    served.wait_until(N_CLIENTS)
    assert served.ends(signal.SIGINT) == 130
    assert f"herd: {2 * N_CLIENTS} arrivals did not say who they were" in served.complaints

    result = load_run(served.out)
    summary = summarise(result)
    assert not result.manifest.interrupted
    assert summary["n_clients"] == summary["n_episodes"] == summary["n_recovered"] == N_CLIENTS
    assert set(result.disconnects["cause"]) == {Cause.CRASH}
    assert "reconnect_time_p50" in summary["unmeasured"]
    assert summary["time_to_recovery_p100"] > 0
