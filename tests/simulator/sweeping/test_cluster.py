"""A sweep on a Dask cluster, of processes here and of machines that only the network joins."""

import builtins
import shutil
import subprocess
import sys

import pytest

from simulator import load_sweep, sweep
from simulator.errors import InputError

VARY = "n_clients=20,40"
NAMESPACES = ("herd-sched", "herd-work-1", "herd-work-2")
SCHEDULER = "tcp://10.213.0.1:8786"


def ip(*arguments, check=True):
    """Change the network of this machine."""
    return subprocess.run(["ip", *map(str, arguments)], check=check, capture_output=True)


@pytest.fixture
def namespaces():
    """Three machines on one network, as far as they can tell; this process stays outside."""
    if shutil.which("ip") is None or ip("netns", "add", NAMESPACES[0], check=False).returncode:
        pytest.skip("network namespaces need iproute2, and the right to make them")
    try:
        ip("link", "add", "herdbr", "type", "bridge")
        ip("addr", "add", "10.213.0.254/24", "dev", "herdbr")
        ip("link", "set", "herdbr", "up")
        for number, name in enumerate(NAMESPACES, start=1):
            if number > 1:
                ip("netns", "add", name)
            ip(
                "link",
                "add",
                f"herdv{number}",
                "type",
                "veth",
                "peer",
                "name",
                "eth0",
                "netns",
                name,
            )
            ip("link", "set", f"herdv{number}", "master", "herdbr", "up")
            ip("-n", name, "addr", "add", f"10.213.0.{number}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield NAMESPACES
    finally:
        for name in NAMESPACES:
            ip("netns", "del", name, check=False)
        ip("link", "del", "herdbr", check=False)


@pytest.fixture
def spread_cluster(namespaces):
    """A scheduler and two workers that only the network joins."""
    dask = [sys.executable, "-m", "distributed.cli"]
    commands = {
        namespaces[0]: ["dask_scheduler", "--port", "8786", "--no-dashboard"],
        namespaces[1]: ["dask_worker", SCHEDULER, "--nthreads", "1", "--no-dashboard"],
        namespaces[2]: ["dask_worker", SCHEDULER, "--nthreads", "1", "--no-dashboard"],
    }
    processes = [
        subprocess.Popen(
            ["ip", "netns", "exec", name, *dask[:2], f"distributed.cli.{module}", *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for name, (module, *options) in commands.items()
    ]
    yield SCHEDULER
    for process in reversed(processes):
        process.terminate()
    for process in processes:
        process.wait()


LOCAL_CLUSTER = """
import sys
from distributed import LocalCluster
if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def local_cluster(tmp_path):
    """A scheduler and two workers, processes of this machine."""
    script = tmp_path / "cluster.py"
    script.write_text(LOCAL_CLUSTER)
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        yield process.stdout.readline().strip()
        process.stdin.close()


def herd_sweep(*arguments):
    """The command in a process of its own: Dask's threads outlive what they were made for."""
    return subprocess.run(
        [sys.executable, "-m", "simulator.cli", "sweep", "--vary", VARY, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def rows_of(address, out, small):
    """What a cluster makes of a small grid."""
    settings = [text for change in small[1:] for text in ("--set", change)]
    ended = herd_sweep(*settings, "--replications", 2, "--dask", address, "--out", out)
    assert ended.returncode == 0, ended.stderr
    return load_sweep(out).rows


def rows_here(out, small):
    """What this machine makes of it."""
    return sweep(vary=[VARY], changes=small[1:], replications=2, workers=1, out=out).rows


def test_a_cluster_gives_what_this_machine_gives(tmp_path, small, local_cluster):
    """A real one, of processes."""
    there = rows_of(local_cluster, tmp_path / "there", small)
    assert there == rows_here(tmp_path / "here", small)


def test_a_cluster_that_only_the_network_joins(tmp_path, small, spread_cluster):
    """A scheduler and two workers in namespaces of their own."""
    there = rows_of(spread_cluster, tmp_path / "there", small)
    assert there == rows_here(tmp_path / "here", small)


def test_a_cluster_that_does_not_answer_is_one_line(tmp_path):
    """Within seconds, with exit code 2, and nothing is left behind."""
    address = "tcp://127.0.0.1:1"
    ended = herd_sweep("--dask", address, "--out", tmp_path / "out")
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"herd: --dask = {address}: ")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("address", ["nonsense://x:1", "tcp://", "host:8786", "tcp://host"])
def test_an_address_that_is_none_is_one_line(tmp_path, address):
    """Nobody is asked."""
    with pytest.raises(InputError, match="allowed: the scheduler's, as tcp://HOST:8786"):
        sweep(vary=[VARY], dask=address, out=tmp_path / "out")


def test_without_the_extra_it_says_what_to_install(tmp_path, monkeypatch):
    """One line."""
    real_import = builtins.__import__

    def bare_import(name, *arguments, **options):
        if name.split(".")[0] == "distributed":
            raise ImportError(name)
        return real_import(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", bare_import)
    with pytest.raises(InputError, match=r"pip install 'thundering-herd\[distributed\]'"):
        sweep(vary=[VARY], dask="tcp://127.0.0.1:1", out=tmp_path / "out")
