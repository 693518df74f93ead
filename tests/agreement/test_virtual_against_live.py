"""The virtual engine against the live one: the same herd, the same draws, the same recovery.

What differs is what a real machine adds: the time to send and read a burst, which smears a wave by
a few hundredths of a second at this size. It moves a client by a place or two in the queue, so the
tolerance is a tenth of the time in which the server serves them all (the floor): many times that
smear, and far below what another policy or another rule would change.
"""

import numpy as np
import pytest

from simulator.engines import live, virtual
from simulator.metrics import summarise
from simulator.run_directory import prepare_directory
from simulator.scenario_files import load_scenario

TRIES = 3
"""A live run on a machine that is busy elsewhere is inconclusive; so many are made."""


def trustworthy(scenario, directory):
    """A live run whose verdict is ok; without one there is nothing to compare."""
    for turn in range(TRIES):
        out = directory / f"live-{turn}"
        prepare_directory(out)
        result = live.run(scenario, out=out, n_workers=1)
        if summarise(result)["verdict"] == "ok":
            return result
    pytest.fail(f"inconclusive: the machine was too busy for {TRIES} live runs")


def reconnect_times(result):
    """Seconds from loss to connection, by client; every client lost its connection once."""
    back = (result.attempts["episode"] == 1) & (result.attempts["outcome"] == 0)
    order = np.argsort(result.attempts["client"][back])
    lost = np.argsort(result.disconnects["client"])
    broke_at = result.disconnects["broke_at"][lost]
    return result.attempts["ended_at"][back][order] - broke_at


@pytest.mark.parametrize("policy", ["exponential-equal-jitter", "exponential-full-jitter"])
def test_reconnect_times_agree(tmp_path, policy):
    """Quantiles of the reconnect time, the number of attempts and the waste are alike."""
    scenario = load_scenario(
        changes=[
            "n_clients=300",
            "horizon=25",
            "ramp_rate=300",
            "settle=0.5",
            "server.workers=2",
            "server.backlog=400",
            "outage.0.starts_at=0.5",
            "outage.0.down_for=2",
            f"client.policy={policy}",
        ]
    )
    prepare_directory(tmp_path / "virtual")
    real = trustworthy(scenario, tmp_path)
    exact = virtual.run(scenario, out=tmp_path / "virtual")
    measured, expected = summarise(real), summarise(exact)
    shares = [0.1, 0.25, 0.5, 0.75, 0.9, 1.0]
    times = [np.quantile(reconnect_times(result), shares) for result in (real, exact)]
    print(policy, "live", times[0].round(2), "virtual", times[1].round(2))
    assert measured["n_recovered"] == expected["n_recovered"] == 300
    assert times[0] == pytest.approx(times[1], abs=0.1 * expected["floor"])
    assert measured["n_attempts"] == pytest.approx(expected["n_attempts"], rel=0.05)
    assert measured["wasted_share"] == pytest.approx(expected["wasted_share"], abs=0.05)
