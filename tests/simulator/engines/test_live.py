"""Real runs, small ones: kernel sockets, processes, the wall clock, and what is left after them."""

import itertools
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from server_stub.config import ServerConfig, ServiceTime
from server_stub.outage import Outage
from simulator.core.backoff import Policy
from simulator.core.outcomes import Cause, NoticedBy, Outcome
from simulator.engines import live
from simulator.errors import MachineError, RunFailedError
from simulator.results import select
from simulator.run_directory import load_run
from simulator.scenario import ClientConfig, HeartbeatConfig, Scenario

N_CLIENTS = 120


def herd(kind, *, transport="wsproto", down_for=0.5, heartbeat=None, port=0, horizon=60.0):
    """Few clients, a fast server, a short outage; the horizon is far away."""
    return Scenario(
        n_clients=N_CLIENTS,
        horizon=horizon,
        ramp_rate=2000.0,
        settle=0.3,
        transport=transport,
        server=ServerConfig(
            port=port, workers=20, service_time=ServiceTime(kind="constant", mean=0.002)
        ),
        outage=(Outage(kind=kind, starts_at=0.3, down_for=down_for),),
        client=ClientConfig(
            policy=Policy(base=0.2, cap=0.5, jitter="full"),
            connect_timeout=2.0,
            rtt=0.005,
            heartbeat=heartbeat,
        ),
    )


HERDS = {
    "graceful": {"kind": "graceful"},
    "crash": {"kind": "crash"},
    "freeze": {
        "kind": "freeze",
        "down_for": 1.5,
        "heartbeat": HeartbeatConfig(interval=0.4, timeout=0.5),
    },
}


@pytest.fixture(
    scope="module", params=itertools.product(HERDS, ["trio-websocket", "wsproto"]), ids="-".join
)
def storm(request, tmp_path_factory):
    """One run of each kind of outage over each transport: the kind, the result, its directory."""
    kind, transport = request.param
    out = tmp_path_factory.mktemp(f"{kind}-{transport}")
    scenario = herd(**HERDS[kind], transport=transport, port=free_port())
    n_workers = 2 if transport == "wsproto" else 1
    return kind, live.run(scenario, out=out, n_workers=n_workers), out


def test_everybody_comes_back(storm):
    """The run ends because of it, and each client's last attempt is a connect."""
    _, result, _ = storm
    assert result.manifest.ended_because.startswith("everybody is back")
    attempts = result.attempts
    last = {}
    for client, outcome in zip(attempts["client"], attempts["outcome"], strict=True):
        last[int(client)] = outcome
    assert sorted(last) == list(range(N_CLIENTS))
    assert set(last.values()) == {Outcome.CONNECTED}


def test_every_connection_that_broke_is_accounted_for(storm):
    """By its cause, by how it was noticed, by the close code; and it broke before that."""
    kind, result, _ = storm
    disconnects = result.disconnects
    assert np.all(disconnects["broke_at"] <= disconnects["noticed_at"])
    broken = select(disconnects, disconnects["cause"] == Cause[kind.upper()])
    noticed_by, close_code = {
        "graceful": (NoticedBy.CLOSE_FRAME, 1012),
        "crash": (NoticedBy.RESET, 1006),
        "freeze": (NoticedBy.HEARTBEAT, 1006),
    }[kind]
    assert set(broken["noticed_by"]) == {noticed_by}
    assert set(broken["close_code"]) == {close_code}
    assert set(broken["outage"]) == {0}
    if kind != "freeze":  # a short heartbeat may fire on a busy machine without an outage
        assert sorted(broken["client"]) == list(range(N_CLIENTS))
        assert len(disconnects["client"]) == N_CLIENTS


def test_the_outage_is_recorded_as_it_happened(storm):
    """Nobody connects to a server that is down."""
    _, result, _ = storm
    (starts_at,), (ends_at,) = result.outages["starts_at"], result.outages["ends_at"]
    assert 0.3 <= starts_at < ends_at
    attempts = result.attempts
    connected_at = attempts["ended_at"][attempts["outcome"] == Outcome.CONNECTED]
    assert not np.any((connected_at > starts_at) & (connected_at < ends_at))


def test_no_attempt_is_missing(storm):
    """Attempts count 1, 2, 3 ... in every episode, of which only the last is a connect."""
    _, result, _ = storm
    attempts = result.attempts
    assert np.all(attempts["due_at"] <= attempts["started_at"] + 1e-6)
    assert np.all(attempts["started_at"] <= attempts["ended_at"])
    episodes = {}
    for row in zip(*(attempts[name] for name in ROW), strict=True):
        client, episode, attempt, outcome = map(int, row)
        episodes.setdefault((client, episode), []).append((attempt, outcome))
    for tries in episodes.values():
        numbers, outcomes = zip(*tries, strict=True)
        assert numbers == tuple(range(1, len(tries) + 1))
        assert outcomes.index(Outcome.CONNECTED) == len(tries) - 1
    losses = set(zip(result.disconnects["client"], result.disconnects["episode"], strict=True))
    assert set(episodes) == losses | {(client, 0) for client in range(N_CLIENTS)}


ROW = ("client", "episode", "attempt", "outcome")


def test_client_and_server_agree(storm):
    """What the server saw lies between what surely reached it and what may have."""
    _, result, _ = storm
    outcome = result.attempts["outcome"]
    answered = np.count_nonzero(np.isin(outcome, [Outcome.CONNECTED, Outcome.REJECTED]))
    arrivals = result.server["arrivals"].sum()
    assert answered <= arrivals <= np.count_nonzero(outcome != Outcome.REFUSED)
    server = select(result.server, result.server["at"] < result.manifest.observed_until - 0.02)
    assert server["connected"][-1] == N_CLIENTS
    assert len(result.services["at"]) == result.server["completed"].sum()


def test_a_finished_run_is_read_back_as_it_was_returned(storm):
    """The directory says all; the port is free again, and no process is left."""
    _, result, out = storm
    loaded = load_run(out)
    assert loaded.manifest.complete
    assert loaded.manifest.origin == result.manifest.origin
    for name in ("attempts", "disconnects", "server", "outages"):
        for column, values in result.table(name).items():
            assert np.array_equal(loaded.table(name)[column], values, equal_nan=True)
    assert not multiprocessing.active_children()
    assert is_free(result.scenario.server.port)


def test_a_port_in_use_is_one_clear_line(tmp_path):
    """It names the field and the value, and the way out."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(MachineError) as caught:
            live.run(herd("graceful", port=port), out=tmp_path, n_workers=1)
    assert str(caught.value) == f"server.port = {port}: Address already in use; 0 takes a free one"
    assert not multiprocessing.active_children()


def test_a_full_listen_queue_turns_nobody_away(tmp_path):
    """Overflow by silence: what the kernel drops it tries again, for as long as that may take."""
    base = herd("graceful", down_for=0.2, horizon=2.5)
    queue = {"workers": 1, "backlog": 1, "listen_backlog": 1, "overflow": "drop"}
    changes = {
        "n_clients": 12,
        "ramp_rate": 50.0,
        "grace": 0.0,
        "server": base.server.model_copy(
            update={**queue, "service_time": ServiceTime(kind="constant", mean=0.05)}
        ),
        "client": base.client.model_copy(
            update={"policy": Policy(growth="constant", base=0.5), "connect_timeout": None}
        ),
    }
    result = live.run(base.model_copy(update=changes), out=tmp_path, n_workers=1)
    outcomes = result.attempts["outcome"][result.attempts["episode"] > 0]
    assert set(outcomes) <= {Outcome.CONNECTED, Outcome.REFUSED, Outcome.CANCELLED}
    assert np.count_nonzero(outcomes == Outcome.CONNECTED) >= 2
    assert result.server["rejected"].sum() == 0


# What goes wrong


@pytest.mark.parametrize("victim", [0, 1], ids=["server", "worker"])
def test_a_process_that_dies_ends_the_run(tmp_path, victim):
    """What was recorded is saved, no process is left, and the port is free again."""
    port = free_port()
    children = []

    def kill_once_it_runs(progress):
        if progress.at > 0 and not children:
            children.extend(started_children())
            os.kill(children[victim], signal.SIGKILL)

    with pytest.raises(RunFailedError, match="died"):
        live.run(
            herd("graceful", down_for=30.0, port=port),
            out=tmp_path,
            n_workers=2,
            watch=kill_once_it_runs,
        )
    assert not any(map(is_alive, children))
    assert is_free(port)
    loaded = load_run(tmp_path)
    assert loaded.manifest.failure
    assert loaded.manifest.complete
    survivors = N_CLIENTS if victim == 0 else N_CLIENTS // 2
    ramp = loaded.attempts["episode"] == 0
    assert len(np.unique(loaded.attempts["client"][ramp])) >= survivors


SCRIPT = """
import multiprocessing, sys
from pathlib import Path
from simulator.experiment import run
from simulator.scenario_files import load_scenario

told = False

def watch(progress):
    global told
    if progress.at > 0 and not told:
        told = True
        print(*(child.pid for child in multiprocessing.active_children()), flush=True)

run(load_scenario(sys.argv[1]), out=Path(sys.argv[2]), watch=watch)
"""
"""A user's script, without the guard that a spawned process would want."""


@pytest.fixture
def script(tmp_path):
    """That script in the middle of a run: its process, its children, its run directory."""
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "herd.toml").write_text(herd("graceful", down_for=30.0).to_toml())
    out = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "script.py", "herd.toml", str(out)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        children = [int(pid) for pid in process.stdout.readline().split()]
        assert children, process.stderr.read()
        yield process, children, out
        if process.poll() is None:
            process.kill()
    assert within_a_minute(lambda: not any(map(is_alive, children)))


def test_ctrl_c_saves_what_was_recorded(script):
    """All of the terminal's processes get the signal; the run ends in good order."""
    process, children, out = script
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert errors.splitlines()[-1] == "KeyboardInterrupt"
    assert errors.count("Traceback") == 1
    assert not any(map(is_alive, children))
    loaded = load_run(out)
    assert loaded.manifest.interrupted
    assert np.count_nonzero(loaded.attempts["episode"] == 0) == N_CLIENTS


def test_children_end_when_the_engine_is_killed(script):
    """It had no time to tell them, and the directory loads all the same."""
    process, children, out = script
    process.kill()
    assert within_a_minute(lambda: not any(map(is_alive, children)))
    loaded = load_run(out)
    assert not loaded.manifest.complete
    assert np.count_nonzero(loaded.attempts["episode"] == 0) == N_CLIENTS


# The machine


def free_port():
    """A port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_free(port):
    """Could a server listen there?"""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen()
        except OSError:
            return False
    return True


def started_children():
    """The processes of the run under way, in the order in which they were started."""
    children = multiprocessing.active_children()
    return [child.pid for child in sorted(children, key=lambda child: child._identity)]


def is_alive(pid):
    """Does this process still run? One that has ended but was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def within_a_minute(condition):
    """Does it come true, before anybody loses patience?"""
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
