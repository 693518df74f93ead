"""`herd run --target` and `herd compare --target`: what they refuse, and what they say."""

import json
import os
import shlex
import signal
import socket
import subprocess
from contextlib import suppress

import pytest

QUICK = (
    "--clients=20",
    "--set=horizon=90",
    "--set=outage.starts_at=0.2",
    "--set=settle=0.3",
    "--set=ramp_rate=1000",
    "--set=client.rtt=0.005",
)
ACCESS = ("--header", "Authorization: Bearer letmein", "--subprotocol", "chat.v1")
"""What the server wants to see."""


@pytest.fixture
def nobody():
    """The URL of a port at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"ws://127.0.0.1:{probe.getsockname()[1]}/chat"


def complaint(done):
    """The lines on stderr of a command that must have refused."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert all(line.startswith("herd: ") for line in lines), done.stderr
    return lines


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--target", "localhost:8000"], ["--target = localhost:8000", "ws://HOST:PORT/PATH"]),
        (["--target", "http://localhost"], ["--target = http://localhost", "wss://HOST:PORT/PATH"]),
        (["--target", "ws://192.0.2.7/"], ["192.0.2.7", "--allow-host 192.0.2.7"]),
        (
            ["--target", "ws://192.0.2.7/", "--allow-host", "192.0.2.8"],
            ["--allow-host = 192.0.2.8", "192.0.2.7"],
        ),
        (
            ["--target", "ws://192.0.2.7/", "--allow-host", "192.0.2.7", "--clients", "1001"],
            ["n_clients = 1001", "at most 1000", "--max-clients"],
        ),
        (["--target", "ws://127.0.0.1:9/", "--engine", "virtual"], ["--engine = virtual", "live"]),
        (["--target", "ws://127.0.0.1:9/", "--set", "client.sync=full"], ["client.sync = full"]),
        (
            ["--target", "ws://127.0.0.1:9/", "--set", "outage.kind=freeze"],
            ["outage.kind = freeze"],
        ),
        (["--target", "ws://127.0.0.1:9/", "--fail-if", "floor > 9"], ["floor", "not measured"]),
        (["--target", "ws://127.0.0.1:9/", "--header", "nonsense"], ["--header nonsense"]),
        (["--allow-host", "localhost"], ["--allow-host: no effect without --target"]),
        (
            ["--restart-command", "true", "--max-clients", "0", "--insecure"],
            ["--restart-command, --max-clients, --insecure: no effect without --target"],
        ),
    ],
)
@pytest.mark.parametrize("command", ["run", "compare"])
def test_what_is_refused(cli, in_tmp, command, arguments, said):
    """In one line, before anything is written or anybody dialled."""
    (line,) = complaint(cli(command, *arguments))
    for part in said:
        assert part in line
    assert list(in_tmp.iterdir()) == []


@pytest.mark.parametrize("command", ["run", "compare"])
def test_nobody_listens(cli, in_tmp, nobody, command):
    """It is told at once, and no directory is left behind."""
    (line,) = complaint(cli(command, "--target", nobody, "--out", "new"))
    assert f"{nobody}: nobody listens at 127.0.0.1" in line
    assert list(in_tmp.iterdir()) == []


def test_all_mistakes_at_once(cli):
    """In the target, in its options, in the scenario, and in others."""
    arguments = ["--target", "ws://192.0.2.7/", "--header", "x", "--clients", "0", "--seed", "-1"]
    assert len(complaint(cli("run", *arguments))) == 4


def test_a_comparison_with_a_restart_command(foreign_server, herd_process, in_tmp):
    """The server is restarted under each policy; a command that fails is told of, and no end."""
    server = foreign_server()
    (in_tmp / "restart.sh").write_text(
        f"test -e pid && kill $(cat pid) && tail --pid=$(cat pid) -f /dev/null\n"
        f"rm -f listens\n"
        f"{shlex.join(server.command)} > listens 2> complaints & echo $! > pid\n"
        f"until test -s listens; do sleep 0.05; done\n"
        f"echo done | tee -a times\n"
        f"test $(wc -l < times) -lt 3 || exit 3\n"
    )
    restart = f"sh {in_tmp / 'restart.sh'}"
    subprocess.run(restart, shell=True, check=True, timeout=60)
    try:
        done = herd_process(
            *("compare", "--target", server.url, "--restart-command", restart, *QUICK, *ACCESS),
            *("--policy=fixed", "--policy=exponential-full-jitter", "--json", "--out", "runs"),
        )
    finally:
        with suppress(ProcessLookupError):
            os.kill(int((in_tmp / "pid").read_text()), signal.SIGKILL)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("herd: exponential-full-jitter: the restart command that began")
    assert "failed with exit code 3; see restarts/0.log" in done.stderr
    summaries = json.loads(done.stdout)
    for summary in summaries.values():
        assert summary["n_episodes"] >= 20
        assert summary["recovered_share"] == 1.0
        assert summary["floor"] is None
        assert "floor" in summary["unmeasured"]
    runs = {label: in_tmp / "runs" / label for label in summaries}
    restarts = [
        (restart["due_at"], restart["exit_code"], (run / restart["output"]).read_text())
        for run in runs.values()
        for restart in json.loads((run / "manifest.json").read_text())["restarts"]
    ]
    assert restarts == [(0.2, 0, "done\n"), (0.2, 3, "done\n")]
    assert not any("letmein" in (run / "manifest.json").read_text() for run in runs.values())
    assert len(list((in_tmp / "runs" / "figures").iterdir())) == 4
    redrawn = herd_process("report", "runs")
    assert redrawn.returncode == 0
    assert "fixed: note: not applied: of outage all but when it starts" in redrawn.stdout
    assert "failed with exit code 3" in redrawn.stdout
