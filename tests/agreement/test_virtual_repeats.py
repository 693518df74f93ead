"""A virtual run is a pure function of scenario and seed: in another process, the same bytes again.

Importing Hypothesis makes Trio's scheduler repeatable, and so would hide it if the engine did not:
every run here has a fresh process to itself that never imports it, each with its own string hashes.
"""

import functools
import os
import subprocess
import sys

import pytest

from simulator.metrics import summarise
from simulator.run_directory import load_run

SCENARIO = """
name = "everything"
n_clients = 60
horizon = 30.0
ramp_rate = 100.0

[server]
nodes = 2
balance = "random"
max_connection_age = { mean = 9.0, dither = 3.0 }
backlog = 3
overflow = "drop"
retry_after = 1.0
history = { rate = 5.0, max_events = 20, event_size = 100, snapshot_size = 1000 }
ledger = { survives_restart = false, storage = "sqlite" }
stages = [
    "tls",
    { shape = "auth-database", workers = 1, share = 0.7, timeout = 0.1 },
    { shape = "subscribe", workers = 1, shared = false },
    { shape = "delta-sync", workers = 1, service_time = { mean = 0.2 }, timeout = 0.5 },
    { shape = "full-refresh", workers = 2, timeout = 1.0 },
]
work = { heartbeats = true, operations = { stage = "auth-database" } }

[load]
rate = 20.0
per_connection = 0.1
stage = "auth-database"

[[outage]]
kind = "graceful"
starts_at = 1.0
down_for = 1.0
close_code = 4001

[[outage]]
kind = "freeze"
starts_at = 3.0
down_for = 2.0
lost_at_thaw = true

[[outage]]
kind = "crash"
starts_at = 6.0
down_for = 0.5
refuse = false

[[outage]]
kind = "crash"
starts_at = 9.0
down_for = 1.0
nodes = [1]

[[deploy]]
starts_at = 12.0
max_surge = 1
max_unavailable = 0
ready_after = 1.0
drain_over = 1.0

[[outage]]
kind = "network"
starts_at = 5.5
down_for = 2.0
cohort = "phones"

[client]
connect_timeout = 1.0
sync = "delta"
operation_rate = 0.5
heartbeat = { interval = 1.0, timeout = 0.5 }

[[cohort]]
name = "desks"
share = 0.4
policy = "exponential-full-jitter"
heartbeat = { interval = 1.0, timeout = 0.5, kind = "application" }

[[cohort]]
name = "phones"
share = 0.4
policy = "exponential-decorrelated-jitter"
visible_share = 0.5
network_monitor = { interval = 2.0, timeout = 0.5, window = 1.0 }

[[cohort]]
name = "bots"
share = 0.2
policy = { growth = "constant", base = 0.5, max_attempts = 20 }
sync = "full"
brake = "firefox"
"""

RUN = """
import sys
from pathlib import Path
from simulator.engines import virtual
from simulator.scenario_files import load_scenario
path, out, *changes = sys.argv[1:]
virtual.run(load_scenario(path, changes=changes), out=Path(out))
assert "hypothesis" not in sys.modules
"""
TABLES = {"attempts", "disconnects", "clients", "outages", "server", "stages", "services"}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Runs the scenario in a fresh process, and gives the directory of what it recorded."""
    path = tmp_path_factory.mktemp("scenario") / "everything.toml"
    path.write_text(SCENARIO)

    @functools.cache
    def run(*changes, hash_seed="1"):
        out = tmp_path_factory.mktemp("run")
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-c", RUN, str(path), str(out), *changes]
        subprocess.run(command, env=environment, check=True, timeout=120)
        return out

    return run


def tables_of(directory):
    """The bytes of every table, by name."""
    tables = {path.stem: path.read_bytes() for path in sorted(directory.rglob("*.parquet"))}
    assert tables.keys() >= TABLES
    return tables


@pytest.mark.parametrize("transport", ["wsproto", "trio-websocket"])
def test_the_same_seed_gives_the_same_bytes(run, transport):
    """In two processes, whatever order their sets and dictionaries of strings have."""
    change = f"transport={transport}"
    first, second = (run(change, hash_seed=hash_seed) for hash_seed in ("1", "2"))
    assert tables_of(first) == tables_of(second)
    assert load_run(first).manifest.reproducible


def test_another_seed_gives_another_run(run):
    """All that is drawn is drawn from the seed."""
    first, second = (tables_of(run("transport=wsproto", *changes)) for changes in ((), ("seed=2",)))
    assert first["attempts"] != second["attempts"]
    assert first["server"] != second["server"]


def test_everything_happens_in_it(run):
    """A feature that is never used would prove nothing: every kind of end and of notice occurs."""
    result = load_run(run("transport=wsproto"))
    assert set(result.attempts["outcome"].tolist()) >= {0, 1, 3, 4}
    assert set(result.disconnects["noticed_by"].tolist()) >= {0, 1, 3, 4}
    clients = result.clients
    for column in ("n_delta_sync", "n_full_refresh", "n_operations"):
        assert clients[column].sum() > 0, column
    summary = summarise(result)
    assert summary["n_healthy_lost"] > 0
    assert summary["turned_away"]["stage"] > 0
    for name, stage in summary["stages"].items():
        assert stage["completed"] > 0, name
