"""`herd doctor` and `herd bench`."""

import json
from dataclasses import replace

import pytest

from simulator import machine


def test_doctor(cli):
    """Every limit is shown, for people and for programs alike."""
    done = cli("doctor")
    found = json.loads(cli("doctor", "--json").stdout)
    assert len(found["findings"]) >= 6
    for finding in found["findings"]:
        assert finding["what"] in done.stdout
    assert done.returncode == (0 if found["ok"] else 2)


def test_doctor_refers_to_what_is_missing(cli, monkeypatch):
    """A machine that cannot run the default scenario gives exit code 2 and what to do."""
    poor = replace(machine.inspect(), n_descriptors=256, max_descriptors=512, n_cores=1)
    monkeypatch.setattr(machine, "inspect", lambda: poor)
    done = cli("doctor")
    assert done.returncode == 2
    assert "ulimit -Hn" in done.stdout
    assert "cannot run restart" in done.stdout


def test_bench(herd_process):
    """Every transport is measured beside the bare socket."""
    done = herd_process(
        "bench", "--clients", "40", "--storm", "200", "--storm", "400", "--json", "--quiet"
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    rows = {row["client"]: row for row in found["transports"]}
    assert set(rows) == {"bare", "wsproto", "trio-websocket"}
    assert rows["bare"]["rate_to_bare"] == 1.0
    assert all(row["connects_per_cpu_second"] > 0 for row in rows.values())
    engines = {row["engine"]: row for row in found["engines"]}
    assert engines["bare"]["rate_to_bare"] == 1.0
    assert engines["virtual"]["client_seconds_per_cpu_second"] > 0
    storms = [(row["subject"], row["n_clients"]) for row in found["models"]]
    assert storms == [("model", 200), ("model", 400), ("simpy", 400)]
    for row in found["models"]:
        assert 7 < row["attempts_per_client"] < 11
        assert row["attempts_per_cpu_second"] > 0
    assert found["models"][-1]["rate_to_simpy"] == 1.0


def test_bench_refuses_a_storm_of_nobody(cli):
    """In one line, before anything is measured."""
    done = cli("bench", "--storm", "0")
    assert done.returncode == 2
    assert "storm = 0" in done.stderr


@pytest.mark.parametrize("clients", ["0", "10000000"])
def test_bench_refuses(cli, clients):
    """A number of clients that makes no sense, or does not fit this machine, is refused."""
    done = cli("bench", "--clients", clients)
    assert done.returncode == 2
    assert f"clients = {clients}" in done.stderr
