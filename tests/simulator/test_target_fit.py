"""What of a scenario makes sense at a server that is not ours; nothing is ignored in silence."""

import pytest

from server_stub.config import ServerConfig
from server_stub.outage import Outage
from simulator.errors import TargetError
from simulator.scenario import ClientConfig, Cohort, Scenario, parse
from simulator.scenario_files import load_scenario
from simulator.target import aim
from simulator.target_fit import NEEDS_OUR_SERVER, check_fit, not_applied

RESTART = {"outage": (Outage(starts_at=1.0, down_for=1.0),)}


def target(**options):
    """A server on this machine."""
    return aim("ws://127.0.0.1:8000/", **options)


def refusal(scenario, at=None):
    """The lines of the error that this must raise."""
    with pytest.raises(TargetError) as caught:
        check_fit(scenario, at or target())
    return caught.value.problems


CLIENTS_OWN = {
    *("policy", "connect_timeout", "rtt", "close_codes", "outgoing", "visible_share", "brake"),
}
"""What a client does whoever its server is."""
IN_PART = {"heartbeat"}
"""Ping frames are answered by every server, texts are not."""
RUNS_OWN = {
    *("name", "description", "seed", "n_clients", "horizon", "grace", "ramp_rate", "settle"),
    *("transport", "outbox", "client", "cohort", "compare", "objective"),
}
SERVERS = {"server", "outage"}
"""Not applied, and the record says so."""


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
        ({"network_monitor": {}}, "client.network_monitor = {...}"),
        ({"heartbeat": {"kind": "application"}}, "client.heartbeat.kind = application"),
    ],
)
def test_what_needs_our_protocol_is_refused(change, place):
    """In one line, which says what to set; and with that set, it runs."""
    scenario = parse({"client": change}, source="test")
    (line,) = refusal(scenario)
    assert line.startswith(f"{place}: not with --target")
    field, _, value = line.rpartition("--set ")[2].partition("=")
    fixed = load_scenario("own-server", changes=[f"{field}={value}"])
    check_fit(fixed, target())


def test_a_cohort_is_named():
    """Where each has its own settings, the one that does not fit is told."""
    cohorts = (Cohort(name="old", share=0.5), Cohort(name="new", share=0.5, sync="full"))
    (line,) = refusal(Scenario(cohort=cohorts))
    assert line.startswith("cohort new: sync = full")
    assert line.endswith("--set cohort.sync=none")


@pytest.mark.parametrize("kind", ["freeze", "network"])
def test_only_restarts_can_be_asked_for(kind):
    """Nobody can be told to hang, and no path is cut."""
    scenario = Scenario(outage=(Outage(kind=kind, starts_at=1.0, down_for=1.0),))
    (line,) = refusal(scenario)
    assert line.startswith(f"outage.kind = {kind}")
    assert "graceful, crash" in line


def test_the_ceiling_on_clients():
    """It stands for the server's sake, and the line says how to move it."""
    check_fit(Scenario(n_clients=30), target(max_clients=30))
    (line,) = refusal(Scenario(n_clients=31), target(max_clients=30))
    assert line.startswith("n_clients = 31")
    assert "at most 30" in line
    assert "--max-clients" in line


def test_a_restart_command_that_would_never_run():
    """A setting without effect is refused."""
    (line,) = refusal(Scenario(), target(restart_command="true"))
    assert line == "--restart-command: has no effect, the scenario has no [[outage]]"
    check_fit(Scenario(**RESTART), target(restart_command="true"))


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
    check_fit(scenario, target())
    check_fit(scenario, target(restart_command="true"))
    assert len(not_applied(scenario, target())) == 1
