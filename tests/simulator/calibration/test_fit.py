"""A server's settings from what its clients saw: the stub's are known, and found again."""

import math

import numpy as np
import pytest

from simulator import run
from simulator.calibration import fit_run
from simulator.calibration.dials import Dials
from simulator.calibration.line import replay
from simulator.errors import InputError
from simulator.scenario_files import load_scenario


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A function that runs `restart` with changes, each once."""
    known = {}

    def record(*changes):
        if changes not in known:
            out = tmp_path_factory.mktemp("runs") / "run"
            scenario = load_scenario("restart", changes=changes)
            known[changes] = run(scenario, engine="model", out=out)
        return known[changes]

    return record


SMALL = ("n_clients=400", "client.sync=none", "client.operation_rate=none")


def fitted(recorded, *changes):
    """What is fitted to a small run with these changes."""
    return fit_run(recorded(*SMALL, *changes), source="a run")


@pytest.mark.parametrize(
    ("workers", "mean", "cv"), [(2, 0.02, 0.5), (5, 0.05, 0.2), (1, 0.008, 0.1)]
)
def test_workers_and_service_time_are_found_within_a_tenth(recorded, workers, mean, cv):
    """Under jitter the last clients find the server idle, and the first ones busy."""
    found = fitted(
        recorded,
        "n_clients=1000",
        f"server.workers={workers}",
        f"server.service_time.mean={mean}",
        f"server.service_time.cv={cv}",
    )
    assert found.workers == workers
    assert found.capacity == pytest.approx(workers / mean, rel=0.1)
    assert found.server.service_time.mean == pytest.approx(mean, rel=0.1)


@pytest.mark.parametrize("backlog", [40, 150])
def test_the_backlog_is_found_within_a_tenth(recorded, backlog):
    """All come at one instant, and some find no place."""
    found = fitted(recorded, "client.policy=exponential", f"server.backlog={backlog}")
    inside = found.server.backlog + found.server.workers
    assert inside == pytest.approx(backlog + 2, rel=0.1)
    assert found.overflow == "reject"


def test_a_server_that_resets_is_told_from_one_that_rejects(recorded):
    """By what those meet for whom there is no place."""
    found = fitted(
        recorded, "client.policy=exponential", "server.backlog=40", "server.overflow=reset"
    )
    assert found.overflow == "reset"


@pytest.mark.parametrize("policy", ["exponential-full-jitter", "exponential", "fixed"])
@pytest.mark.parametrize("abandoned", ["serve", "skip"])
def test_whether_service_is_spent_on_who_gave_up_is_found(recorded, abandoned, policy):
    """It shows in who is served in time behind them."""
    found = fitted(
        recorded,
        "n_clients=1000",
        "client.connect_timeout=1.0",
        f"client.policy={policy}",
        f"server.abandoned={abandoned}",
    )
    assert found.abandoned == abandoned


def test_without_anybody_who_gave_up_it_is_not_told(recorded):
    """Then nothing depends on it either."""
    assert fitted(recorded, "n_clients=200", "client.connect_timeout=none").abandoned is None


def test_without_a_quiet_stretch_only_the_capacity_is_told(recorded):
    """In lockstep nobody comes alone, so workers and service time are one number."""
    found = fitted(recorded, "client.policy=fixed")
    assert found.workers is None
    assert found.capacity == pytest.approx(100, rel=0.1)
    assert found.capacity_low < 100 < found.capacity_high
    assert any("only the capacity" in remark for remark in found.remarks)
    assert found.server.workers == 1


def test_a_server_that_was_never_busy_gives_a_lower_bound(recorded):
    """Spread over minutes, 400 clients are no load; what it could do is not known."""
    found = fitted(
        recorded,
        'client.policy={name="exponential-full-jitter",base=30.0,cap=30.0}',
        "server.workers=50",
    )
    assert math.isinf(found.capacity_high)
    assert any("not its limit" in remark for remark in found.remarks)


def test_the_table_is_one_that_a_scenario_can_have(recorded, tmp_path):
    """What is printed is read back as the same server."""
    found = fitted(recorded)
    file = tmp_path / "server.toml"
    file.write_text(found.to_toml())
    server = load_scenario(file).server
    assert server.workers == found.server.workers
    assert server.service_time.mean == pytest.approx(found.server.service_time.mean, rel=1e-4)
    assert server.backlog == found.server.backlog


def test_a_run_without_connects_is_refused(recorded):
    """There is nothing to fit to."""
    with pytest.raises(InputError, match="allowed: at least 30"):
        fit_run(recorded("n_clients=20"), source="runs/x")


# The replay


def dials(*, arrived_at, answered_at, gave_up):
    """Dials nobody of whom was turned away."""
    n = len(arrived_at)
    gave_up = np.array(gave_up)
    return Dials(
        arrived_at=np.array(arrived_at, dtype=float),
        answered_at=np.array(answered_at, dtype=float),
        connected=~gave_up,
        turned_away=np.zeros(n, dtype=bool),
        gave_up=gave_up,
        was_reset=False,
    )


def test_a_replay_serves_in_order_of_arrival():
    """Three at once at one worker of 1 s: they leave after 1, 2 and 3 s."""
    line = replay(
        dials(arrived_at=[0, 0, 0], answered_at=[1, 2, 3], gave_up=[False] * 3),
        n_workers=1,
        service_time=1.0,
        skips=False,
    )
    assert line.leaves_at.tolist() == [1, 2, 3]
    assert line.n_inside.tolist() == [0, 1, 2]


@pytest.mark.parametrize(("skips", "last"), [(False, 3.0), (True, 2.0)])
def test_a_replay_spends_nothing_on_who_is_skipped(skips, last):
    """The second has left before its turn."""
    line = replay(
        dials(arrived_at=[0, 0, 0], answered_at=[1, 0.5, 3], gave_up=[False, True, False]),
        n_workers=1,
        service_time=1.0,
        skips=skips,
    )
    assert line.leaves_at[-1] == last
