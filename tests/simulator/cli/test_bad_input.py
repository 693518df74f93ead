"""Whatever is wrong is said in one clear line each, with exit code 2; nothing is overwritten."""

import json
import resource
import socket

import pytest

from simulator.run_directory import MANIFEST, save_run


def complaint(done):
    """The lines on stderr of a command that must have refused."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines
    assert all(line.startswith("herd: ") for line in lines), done.stderr
    return lines


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--policy", "exponentail"], ["policy 'exponentail'", "did you mean 'exponential'?"]),
        (["restrat"], ["scenario 'restrat'", "did you mean 'restart'?"]),
        (["missing.toml"], ["scenario 'missing.toml'", "valid: auth-bottleneck"]),
        (["--engine", "lvie"], ["engine 'lvie'", "did you mean 'live'?"]),
        (["--set", "n_client=5"], ["n_client = 5", "unknown field", "did you mean 'n_clients'?"]),
        (["--set", "server.worker=5"], ["server.worker = 5", "did you mean 'workers'?"]),
        (["--set", "horizon=-1"], ["horizon = -1", "more than 0"]),
        (["--set", "horizon=nan"], ["horizon = nan", "a finite number"]),
        (["--set", "client.rtt=inf"], ["client.rtt = inf", "a finite number"]),
        (["--set", "horizon=soon"], ["horizon = 'soon'", "a number"]),
        (["--set", "horizon"], ["FIELD=VALUE"]),
        (["--clients", "0"], ["n_clients = 0", "more than 0"]),
        (["--clients", "-5"], ["n_clients = -5", "more than 0"]),
        (["--clients", "many"], ["--clients", "integer"]),
        (["--seed", "-1"], ["seed = -1", "at least 0"]),
        (["--set", "outage.starts_at=99"], ["outage.0.starts_at = 99", "horizon"]),
        (["--set", "client.policy=fixd"], ["client.policy = 'fixd'", "did you mean 'fixed'?"]),
        (["--fail-if", "recovered_shar < 1"], ["--fail-if", "did you mean 'recovered_share'?"]),
        (["--fail-if", "recovered_share"], ["--fail-if", "METRIC OP VALUE"]),
        (
            ["--set", "client.operation_rate=none", "--fail-if", "n_operations > 0"],
            ["not measured"],
        ),
        (["--fail-if", "outages.7.floor > 0"], ["outages.7.floor"]),
        (["--fail-if", "verdict > 3"], ["verdict", "a word"]),
        (
            ["--junit", "nowhere/out.xml", "--fail-if", "recovered_share < 1"],
            ["--junit", "nowhere"],
        ),
        (["--junit", "out.xml"], ["--junit = out.xml", "--fail-if", "[[objective]]"]),
        (["--set", "outage.kind=gracefull"], ["outage.0.kind", "did you mean 'graceful'?"]),
        (["--set", "transport=wsprot"], ["transport = 'wsprot'", "did you mean 'wsproto'?"]),
        (["--no-such-option"], ["--no-such-option", "herd run --help"]),
    ],
)
def test_run_refuses(cli, in_tmp, arguments, said):
    """A run with a mistake is refused in one line that names it, before anything is written."""
    (line,) = complaint(cli("run", *arguments))
    for part in said:
        assert part in line
    assert list(in_tmp.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--policy", "fixed", "--policy", "linaer"], ["policy 'linaer'", "'linear'"]),
        (["--fail-if", "fixt:recovered_share < 1"], ["policy 'fixt'", "did you mean 'fixed'?"]),
        (["--set", "client.policy.base=2"], ["client.policy.base", "no effect"]),
        (
            ["--policy", "fixed", "--set", "compare.0.base=2"],
            ["compare.0.base", "no effect", "--policy"],
        ),
    ],
)
def test_compare_refuses(cli, in_tmp, arguments, said):
    """What a comparison could only ignore, or does not know, is refused."""
    (line,) = complaint(cli("compare", *arguments))
    for part in said:
        assert part in line
    assert list(in_tmp.iterdir()) == []


def test_run_takes_one_policy(cli):
    """Several policies are for compare, and run says so."""
    (line,) = complaint(cli("run", "--policy", "fixed", "--policy", "linear"))
    assert "herd compare" in line


def test_all_mistakes_at_once(herd_process):
    """Several mistakes, in the scenario and in the options, are all reported."""
    lines = complaint(
        herd_process(
            *("run", "--engine", "lvie", "--policy", "fixd", "--clients", "0"),
            *("--set", "horizon=-1", "--set", "server.backlog=-3"),
            *("--fail-if", "recovered < 1", "--junit", "nowhere/out.xml"),
        )
    )
    assert len(lines) == 7
    for part in ("lvie", "fixd", "n_clients", "horizon", "backlog", "recovered", "nowhere"):
        assert sum(part in line.split("valid:")[0] for line in lines) == 1, part


def test_broken_toml(cli, in_tmp):
    """A file that is not TOML is refused by its name and line."""
    (in_tmp / "mine.toml").write_text("n_clients = = 3\n")
    (line,) = complaint(cli("run", "mine.toml"))
    assert "mine.toml" in line
    assert "line 1" in line


@pytest.mark.parametrize("command", ["run", "compare"])
def test_existing_directory(cli, in_tmp, recovered, command):
    """An earlier run is not overwritten without --force, and stays as it was."""
    save_run(recovered, in_tmp / "old")
    before = contents(in_tmp / "old")
    (line,) = complaint(cli(command, "--out", "old"))
    assert "old" in line
    assert "--force" in line
    assert contents(in_tmp / "old") == before


def test_foreign_directory(cli, in_tmp):
    """A directory that is not a run is not replaced, not even with --force."""
    (in_tmp / "precious").mkdir()
    (in_tmp / "precious" / "thesis.txt").write_text("years of work")
    (line,) = complaint(cli("run", "--out", "precious", "--force"))
    assert "precious" in line
    assert contents(in_tmp / "precious") == {"thesis.txt": b"years of work"}


@pytest.mark.parametrize("command", ["run", "compare"])
def test_port_in_use(herd_process, in_tmp, tiny, recovered, command):
    """A port in use is named; --force has not cost the earlier run its records."""
    save_run(recovered, in_tmp / "old")
    before = contents(in_tmp / "old")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = herd_process(
            command, *tiny, "--set", f"server.port={port}", "--out", "old", "--force"
        )
    (line,) = complaint(done)
    assert f"server.port = {port}" in line
    assert "in use" in line
    assert contents(in_tmp / "old") == before
    assert [path.name for path in in_tmp.iterdir()] == ["old"]


def test_too_few_descriptors(herd_process, in_tmp):
    """Without enough file descriptors the line says how many clients would do."""
    done = herd_process("run", "--out", "new", preexec_fn=lambda: limit_descriptors(900))
    (line,) = complaint(done)
    assert "n_clients = 1000" in line
    assert "900" in line
    assert "ulimit -Hn" in line
    assert not (in_tmp / "new").exists()


def limit_descriptors(n):
    """Let a child process have no more than so many."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (n, n))


def test_newer_schema(cli, in_tmp, recovered):
    """A run directory of a later herd is refused, not misread."""
    save_run(recovered, in_tmp / "newer")
    manifest = json.loads((in_tmp / "newer" / MANIFEST).read_text())
    (in_tmp / "newer" / MANIFEST).write_text(json.dumps({**manifest, "schema_version": 99}))
    (line,) = complaint(cli("report", "newer"))
    assert "schema version 99" in line


def test_truncated_files(cli, in_tmp, recovered):
    """Every damaged run directory is named with the file that is damaged."""
    for name in ("one", "two"):
        save_run(recovered, in_tmp / name)
        table = in_tmp / name / "attempts.parquet"
        table.write_bytes(table.read_bytes()[:50])
    lines = complaint(cli("report", "one", "two", "three"))
    assert len(lines) == 3
    assert "one/attempts.parquet" in lines[0]
    assert "two/attempts.parquet" in lines[1]
    assert "three" in lines[2]


@pytest.mark.parametrize("arguments", [["polices"], ["scenarios", "restrat"], ["policies", "fxed"]])
def test_unknown_names(cli, arguments):
    """Unknown commands, scenarios and policies are refused by their name."""
    (line,) = complaint(cli(*arguments))
    assert arguments[-1] in line


def contents(directory):
    """The bytes of every file below a directory."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }
