"""Scenarios come from files or by name, and change by `--set FIELD=VALUE`."""

import pytest

from simulator.core.backoff import BASIC, Policy
from simulator.core.presets import PRESETS
from simulator.engines import virtual
from simulator.errors import ScenarioError, UnknownNameError
from simulator.metrics import summarise
from simulator.scenario_files import DEFAULT, builtin_scenarios, load_scenario

TOML = """
n_clients = 50
compare = ["fixed", "linear"]

[client]
policy = "fixed"

[[outage]]
starts_at = 5.0
down_for = 1.0

[[outage]]
starts_at = 10.0
down_for = 1.0

[[cohort]]
name = "a"
share = 0.5

[[cohort]]
name = "b"
share = 0.5
policy = "exponential"
"""


@pytest.fixture
def file(tmp_path):
    """A scenario file with a bit of everything."""
    path = tmp_path / "herd.toml"
    path.write_text(TOML)
    return path


def problem(source, *changes):
    """The only thing that is wrong with it."""
    with pytest.raises(ScenarioError) as caught:
        load_scenario(source, changes=changes)
    (found,) = caught.value.problems
    return caught.value.source, str(found)


# Where they come from


@pytest.mark.parametrize("name", sorted(builtin_scenarios()))
def test_every_built_in_scenario_parses(name):
    """And is called what its file is called, and says what it shows."""
    scenario = load_scenario(name)
    assert scenario.name == name
    assert scenario.description


def test_ten_libraries_meet_an_outage_that_outlasts_them():
    """It is longer than SignalR's patience and than Ably's two minutes."""
    scenario = load_scenario("libraries")
    assert len([policy for policy in scenario.compare if policy.name in PRESETS]) >= 10
    assert scenario.last_outage_end - scenario.outage[0].starts_at > 120.0
    assert scenario.n_clients / scenario.server.capacity < 5.0


@pytest.mark.parametrize(
    ("changes", "per_client", "attempts", "median_above"),
    [
        ([], 1.37, 1.0, 0.5),
        (["max_surge=0", "max_unavailable=3", "drain_over=0"], 1.0, 3.4, 5.0),
    ],
    ids=["one at a time", "all at once"],
)
def test_a_rolling_deploy_does_what_is_said(tmp_path, changes, per_client, attempts, median_above):
    """In its description, and in its comment on what becomes of the other way."""
    scenario = load_scenario("rolling-deploy", changes=[f"deploy.0.{change}" for change in changes])
    assert "1.37 disconnects per client, all back at once" in scenario.description
    summary = summarise(virtual.run(scenario, out=tmp_path / "run"))
    assert summary["recovered_share"] == 1.0
    assert summary["disconnects_per_client"] == pytest.approx(per_client, abs=0.005)
    assert summary["connection_imbalance"] == pytest.approx(per_client, abs=0.005)
    assert summary["amplification"] == pytest.approx(attempts, abs=0.03)
    assert median_above < summary["reconnect_time_p50"] < median_above + 0.5


def test_the_default_is_built_in():
    """What runs when no scenario is named."""
    assert DEFAULT in builtin_scenarios()
    assert load_scenario() == load_scenario(DEFAULT)


def test_a_file_is_read(file):
    """By its path, as text or as a path."""
    assert load_scenario(file) == load_scenario(str(file))
    assert load_scenario(file).n_clients == 50


def test_an_unknown_scenario_is_met_with_the_nearest():
    """It is neither a file nor a name."""
    with pytest.raises(UnknownNameError) as caught:
        load_scenario("restrat")
    assert str(caught.value).startswith("scenario 'restrat': did you mean 'restart'? valid: ")


def test_a_mistake_names_the_file(file):
    """There may be many."""
    file.write_text("n_clients = 0")
    assert problem(file) == (str(file), "n_clients = 0: allowed: more than 0")


@pytest.mark.parametrize("content", [b"n_clients = ", b"\xff\xfe", b"a = 1\na = 2"])
def test_what_is_no_toml_is_one_clear_line(file, content):
    """It names the file, and what the reader stumbled over."""
    file.write_bytes(content)
    source, message = problem(file)
    assert source == str(file)
    assert message.startswith("TOML: ")
    assert "\n" not in message


def test_a_directory_is_no_scenario(tmp_path):
    """The operating system's words say why it cannot be read."""
    assert problem(tmp_path) == (str(tmp_path), "file: Is a directory")


# Changes


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        ("n_clients=7", "n_clients", 7),
        ("n_clients = 7", "n_clients", 7),
        ("horizon=12.5", "horizon", 12.5),
        ("transport=trio-websocket", "transport", "trio-websocket"),
        ('transport="trio-websocket"', "transport", "trio-websocket"),
        ("description=a=b", "description", "a=b"),
        ("compare=[]", "compare", ()),
    ],
)
def test_a_value_is_written_as_in_toml_and_a_word_needs_no_quotes(file, change, field, value):
    """`FIELD=VALUE`."""
    assert getattr(load_scenario(file, changes=[change]), field) == value


def test_a_dotted_path_leads_into_tables(file):
    """Those that the file leaves out come into being."""
    scenario = load_scenario(
        file,
        changes=[
            "server.workers=9",
            "server.service_time.mean=0.5",
            "client.heartbeat.interval=3.0",
            "server.retry_after=none",
        ],
    )
    assert scenario.server.workers == 9
    assert scenario.server.service_time.mean == 0.5
    assert scenario.client.heartbeat.interval == 3.0
    assert scenario.server.retry_after is None


def test_a_number_picks_an_entry_of_a_list(file):
    """Counted from 0."""
    scenario = load_scenario(file, changes=["outage.1.down_for=2.0", "cohort.0.name=x"])
    assert [outage.down_for for outage in scenario.outage] == [1.0, 2.0]
    assert [cohort.name for cohort in scenario.cohorts] == ["x", "b"]


def test_without_a_number_all_entries_are_meant(file):
    """Most scenarios have one."""
    scenario = load_scenario(file, changes=["outage.down_for=2.0"])
    assert [outage.down_for for outage in scenario.outage] == [2.0, 2.0]


def test_a_policy_given_by_name_can_be_changed_field_by_field(file):
    """The change starts from that policy, in tables and in lists."""
    scenario = load_scenario(
        file,
        changes=["client.policy.base=3.0", "cohort.1.policy.jitter=full", "compare.0.base=4.0"],
    )
    assert scenario.client.policy == Policy(growth="constant", base=3.0)
    assert scenario.cohorts[0].policy == scenario.client.policy
    assert scenario.cohorts[1].policy == Policy(cap=10.0, jitter="full")
    assert scenario.compare == (Policy(growth="constant", base=4.0), BASIC["linear"])


def test_a_stage_given_by_name_can_be_changed_field_by_field(file):
    """The change starts from the shape; without a number it is made in all of them."""
    changes = ['server.stages=["tls", "auth-database"]', "server.stages.1.workers=3"]
    tls, database = load_scenario(file, changes=changes).server.stages
    assert (tls.name, tls.workers) == ("tls", 2)
    assert (database.name, database.workers, database.shared) == ("auth-database", 3, True)
    changes = [*changes, "server.stages.backlog=7"]
    assert {stage.backlog for stage in load_scenario(file, changes=changes).server.stages} == {7}


def test_a_policy_may_be_named_and_then_changed(file):
    """Changes are made in order."""
    changes = ["client.policy=linear", "client.policy.base=3.0"]
    scenario = load_scenario(file, changes=changes)
    assert scenario.client.policy == Policy(growth="linear", base=3.0, cap=10.0)


def test_later_changes_win(file):
    """The last word counts."""
    assert load_scenario(file, changes=["n_clients=1", "n_clients=2"]).n_clients == 2


def test_changes_do_not_touch_the_file(file):
    """They are made on the way."""
    load_scenario(file, changes=["n_clients=7"])
    assert file.read_text() == TOML


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("n_clients", "n_clients: allowed: FIELD=VALUE, such as n_clients=500"),
        ("=5", "=5: allowed: FIELD=VALUE, such as n_clients=500"),
        ("server..workers=5", "server..workers=5: allowed: FIELD=VALUE, such as n_clients=500"),
        ("n_clients.x=5", "n_clients.x: there is no table to set it in"),
        ("outage.7.down_for=1.0", "outage.7.down_for: allowed: an index below 2"),
    ],
)
def test_a_change_that_leads_nowhere_is_one_clear_line(file, change, message):
    """It names the option and the path."""
    assert problem(file, change) == ("--set", message)


def test_a_change_is_checked_like_the_file(file):
    """A typo is met with the nearest valid field."""
    _, message = problem(file, "server.worker=5")
    assert message.startswith("server.worker = 5: unknown field; did you mean 'workers'?")
    assert problem(file, "n_clients=0")[1] == "n_clients = 0: allowed: more than 0"
