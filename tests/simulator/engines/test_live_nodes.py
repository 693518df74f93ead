"""Real runs with several nodes, small ones: a port for each, deploys, nodes that are added."""

import numpy as np
import pytest

from server_stub.autoscale import Autoscale
from server_stub.config import ServerConfig, ServiceTime
from server_stub.deploy import Deploy
from server_stub.outage import Outage
from simulator.core.backoff import Policy
from simulator.core.outcomes import Outcome
from simulator.engines import live
from simulator.metrics import summarise
from simulator.metrics.nodes import connections_by_node
from simulator.scenario import ClientConfig, Scenario

N_CLIENTS = 60


def herd(*, server=None, **fields):
    """Few clients, three fast nodes; the horizon is far away."""
    return Scenario(
        n_clients=N_CLIENTS,
        ramp_rate=2000.0,
        settle=0.3,
        server=ServerConfig(
            nodes=3,
            workers=20,
            service_time=ServiceTime(kind="constant", mean=0.002),
            **(server or {}),
        ),
        client=ClientConfig(
            policy=Policy(base=0.2, cap=0.5, jitter="full"),
            connect_timeout=2.0,
            rtt=0.005,
            heartbeat=None,
        ),
        **fields,
    )


def test_a_rolling_deploy_on_real_sockets(tmp_path):
    """Each node is replaced, the fourth place taken and the third left; everybody is back."""
    deploy = Deploy(
        starts_at=0.3,
        max_surge=1,
        max_unavailable=0,
        ready_after=0.4,
        endpoint_removal_lag=0.1,
        pre_stop=0.5,
        drain_over=0.3,
    )
    result = live.run(herd(deploy=(deploy,)), out=tmp_path / "run", n_workers=2)
    assert result.outages["node"].tolist() == [0, 1, 2]
    assert set(result.attempts["node"]) == {0, 1, 2, 3}
    held = connections_by_node(result).counts[:, -1]
    assert held.sum() == N_CLIENTS
    assert held[2] == 0
    assert min(held[[0, 1, 3]]) > 0
    summary = summarise(result)
    # Two balancers deal each their own clients; beyond that as closely as in virtual time.
    assert summary["disconnects_per_client"] == pytest.approx((4 / 3) ** 3 - 1, abs=0.15)


def test_a_crash_of_one_node_and_the_node_that_is_added(tmp_path):
    """Only its clients are lost; the new node gets some of those who come once it is ready."""
    server = {
        "autoscale": Autoscale(target_connections=10, most=4, every=0.5, ready_after=1.0),
        "health_check": {"unhealthy_after": 0.1, "healthy_after": 0.1},
    }
    outages = (
        Outage(kind="crash", starts_at=0.3, down_for=0.5, nodes=(1,)),
        Outage(kind="crash", starts_at=2.5, down_for=0.5, nodes=(0,)),
    )
    result = live.run(herd(server=server, outage=outages), out=tmp_path / "run", n_workers=2)
    ((node, starts_at, ready_at),) = result.manifest.nodes_added
    assert (node, starts_at, ready_at) == (3, 0.5, 1.5)
    lost = result.disconnects
    assert set(lost["node"][lost["outage"] == 0]) == {1}
    assert np.count_nonzero(lost["outage"] == 0) == N_CLIENTS // 3
    to_the_new = result.attempts["node"] == 3
    assert result.attempts["started_at"][to_the_new].min() >= 1.5
    assert Outcome.CONNECTED in result.attempts["outcome"][to_the_new]
    assert connections_by_node(result).counts[:, -1].sum() == N_CLIENTS
