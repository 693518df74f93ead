"""The stub alone, in a process of its own."""

import re
import signal
import socket
import subprocess
import sys
import time
import tomllib
from contextlib import contextmanager

import pyarrow as pa
import pytest

from server_stub.__main__ import HERD_FIELDS, StubConfig, main
from server_stub.wire import Identity
from simulator.scenario import Scenario
from simulator.scenario_files import builtin_scenarios

CONFIG = """
seed = 3
n_clients = 7   # means nothing to the stub

[server]
workers = 1
backlog = 0
retry_after = 2.0
service_time = {kind = "constant", mean = 0.01}

[[outage]]
kind = "crash"
starts_at = 1000.0
down_for = 2.0

[[outage]]
kind = "freeze"
starts_at = 1.0
down_for = 2.0
"""


@contextmanager
def stub(*arguments):
    """A running stub, and the first line it prints."""
    command = [sys.executable, "-m", "server_stub", *map(str, arguments)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process, process.stdout.readline()
        finally:
            process.kill()


def ask(line, identity):
    """The first line of the answer to an upgrade request."""
    host, port = re.search(r"ws://([\d.]+):(\d+)", line).groups()
    with socket.create_connection((host, int(port))) as peer:
        peer.sendall(
            f"GET {identity.path} HTTP/1.1\r\nHost: stub\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        return peer.recv(1024).split(b"\r\n")[0].decode().strip()


@pytest.fixture
def config(tmp_path):
    """A file that says a little of everything."""
    path = tmp_path / "config.toml"
    path.write_text(CONFIG)
    return path


def records(directory, table):
    """The rows of a recorded table, by column; nothing while not even the first is complete."""
    try:
        with pa.ipc.open_stream(str(directory / f"{table}-0.arrows")) as stream:
            return stream.read_all().to_pydict()
    except (OSError, pa.ArrowInvalid):
        return {}


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_a_signal_ends_it(config, tmp_path, end):
    """It says where it listens and what will happen when; its records count from its start."""
    out = tmp_path / "new" / "records"
    with stub(config, "--out", out) as (process, line):
        assert line.startswith("listening on ws://127.0.0.1:")
        assert "outages: freeze from 1 to 3 s, crash from 1000 to 1002 s" in line
        assert ask(line, Identity(5, 1, 1)).startswith("HTTP/1.1 101")
        process.send_signal(end)
        rest, complaints = process.communicate()
    assert (process.returncode, rest, complaints) == (0, "", "")
    assert sum(records(out, "server")["arrivals"]) == 1
    (served_at,) = records(out, "services")["at"]
    assert served_at > 0.01
    assert main([str(config), "--out", str(out)]) == 2


def test_without_a_config_it_serves_by_default(tmp_path):
    """On any free port, and on the same one again."""
    with stub("--seed", 2) as (process, line):
        assert line.endswith("100 handshakes/s; outages: none; Ctrl-C ends it\n")
        assert ask(line, Identity(0, 0, 1)).startswith("HTTP/1.1 101")
        port = re.search(r":(\d+);", line)[1]
        with stub("--port", port) as (second, nothing):
            assert nothing == ""
            assert second.wait() == 2
            assert second.stderr.read() == f"server.port = {port}: Address already in use\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0


def test_what_was_recorded_survives_a_kill(config, tmp_path):
    """But for the last second."""
    out = tmp_path / "records"
    with stub(config, "--out", out) as (process, line):
        assert ask(line, Identity(5, 1, 1)).startswith("HTTP/1.1 101")
        while not records(out, "services"):
            time.sleep(0.02)
        process.kill()
        process.wait()
    assert len(records(out, "services")["at"]) == 1


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[server]\nworkers = 0", "server.workers = 0: allowed: more than 0"),
        ("[server]\nwokers = 2", "server.wokers = 2: unknown field; did you mean 'workers'?"),
        (
            "[sevrer]\nworkers = 2",
            "sevrer = {...}: unknown field; did you mean 'server'? valid: outage, ",
        ),
        ("server = 3", "server = 3: allowed: a table"),
        (
            'server.overflow = "drp"',
            "server.overflow = 'drp': did you mean 'drop'? allowed: one of",
        ),
        ("[[outage]]\nstarts_at = 1.0", "outage.0.down_for: required, but not set"),
        (
            "[[outage]]\nstarts_at = 1.0\ndown_for = 3.0\n"
            "[[outage]]\nstarts_at = 2.0\ndown_for = 3.0",
            "outage: the outage at 2 s starts before the one at 1 s has ended (4 s)",
        ),
        ("[server", "Expected ']' at the end of a table declaration (at end of document)"),
    ],
)
def test_a_wrong_config_is_one_clear_line(tmp_path, capsys, text, complaint):
    """With the file, the field, the value and what is wrong with it; exit code 2."""
    path = tmp_path / "config.toml"
    path.write_text(text)
    assert main([str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"{path}: {complaint}")
    assert err.count("\n") == 1


def test_every_mistake_has_its_line(tmp_path, capsys):
    """So that they can be put right in one go."""
    path = tmp_path / "config.toml"
    path.write_text("seed = -1\n[server]\nworkers = 0\nbacklog = -1\n")
    assert main([str(path)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[1] for line in lines] == [
        "seed = -1",
        "server.workers = 0",
        "server.backlog = -1",
    ]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["/nowhere.toml"], "/nowhere.toml: No such file or directory"),
        (["--port", "70000"], "options: server.port = 70000: allowed: at most 65535"),
        (["--port", "http"], "argument --port: invalid int value: 'http'"),
        (["--seed", "-1"], "options: seed = -1: allowed: at least 0"),
        (["--speed=2"], "unrecognized arguments: --speed"),
        (["--out", "/proc/nowhere"], "--out /proc/nowhere: No such file or directory"),
        (["--out", "/dev/null"], "--out /dev/null: File exists"),
    ],
)
def test_a_wrong_option_is_one_clear_line(capsys, arguments, complaint):
    """Exit code 2."""
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(complaint)
    assert err.count("\n") == 1


def test_a_whole_scenario_will_do():
    """The stub knows every field of one, and takes what is its own."""
    assert set(StubConfig.model_fields) | HERD_FIELDS == set(Scenario.model_fields)
    for text in builtin_scenarios().values():
        data = tomllib.loads(text)
        StubConfig(**{field: data[field] for field in data.keys() - HERD_FIELDS})
