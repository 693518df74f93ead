"""A sweep on a Dask cluster, of processes here and of machines that only the network joins."""

import builtins
import shutil
import subprocess
import sys
import time

import pytest

from simulator import sweep
from simulator.errors import InputError

distributed = pytest.importorskip("distributed")
VARY = ["n_clients=20,40"]
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


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_gives_what_this_machine_gives(tmp_path, small):
    """A real one, of processes."""
    options = {"vary": VARY, "changes": small[1:], "replications": 2}
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as cluster:
        there = sweep(dask=cluster.scheduler_address, out=tmp_path / "there", **options)
    here = sweep(workers=1, out=tmp_path / "here", **options)
    assert there.rows == here.rows


def test_a_cluster_that_does_not_answer_is_one_line(tmp_path):
    """Within seconds, and nothing is left behind."""
    began_at = time.monotonic()
    with pytest.raises(InputError) as caught:
        sweep(vary=VARY, dask="tcp://127.0.0.1:1", out=tmp_path / "out")
    assert str(caught.value).startswith("--dask = tcp://127.0.0.1:1: ")
    assert "\n" not in str(caught.value)
    assert time.monotonic() - began_at < 60
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("address", ["nonsense://x", "tcp://"])
def test_an_address_that_is_none_is_one_line(tmp_path, address):
    """Likewise."""
    with pytest.raises(InputError, match="--dask = "):
        sweep(vary=VARY, dask=address, out=tmp_path / "out")


def test_without_the_extra_it_says_what_to_install(tmp_path, monkeypatch):
    """One line."""
    real_import = builtins.__import__

    def bare_import(name, *arguments, **options):
        if name.split(".")[0] == "distributed":
            raise ImportError(name)
        return real_import(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", bare_import)
    with pytest.raises(InputError, match=r"pip install 'thundering-herd\[distributed\]'"):
        sweep(vary=VARY, dask="tcp://127.0.0.1:1", out=tmp_path / "out")


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_that_only_the_network_joins(tmp_path, small, spread_cluster):
    """A scheduler and two workers in namespaces of their own."""
    with distributed.Client(spread_cluster, timeout=60, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
        hosts = {worker["host"] for worker in client.scheduler_info(-1)["workers"].values()}
    assert hosts == {"10.213.0.2", "10.213.0.3"}
    options = {"vary": VARY, "changes": small[1:], "replications": 2}
    there = sweep(dask=spread_cluster, out=tmp_path / "there", **options)
    assert there.rows == sweep(workers=1, out=tmp_path / "here", **options).rows
