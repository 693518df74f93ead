"""What of a scenario makes sense at a server that is not ours; nothing is ignored in silence."""

import pytest

from server_stub.config import ServerConfig
from server_stub.outage import Outage
from simulator.errors import TargetError
from simulator.scenario import ClientConfig, Cohort, Scenario, parse
from simulator.scenario_files import load_scenario
from simulator.target import aim
from simulator.target_fit import NEEDS_OUR_SERVER, as_applied, check_fit, not_applied

PLAIN = ["client.sync=none", "client.operation_rate=none"]
"""What makes a built-in scenario fit."""
RESTART = {"outage": (Outage(starts_at=1.0, down_for=1.0),)}


def target(**options):
    """A server on this machine."""
    return aim("ws://127.0.0.1:8000/", **options)


def refusal(scenario, at=None):
    """The lines of the error that this must raise."""
    with pytest.raises(TargetError) as caught:
        check_fit(at or target(), scenario)
    return caught.value.problems


CLIENTS_OWN = {
    *("policy", "connect_timeout", "rtt", "close_codes", "statuses", "retry_after", "outgoing"),
    *("visible_share", "page", "brake", "clients_per_address"),
}
"""What a client does whoever its server is."""
IN_PART = {"heartbeat", "network_monitor"}
"""Ping frames are answered by every server, texts are not; and to wait for the operating system's
word about the network costs the server nothing, while probes do."""
RUNS_OWN = {
    *("name", "description", "seed", "n_clients", "horizon", "grace", "ramp_rate", "settle"),
    *("transport", "outbox", "attempts_limit", "client", "cohort", "compare", "objective"),
}
SERVERS = {"server", "load", "outage", "deploy"}
"""Not applied, and the record says so; or refused."""


def test_every_setting_of_a_client_is_thought_of():
    """A new one must find its place: in this test, or among those that are refused."""
    assert set(ClientConfig.model_fields) == CLIENTS_OWN | IN_PART | set(NEEDS_OUR_SERVER)


def test_every_setting_of_a_scenario_is_thought_of():
    """A new one must find its place here, too."""
    assert set(Scenario.model_fields) == RUNS_OWN | SERVERS


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"sync": "delta"}, "client.sync = delta"),
        ({"operation_rate": 0.5}, "client.operation_rate = 0.5"),
        ({"network_monitor": {}}, "client.network_monitor.interval = 30"),
        ({"heartbeat": {"kind": "application"}}, "client.heartbeat.kind = application"),
    ],
)
def test_what_needs_our_protocol_is_refused(change, place):
    """In one line, which says what to set; and with that set, it runs."""
    scenario = parse({"client": change}, source="test")
    (line,) = refusal(scenario)
    assert line.startswith(f"{place}: not with --target")
    ((table, settings),) = {"client": change}.items()
    changes = [f"{table}.{name}={setting}" for name, setting in flat(settings)]
    fixed = load_scenario("own-server", changes=[*changes, line.rpartition("--set ")[2]])
    check_fit(target(), fixed)


def flat(settings):
    """The settings of a table, with dotted names."""
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from ((f"{name}.{inner}", setting) for inner, setting in flat(value))
        else:
            yield name, value


@pytest.mark.parametrize("policy", ["socket.io", "centrifuge", "robust-websocket"])
def test_the_habits_of_a_library_fit(policy):
    """In the scenario for it, whatever they ping with, and listen to, at home."""
    check_fit(target(), load_scenario("own-server", changes=[f"client.policy={policy}"]))


def test_a_cohort_is_named():
    """Where each has its own settings, the one that does not fit is told."""
    cohorts = (Cohort(name="old", share=0.5), Cohort(name="new", share=0.5, sync="full"))
    (line,) = refusal(Scenario(cohort=cohorts))
    assert line.startswith("cohort new: sync = full")
    assert line.endswith("--set cohort.sync=none")


KINDS = {
    **{kind: {} for kind in ("graceful", "crash", "freeze", "network")},
    "drain": {"drain_over": 1.0},
    "cold": {"slow_factor": 2.0, "cold_for": 1.0},
    "slow": {"slow_factor": 2.0},
    "idle_timeout": {"idle_for": 1.0},
}
"""By kind of outage: what it needs to be set."""
RESTARTS = {"graceful", "crash", "drain", "cold"}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_only_restarts_can_be_asked_for(kind):
    """Nobody can be told to hang or to be slow, and no path is cut."""
    scenario = Scenario(outage=(Outage(kind=kind, starts_at=1.0, down_for=1.0, **KINDS[kind]),))
    if kind in RESTARTS:
        check_fit(target(), scenario)
        return
    (line,) = refusal(scenario)
    assert line.startswith(f"outage.kind = {kind}: not with --target")
    assert set(line.rpartition("allowed: ")[2].split(", ")) == RESTARTS


def test_a_deploy_is_its_owner_s():
    """Somebody else's nodes cannot be replaced one by one, but a command can."""
    (line,) = refusal(load_scenario("rolling-deploy", changes=PLAIN))
    assert line.startswith("deploy: not with --target")
    assert "--restart-command" in line


def test_what_is_run_has_no_server():
    """No nodes to balance over, and no capacity that somebody could believe in."""
    scenario = load_scenario("rolling-deploy", changes=PLAIN)
    applied = as_applied(scenario)
    assert applied.server == ServerConfig()
    assert not applied.is_balanced
    assert (applied.outage, applied.deploy) == ((), ())
    assert (applied.client, applied.horizon) == (scenario.client, scenario.horizon)


def test_what_is_run_has_the_times_of_its_outages():
    """When a command is due; not how the server goes down, or which of its nodes."""
    outage = Outage(kind="crash", starts_at=1.0, down_for=2.0, every=5.0, count=3, nodes=(1,))
    scenario = Scenario(outage=(outage,), server=ServerConfig(nodes=2))
    applied = as_applied(scenario)
    assert [window.starts_at for window in applied.windows] == [1.0, 6.0, 11.0]
    assert not applied.is_balanced
    assert applied.outage[0].kind == "graceful"


def test_the_ceiling_on_clients():
    """It stands for the server's sake, and the line says how to move it."""
    check_fit(target(max_clients=30), Scenario(n_clients=30))
    (line,) = refusal(Scenario(n_clients=31), target(max_clients=30))
    assert line.startswith("n_clients = 31")
    assert "at most 30" in line
    assert "--max-clients" in line


def test_a_restart_command_that_would_never_run():
    """A setting without effect is refused."""
    (line,) = refusal(Scenario(), target(restart_command="true"))
    assert line == "--restart-command: has no effect, the scenario has no [[outage]]"
    check_fit(target(restart_command="true"), Scenario(**RESTART))


def test_the_stub_s_settings_are_noted():
    """Only those that somebody has set: a default describes nothing."""
    assert not_applied(Scenario(), target()) == ()
    scenario = Scenario(server=ServerConfig(workers=7, retry_after=3.0), **RESTART)
    settings, outages = not_applied(scenario, target())
    assert settings.endswith("server.workers, server.retry_after")
    assert "by hand" in outages
    _, outages = not_applied(scenario, target(restart_command="true"))
    assert "all but when it starts" in outages


def test_the_scenario_for_it_fits():
    """As it is built in, with and without a command."""
    scenario = load_scenario("own-server")
    check_fit(target(), scenario)
    check_fit(target(restart_command="true"), scenario)
    assert len(not_applied(scenario, target())) == 1


def test_several_herds_at_once():
    """What is wrong with each is told once: a comparison must not fail half-way."""
    fitting, bad = Scenario(), Scenario(client=ClientConfig(sync="full"))
    worse = Scenario(client=ClientConfig(sync="full", operation_rate=1.0))
    with pytest.raises(TargetError) as caught:
        check_fit(target(), fitting, bad, worse)
    assert [line.split(" = ")[0] for line in caught.value.problems] == [
        "client.sync",
        "client.operation_rate",
    ]
