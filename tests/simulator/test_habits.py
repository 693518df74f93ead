"""A preset brings the rest of its library along, where a scenario says nothing of its own."""

import tomllib

import pytest
from pydantic import ValidationError

from simulator.core.backoff import BASIC
from simulator.core.heartbeat import HeartbeatConfig
from simulator.core.presets import PRESETS
from simulator.errors import ScenarioError
from simulator.experiment import herds_to_compare, policy_named
from simulator.scenario import ClientConfig, parse

WITH_HABITS = [name for name, preset in PRESETS.items() if preset.client]


def read(text):
    """A scenario from TOML."""
    return parse(tomllib.loads(text), source="test")


def habits(config, fields):
    """What a client does besides waiting."""
    return {field: getattr(config, field) for field in fields}


@pytest.mark.parametrize("name", WITH_HABITS)
def test_a_preset_supplies_what_is_not_set(name):
    """All of it, in the types that a scenario has."""
    client = read(f'client.policy = "{name}"').client
    assert habits(client, PRESETS[name].client) == PRESETS[name].client
    assert ClientConfig(policy=name, **PRESETS[name].client) == client


@pytest.mark.parametrize("name", WITH_HABITS)
def test_a_scenario_with_a_preset_reads_back_the_same(name):
    """Written out with every field, so that a run says what it did."""
    scenario = read(f'client.policy = "{name}"')
    assert read(scenario.to_toml()) == scenario


def test_what_is_set_wins():
    """Even where it is the default."""
    client = read(
        'client = {policy = "socket.io", connect_timeout = 3.0, heartbeat = "none"}'
    ).client
    assert (client.connect_timeout, client.heartbeat) == (3.0, None)
    assert client.retry_after == "ignore"
    client = read('client = {policy = "phoenix", heartbeat = {}}').client
    assert client.heartbeat == HeartbeatConfig()


def test_a_cohort_has_the_habits_of_its_own_policy():
    """And of `[client]` what is set there, but not what came with the policy there."""
    scenario = read(
        """
        client = {policy = "socket.io", rtt = 0.3}
        [[cohort]]
        name = "web"
        share = 0.5
        [[cohort]]
        name = "app"
        share = 0.5
        policy = "mqtt"
        """
    )
    web, app = scenario.cohorts
    assert (web.connect_timeout, web.rtt) == (20.0, 0.3)
    assert (app.connect_timeout, app.rtt) == (30.0, 0.3)
    assert app.heartbeat == PRESETS["mqtt"].client["heartbeat"]


def test_a_changed_preset_keeps_its_habits_unless_told():
    """A library with another delay is still that library."""
    client = read('client.policy = {name = "socket.io", base = 2.0}').client
    assert client.connect_timeout == 20.0
    client = read('client.policy = {name = "socket.io", library = ""}').client
    assert client.connect_timeout == ClientConfig().connect_timeout


def test_another_policy_brings_its_own_habits_and_leaves_what_is_set():
    """As `--policy` does, cohort by cohort."""
    scenario = read(
        """
        client = {policy = "phoenix", rtt = 0.3}
        [[cohort]]
        share = 1.0
        connect_timeout = 7.0
        """
    )
    cohort = scenario.with_policy(policy_named("socket.io")).cohorts[0]
    assert (cohort.connect_timeout, cohort.rtt) == (7.0, 0.3)
    assert cohort.heartbeat == PRESETS["socket.io"].client["heartbeat"]
    cohort = scenario.with_policy(BASIC["fixed"]).cohorts[0]
    assert (cohort.connect_timeout, cohort.heartbeat) == (7.0, HeartbeatConfig())
    assert cohort.page == ClientConfig().page


def test_each_herd_of_a_comparison_has_its_own_habits():
    """The same herd and outage, but another library."""
    herds = herds_to_compare(read('compare = ["fixed", "phoenix", "robust-websocket"]'))
    assert list(herds) == ["fixed", "phoenix", "robust-websocket"]
    found = {label: herd.client.close_codes.end for label, herd in herds.items()}
    assert found == {"fixed": (1000, 1008), "phoenix": (), "robust-websocket": (1000, 1008, 1011)}


def test_an_unknown_library_is_told_the_nearest():
    """Like an unknown policy."""
    with pytest.raises(ScenarioError, match=r"policy.library = 'phenix': did you mean 'phoenix'\?"):
        read('client.policy = {base = 2.0, library = "phenix"}')


def test_references_have_no_habits():
    """A rule for delays says nothing of the rest."""
    assert {name for name in PRESETS if not PRESETS[name].client} == {
        *("aws-full", "aws-equal", "aws-decorrelated", "seed"),
        *("tenacity", "stamina", "resilience4j", "finagle"),
    }
    assert read('client.policy = "seed"').client.heartbeat == HeartbeatConfig()


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_says_where_it_comes_from(name):
    """Nothing is left blank, and the storm takes one line."""
    preset = PRESETS[name]
    assert preset.name == name == preset.policy.name
    for text in (preset.library, preset.version, preset.licence, preset.source, preset.rule):
        assert text.strip() == text != ""
    assert "\n" not in preset.storm
    assert len(preset.storm) <= 120


def test_a_presets_habits_cannot_be_changed_in_place():
    """They are shared by all who use them."""
    with pytest.raises(TypeError):
        PRESETS["phoenix"].client["connect_timeout"] = 1.0
    with pytest.raises(ValidationError, match="frozen"):
        PRESETS["phoenix"].policy.base = 2.0
