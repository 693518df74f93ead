"""The `herd` command, as a process of its own or within this one."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from simulator.cli import main

TINY = (
    "--clients=50",
    "--set=horizon=4",
    "--set=outage.starts_at=0.5",
    "--set=outage.down_for=0.5",
    "--set=settle=0.3",
    "--set=ramp_rate=2000",
    "--set=server.workers=20",
)
"""A run of a few seconds."""


@pytest.fixture
def program():
    """How `herd` is started."""
    return (sys.executable, "-m", "simulator.cli")


@pytest.fixture
def in_tmp(tmp_path, monkeypatch):
    """A working directory of one's own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def own_module(in_tmp, monkeypatch):
    """Write a module into the working directory; gives its name, which no other module has."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    written = []

    def write(*lines):
        name = f"{in_tmp.name}_{len(written)}".replace("-", "_")
        text = "\n".join(["from simulator import Policy", *lines, ""])
        (in_tmp / f"{name}.py").write_text(text)
        written.append(name)
        return name

    yield write
    for name in written:
        sys.modules.pop(name, None)


@pytest.fixture
def herd_process(in_tmp, program):
    """Run `herd ARGUMENTS` in a process; gives exit code, stdout and stderr."""

    def run(*arguments, **settings):
        return subprocess.run(
            [*program, *map(str, arguments)],
            cwd=in_tmp,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
            **settings,
        )

    return run


@pytest.fixture
def cli(in_tmp, capsys):
    """Run `herd ARGUMENTS` within this process; gives exit code, stdout and stderr."""

    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return SimpleNamespace(returncode=code, stdout=out, stderr=err)

    return run


@pytest.fixture
def tiny():
    """Options that make a live run short."""
    return TINY
