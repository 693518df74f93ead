"""Real runs against a server that is not ours: the `websockets` library's, in its own process.

What is asserted holds at any speed: which clients lost what, and how they noticed; what the server
was doing is done in answer to what the herd reports, not after so many seconds.
"""

import shutil
import signal
import socket

import numpy as np
import pytest
import trustme

from server_stub.config import ServerConfig
from server_stub.outage import Outage
from simulator.core.backoff import Policy
from simulator.core.outcomes import Cause, NoticedBy, Outcome
from simulator.engines import live
from simulator.engines.live.knocking import first_open
from simulator.engines.live.way import Way
from simulator.errors import RunFailedError, TargetError
from simulator.inference import BURST
from simulator.metrics import summarise
from simulator.results import select
from simulator.run_directory import load_run
from simulator.scenario import ClientConfig, HeartbeatConfig, Scenario
from simulator.target import aim

N_CLIENTS = 30
ACCESS = {"headers": ["Authorization: Bearer letmein"], "subprotocols": ["chat.v1"]}
"""What the server wants to see."""


@pytest.fixture
def server(foreign_server):
    """A server that listens."""
    server = foreign_server()
    server.start()
    return server


def herd(*, transport="wsproto", n_outages=1, heartbeat=None, n_clients=N_CLIENTS, **settings):
    """Few clients, quick to come back; the run is over when they are, after so many outages."""
    return Scenario(
        n_clients=n_clients,
        horizon=settings.pop("horizon", 90.0),
        ramp_rate=1000.0,
        settle=0.3,
        transport=transport,
        outage=tuple(Outage(starts_at=turn * 0.2, down_for=0.1) for turn in range(n_outages)),
        client=ClientConfig(
            policy=Policy(base=0.2, cap=0.5, jitter="full"),
            connect_timeout=3.0,
            rtt=0.005,
            heartbeat=heartbeat,
        ),
        **settings,
    )


class Hand:
    """Does one thing after the other to the server, each once its condition holds."""

    def __init__(self, *steps):
        self._steps = list(steps)
        self._before = None

    def __call__(self, progress):
        """Told of the progress several times a second."""
        if progress.at < 0 or not self._steps:
            return
        condition, action = self._steps[0]
        if condition(progress, self._before):
            self._steps.pop(0)
            self._before = progress
            action()


def everybody(progress, before):
    """The whole herd is connected."""
    return progress.n_connected == progress.n_clients


def everybody_for_long(progress, before):
    """The whole herd is connected, and what comes now is no part of the last wave."""
    return everybody(progress, before) and progress.at > before.at + BURST


def nobody(progress, before):
    """Everybody knows that the connection is lost."""
    return progress.n_connected == 0


def nobody_and_all_have_tried(progress, before):
    """Nor has anybody got through since, in as many attempts as there are clients."""
    n_tried = progress.n_attempts - before.n_attempts
    return nobody(progress, before) and n_tried >= progress.n_clients


def back_for_good(result):
    """Every client's last attempt got through, and it has lost nothing since."""
    made = select(result.attempts, result.attempts["outcome"] == Outcome.CONNECTED)
    n_made = np.bincount(made["client"], minlength=result.scenario.n_clients)
    n_lost = np.bincount(result.disconnects["client"], minlength=result.scenario.n_clients)
    return bool(np.all(n_made == n_lost + 1))


def test_two_restarts_by_hand(server, tmp_path):
    """SIGTERM, then SIGKILL: each is an outage, noticed as such a server goes down."""
    scenario = herd(n_outages=2)
    hand = Hand(
        (everybody, lambda: server.end(signal.SIGTERM)),
        (nobody_and_all_have_tried, server.start),
        (everybody_for_long, lambda: server.end(signal.SIGKILL)),
        (nobody_and_all_have_tried, server.start),
    )
    target = aim(server.url, identify=True, **ACCESS)
    result = live.run(scenario, out=tmp_path, n_workers=2, target=target, watch=hand)

    assert result.manifest.ended_because.startswith("everybody is back")
    assert back_for_good(result)
    assert len(result.outages["outage"]) == 2
    assert set(result.to_pandas("outages")["kind"]) == {"server_lost"}
    for outage, (noticed_by, code) in enumerate(
        [({NoticedBy.CLOSE_FRAME}, 1001), ({NoticedBy.EOF, NoticedBy.RESET}, 1006)]
    ):
        lost = select(result.disconnects, result.disconnects["outage"] == outage)
        assert sorted(lost["client"]) == list(range(N_CLIENTS))
        assert set(lost["noticed_by"]) <= noticed_by
        assert set(lost["close_code"]) == {code}
        assert set(lost["cause"]) == {Cause.SERVER_LOST}
        assert np.array_equal(lost["broke_at"], lost["noticed_at"])
    for starts_at, ends_at in zip(
        result.outages["starts_at"], result.outages["ends_at"], strict=True
    ):
        meanwhile = (result.attempts["started_at"] > starts_at) & (
            result.attempts["ended_at"] < ends_at
        )
        assert np.count_nonzero(meanwhile) >= N_CLIENTS
        assert set(result.attempts["outcome"][meanwhile]) <= {Outcome.REFUSED, Outcome.RESET}
    check_what_is_not_known(result, tmp_path)


def check_what_is_not_known(result, out):
    """The server keeps no record: what rests on it is unmeasured, and all is read back as it is."""
    assert result.manifest.target == f"ws://127.0.0.1:{result.manifest.target.split(':')[-1]}"
    assert result.manifest.target.endswith("/chat")
    assert len(result.server["at"]) == len(result.services["at"]) == 0
    summary = summarise(result)
    assert {
        *("floor", "binding_stage", "peak_backlog", "wasted_share", "metastable"),
        *("server_lag_p99", "detection_time_p99", "peak_arrival_rate_up_1s", "n_events_missed"),
    } <= set(summary["unmeasured"])
    assert summary["recovered_share"] == 1.0
    assert set(summary["outages"]) == {"0", "1"}
    loaded = load_run(out)
    assert loaded.manifest.model_dump(mode="json") == result.manifest.model_dump(mode="json")
    for name in ("attempts", "disconnects", "outages"):
        for column, values in result.table(name).items():
            assert np.array_equal(loaded.table(name)[column], values)


def test_a_server_that_hangs(server, tmp_path):
    """SIGSTOP: only heartbeats notice, whoever dials waits; SIGCONT, and everybody gets in."""
    scenario = herd(
        transport="trio-websocket", heartbeat=HeartbeatConfig(interval=0.5, timeout=1.5)
    )
    out, snapshot = tmp_path / "run", tmp_path / "snapshot"
    hand = Hand(
        (everybody, lambda: server.tell(signal.SIGSTOP)),
        (nobody, lambda: shutil.copytree(out, snapshot)),
        (nobody, lambda: server.tell(signal.SIGCONT)),
    )
    target = aim(server.url, **ACCESS)
    result = live.run(scenario, out=out, n_workers=1, target=target, watch=hand)
    assert back_for_good(result)
    silent = result.disconnects["noticed_by"] == NoticedBy.HEARTBEAT
    assert set(result.disconnects["client"][silent]) == set(range(N_CLIENTS))
    assert len(result.outages["outage"]) >= 1
    starts_at = result.outages["starts_at"][0]
    assert starts_at == result.disconnects["noticed_at"][0]
    assert np.isfinite(result.outages["ends_at"][0])
    assert "detection_time_p50" in summarise(result)["unmeasured"]
    if_killed = load_run(snapshot)  # As it would have been left then.
    assert if_killed.manifest.target == result.manifest.target
    assert len(if_killed.outages["outage"]) <= 1


def test_over_tls_and_ipv6_under_a_ceiling(foreign_server, tmp_path):
    """wss:// at ::1; twenty connects a second for twenty clients, and the wait is the herd's."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate = tmp_path / "server.pem"
    authority.issue_cert("::1").private_key_and_cert_chain_pem.write_to_path(certificate)
    server = foreign_server("::1", certificate)
    server.start()
    target = aim(server.url, cafile=tmp_path / "ca.pem", max_connects=20.0, **ACCESS)
    hand = Hand(
        (everybody, lambda: server.end(signal.SIGKILL)),
        (nobody, server.start),
    )
    scenario = herd(n_clients=20, server=ServerConfig(nodes=3, workers=7))
    of_a_proxy = scenario.client.model_copy(update={"clients_per_address": 5})
    result = live.run(
        scenario.model_copy(update={"client": of_a_proxy}),
        out=tmp_path / "run",
        n_workers=2,
        target=target,
        watch=hand,
    )
    assert back_for_good(result)
    dialled_at = np.sort(result.attempts["started_at"])
    assert busiest_second(dialled_at) <= 2 * (10 + 1)  # Two workers with half the ceiling each.
    assert result.manifest.n_held_back > 0
    notes = "; ".join(result.manifest.notes)
    assert "the ceiling on connects held" in notes
    assert {"server.workers", "server.nodes"} <= set(
        notes.replace(",", "").replace(";", "").split()
    )
    assert result.scenario.server == ServerConfig()
    assert summarise(result)["verdict"] != "ok"


def busiest_second(instants):
    """Most of them within any second."""
    return int((np.searchsorted(instants, instants + 1.0) - np.arange(instants.size)).max())


# What goes wrong before anything runs


def refusal(target, tmp_path, scenario=None):
    """The one line of the error that this must raise; nothing was written."""
    with pytest.raises(TargetError) as caught:
        live.run(scenario or herd(), out=tmp_path, n_workers=1, target=target)
    assert list(tmp_path.iterdir()) == []
    (line,) = caught.value.problems
    return line


def test_nobody_listens(foreign_server, tmp_path):
    """The line names the address and the port."""
    port = foreign_server().port
    line = refusal(aim(f"ws://localhost:{port}/chat?token=x"), tmp_path)
    assert line.startswith(f"--target = ws://localhost:{port}/chat: nobody listens at ")
    assert f"127.0.0.1, port {port}" in line


def test_the_next_address_is_tried(server):
    """A name of this machine stands for two, and many servers listen at one of them only."""

    def resolve(host, port, *, type):
        assert (host, type) == ("localhost", socket.SOCK_STREAM)
        return [(None, type, 6, "", (each, port)) for each in ("::1", "127.0.0.1")]

    target = aim(f"ws://localhost:{server.port}/chat?room=1", resolve=resolve, **ACCESS)
    ways = [
        Way(
            addresses=[(address, target.port)],
            host=target.authority,
            path_of=target.path_of,
            headers=target.headers,
            subprotocols=target.subprotocols,
        )
        for address in target.addresses
    ]
    assert first_open(target, ways, "wsproto") is ways[1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"headers": ()}, "401 Unauthorized"),
        ({"path": "/"}, "404 Not Found"),
        ({"subprotocols": ()}, "400 Bad Request"),
        ({"scheme": "wss"}, "no TLS"),
    ],
)
def test_a_server_that_lets_nobody_in(server, tmp_path, change, said):
    """What the first client met is told, rather than that the whole herd was not let in."""
    url = server.url
    if "path" in change:
        url = url.replace("/chat?room=1", change["path"])
    if "scheme" in change:
        url = url.replace("ws://", "wss://")
    access = {**ACCESS, **{name: change[name] for name in ACCESS if name in change}}
    assert said in refusal(aim(url, **access), tmp_path)


def test_what_does_not_fit_is_refused_before_anybody_knocks(tmp_path):
    """The server need not even be there."""
    scenario = herd().model_copy(update={"client": ClientConfig(sync="delta")})
    line = refusal(aim("ws://127.0.0.1:9/"), tmp_path, scenario)
    assert line.startswith("client.sync = delta")


def test_a_server_that_goes_away_while_the_herd_assembles(server, tmp_path, monkeypatch):
    """The run fails, and what was recorded is kept."""
    monkeypatch.setattr("simulator.engines.live.engine.START_TIMEOUT", 0.1)
    scenario = herd(n_clients=40)
    target = aim(server.url, max_connects=20.0, **ACCESS)
    gone = []

    def leave(progress):
        if progress.n_connected >= 5 and not gone:
            gone.append(True)
            server.end()

    with pytest.raises(RunFailedError, match="of 40 clients were connected"):
        live.run(scenario, out=tmp_path, n_workers=1, target=target, watch=leave)
    loaded = load_run(tmp_path)
    assert loaded.manifest.failure
    assert np.count_nonzero(loaded.attempts["outcome"] == Outcome.CONNECTED) >= 5
