"""A scenario is checked whole: what it leaves out has a default, and every mistake is reported."""

import math
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_stub.config import ServerConfig, ServiceTime
from server_stub.deploy import Deploy
from server_stub.endpoints import HealthCheck
from server_stub.lifetime import ConnectionAge
from server_stub.outage import Outage
from simulator.core.backoff import BASIC, Policy
from simulator.errors import ScenarioError
from simulator.scenario import ClientConfig, Cohort, HeartbeatConfig, Objective, Scenario, parse


def read(toml):
    """The scenario that this TOML describes."""
    return parse(tomllib.loads(toml), source="herd.toml")


def problems(toml):
    """What is wrong with it: place, value and what is allowed, by place."""
    with pytest.raises(ScenarioError) as caught:
        read(toml)
    assert caught.value.source == "herd.toml"
    return {problem.place: (problem.value, problem.allowed) for problem in caught.value.problems}


# Valid ones


def test_everything_has_a_default():
    """An empty file is a scenario without an outage, of one cohort."""
    scenario = read("")
    assert scenario.windows == ()
    assert scenario.last_outage_end == 0
    (cohort,) = scenario.cohorts
    assert (cohort.name, cohort.share) == ("all", 1.0)
    assert cohort.policy == BASIC["exponential-full-jitter"]


def test_a_policy_is_a_name_or_a_table():
    """A table with a known name starts from that policy, and loses the name if it differs."""
    scenario = read(
        """
        compare = [
            "fixed",
            {name = "fixed"},
            {name = "fixed", base = 5.0},
            {growth = "linear", base = 2.0},
            {name = "mine", base = 3.0},
        ]
        """
    )
    assert scenario.compare == (
        BASIC["fixed"],
        BASIC["fixed"],
        Policy(growth="constant", base=5.0),
        Policy(growth="linear", base=2.0),
        Policy(name="mine", base=3.0),
    )


def test_none_switches_a_field_off():
    """TOML has no null."""
    scenario = read(
        """
        [server]
        retry_after = "none"
        [client]
        connect_timeout = "none"
        heartbeat = "none"
        """
    )
    assert scenario.server.retry_after is None
    assert scenario.client.connect_timeout is None
    assert scenario.client.heartbeat is None


def test_a_cohort_inherits_what_it_leaves_out():
    """From `[client]`, whichever of the two comes first in the file."""
    scenario = read(
        """
        [[cohort]]
        name = "phones"
        share = 0.75
        rtt = 0.2
        [[cohort]]
        name = "desks"
        share = 0.25
        policy = "linear"
        [client]
        policy = "fixed"
        connect_timeout = 3.0
        """
    )
    phones, desks = scenario.cohorts
    assert (phones.policy, phones.rtt) == (BASIC["fixed"], 0.2)
    assert (desks.policy, desks.rtt) == (BASIC["linear"], ClientConfig().rtt)
    assert phones.connect_timeout == desks.connect_timeout == 3.0


def test_a_cohort_may_switch_off_what_it_would_inherit():
    """A value of its own, if only "none"."""
    scenario = read(
        """
        client = {heartbeat = {interval = 5.0}}
        cohort = [{heartbeat = "none"}]
        """
    )
    assert scenario.cohorts[0].heartbeat is None


def test_a_policy_replaces_that_of_every_cohort():
    """And of `[client]`; nothing else changes."""
    scenario = read('cohort = [{name = "a", share = 0.5, rtt = 0.1}, {name = "b", share = 0.5}]')
    changed = scenario.with_policy(BASIC["linear"])
    assert [cohort.policy for cohort in changed.cohorts] == [BASIC["linear"]] * 2
    assert changed.client.policy == BASIC["linear"]
    assert [cohort.rtt for cohort in changed.cohorts] == [0.1, 0.02]
    assert read("").with_policy(BASIC["linear"]).cohorts[0].policy == BASIC["linear"]


def test_outages_repeat_until_the_horizon():
    """A schedule may go on for longer than anybody watches."""
    scenario = read(
        "horizon = 25.0\noutage = [{starts_at = 5.0, down_for = 2.0, every = 10.0, count = 4}]"
    )
    assert [window.starts_at for window in scenario.windows] == [5.0, 15.0]
    assert scenario.last_outage_end == 17.0


# Round trip

SECONDS = st.floats(0.001, 1e6)
POLICIES = st.sampled_from(sorted(BASIC)).map(BASIC.__getitem__) | st.builds(
    Policy,
    name=st.sampled_from(["", "mine"]),
    growth=st.just("exponential"),
    base=st.floats(0.0, 10.0),
    factor=st.none() | st.floats(1.0, 10.0),
    cap=st.none() | st.floats(10.0, 1e6),
    max_attempts=st.none() | st.integers(0, 100),
    reset_after=st.none() | SECONDS,
    count_from=st.sampled_from(["failure", "start"]),
)
CLIENT = {
    "policy": POLICIES,
    "connect_timeout": st.none() | SECONDS,
    "rtt": SECONDS,
    "heartbeat": st.none() | st.builds(HeartbeatConfig, interval=SECONDS, timeout=SECONDS),
}
SCENARIOS = st.builds(
    Scenario,
    name=st.sampled_from(["custom", "my-herd_2.1"]),
    description=st.text(max_size=20),
    seed=st.integers(0, 2**63 - 1),
    n_clients=st.integers(1, 10**7),
    horizon=st.floats(100.0, 1e6),
    transport=st.sampled_from(["trio-websocket", "wsproto"]),
    server=st.builds(
        ServerConfig,
        service_time=st.sampled_from(["constant", "exponential"]).map(
            lambda kind: ServiceTime(kind=kind)
        )
        | st.builds(ServiceTime, cv=st.none() | st.floats(0.1, 3.0)),
        retry_after=st.none() | st.floats(0.0, 100.0),
        max_connections=st.none() | st.integers(1, 10**6),
        nodes=st.integers(2, 9),
        balance=st.sampled_from(["round_robin", "least_connections", "random", "hash"]),
        health_check=st.none() | st.builds(HealthCheck, unhealthy_after=SECONDS),
        max_connection_age=st.none() | st.builds(ConnectionAge, mean=SECONDS),
    ),
    deploy=st.just(())
    | st.tuples(
        st.builds(
            Deploy,
            starts_at=st.just(90.0),
            max_surge=st.integers(1, 3) | st.sampled_from(["1%", "33.3%", "100 %"]),
            ready_after=st.floats(0.1, 1.0),
        )
    ),
    outage=st.just(())
    | st.tuples(
        st.builds(
            Outage,
            kind=st.just("graceful"),
            starts_at=st.floats(0.0, 50.0),
            down_for=st.floats(0.001, 30.0),
            nodes=st.none() | st.just((1,)),
            close_code=st.none() | st.sampled_from([1000, 1001, 1012]) | st.integers(3000, 4999),
            refuse=st.none() | st.booleans(),
        )
    ),
    client=st.builds(ClientConfig, **CLIENT),
    cohort=st.just(())
    | st.tuples(
        st.builds(Cohort, name=st.just("a"), share=st.just(0.25), **CLIENT),
        st.builds(Cohort, name=st.just("b"), share=st.just(0.75), **CLIENT),
    ),
    compare=st.lists(POLICIES, max_size=3).map(tuple),
    objective=st.lists(
        st.builds(
            Objective,
            metric=st.just("amplification"),
            op=st.sampled_from(["<", ">="]),
            value=st.floats(-1e6, 1e6),
        ),
        max_size=2,
    ).map(tuple),
)


@given(SCENARIOS)
def test_a_scenario_written_as_toml_reads_back_the_same(scenario):
    """Every field, whatever is switched off, and numbers to the last bit."""
    assert read(scenario.to_toml()) == scenario


# Bad ones


@pytest.mark.parametrize(
    ("toml", "place", "value", "allowed"),
    [
        ("n_clients = 0", "n_clients", "0", "allowed: more than 0"),
        ("n_clients = -5", "n_clients", "-5", "allowed: more than 0"),
        ("n_clients = 2.5", "n_clients", "2.5", "allowed: a whole number"),
        ("n_clients = true", "n_clients", "True", "allowed: a whole number"),
        ('n_clients = "many"', "n_clients", "'many'", "allowed: a whole number"),
        ("seed = -1", "seed", "-1", "allowed: at least 0"),
        ("horizon = 0.0", "horizon", "0.0", "allowed: more than 0"),
        ("horizon = inf", "horizon", "inf", "allowed: a finite number"),
        ("horizon = nan", "horizon", "nan", "allowed: a finite number"),
        ("grace = -0.5", "grace", "-0.5", "allowed: at least 0"),
        ("ramp_rate = 0", "ramp_rate", "0", "allowed: more than 0"),
        ('name = ""', "name", "''", "allowed: at least 1 character"),
        ('name = "a/b"', "name", "'a/b'", "allowed: letters, digits, '.', '-' and '_' only"),
        (
            'transport = "tcp"',
            "transport",
            "'tcp'",
            "allowed: one of 'trio-websocket' or 'wsproto'",
        ),
        ("server.workers = 0", "server.workers", "0", "allowed: more than 0"),
        ("server.port = 70000", "server.port", "70000", "allowed: at most 65535"),
        (
            'server.overflow = "explode"',
            "server.overflow",
            "'explode'",
            "allowed: one of 'reject', 'reset' or 'drop'",
        ),
        (
            "server.service_time.mean = -0.1",
            "server.service_time.mean",
            "-0.1",
            "allowed: more than 0",
        ),
        (
            'server.service_time = {kind = "constant", cv = 0.5}',
            "server.service_time",
            "",
            "cv belongs to kind = 'lognormal'; 'constant' has a fixed spread",
        ),
        ("server = 3", "server", "3", "allowed: a table"),
        ("outage = 3", "outage", "3", "allowed: a list"),
        (
            "outage = [{starts_at = 1.0}]",
            "outage.0.down_for",
            "",
            "required, but not set",
        ),
        (
            'outage = [{starts_at = 1.0, down_for = 1.0, kind = "flood"}]',
            "outage.0.kind",
            "'flood'",
            "allowed: one of 'graceful', 'crash', 'freeze', 'network', 'drain', 'slow', 'cold' or "
            "'idle_timeout'",
        ),
        (
            'outage = [{starts_at = 1.0, down_for = 1.0, kind = "server_lost"}]',
            "outage.0.kind",
            "'server_lost'",
            "allowed: one of 'graceful', 'crash', 'freeze', 'network', 'drain', 'slow', 'cold' or "
            "'idle_timeout'",
        ),
        (
            "outage = [{starts_at = 1.0, down_for = 1.0, count = 3}]",
            "outage.0",
            "",
            "count = 3 needs `every`, the seconds between two starts",
        ),
        (
            'outage = [{starts_at = 1.0, down_for = 1.0, kind = "crash", close_code = 1012}]',
            "outage.0",
            "",
            "close_code belongs to kind = 'graceful', 'drain' or 'cold', not 'crash'",
        ),
        (
            'outage = [{starts_at = 1.0, down_for = 1.0, kind = "drain"}]',
            "outage.0",
            "",
            "kind = 'drain' needs drain_over",
        ),
        (
            'server.admission = {kind = "bouncer"}',
            "server.admission.kind",
            "'bouncer'",
            "allowed: one of 'queue' or 'token_bucket'",
        ),
        (
            'server.admission = {kind = "queue", rate = 3.0}',
            "server.admission",
            "",
            "kind = 'queue' needs limit; rate belongs to kind = 'token_bucket', not 'queue'",
        ),
        ("server.retry_after = -3.0", "server.retry_after.at_least", "-3.0", "allowed: at least 0"),
        (
            "server.retry_after = {spraed = 3.0}",
            "server.retry_after.spraed",
            "3.0",
            "unknown field; did you mean 'spread'? valid: at_least, per_waiting, spread",
        ),
        (
            "client.clients_per_address = 0",
            "client.clients_per_address",
            "0",
            "allowed: more than 0",
        ),
        (
            "horizon = 60.0\noutage = [{starts_at = 90.0, down_for = 1.0}]",
            "outage.0.starts_at",
            "90",
            "past the horizon; allowed: less than horizon = 60",
        ),
        (
            "outage = [{starts_at = 1.0, down_for = 5.0}, {starts_at = 2.0, down_for = 1.0}]",
            "outage",
            "",
            "the outage at 2 s starts before the one at 1 s has ended (6 s)",
        ),
        ("server.nodes = 0", "server.nodes", "0", "allowed: more than 0"),
        (
            'server.balance = "magic"',
            "server.balance",
            "'magic'",
            "allowed: one of 'round_robin', 'least_connections', 'random' or 'hash'",
        ),
        (
            "server = {nodes = 3, port = 65534}",
            "server.port",
            "65534",
            "allowed: at most 65533, for each of 3 nodes needs a port",
        ),
        (
            "server.max_connection_age = {mean = 5.0, dither = 5.0}",
            "server.max_connection_age",
            "",
            "dither = 5 must be less than mean = 5",
        ),
        (
            "server.autoscale = {target_connections = 5, most = 1}\nserver.nodes = 2",
            "server.autoscale.most",
            "1",
            "allowed: at least server.nodes = 2",
        ),
        (
            "server.nodes = 2\noutage = [{starts_at = 1.0, down_for = 5.0, nodes = [2]}]",
            "outage",
            "",
            "the outage at 1 s hits node 2, which is not there; allowed: 0, 1",
        ),
        (
            'outage = [{starts_at = 1.0, down_for = 5.0, nodes = "some"}]',
            "outage.0.nodes",
            "'some'",
            "allowed: a list",
        ),
        (
            'outage = [{starts_at = 1.0, down_for = 5.0, kind = "network", nodes = [0]}]',
            "outage.0",
            "",
            "nodes belongs to kind = 'graceful', 'crash', 'freeze', 'drain', 'slow' or 'cold', "
            "not 'network'",
        ),
        (
            "deploy = [{starts_at = 1.0, max_surge = 0.5}]",
            "deploy.0.max_surge",
            "0.5",
            'allowed: a number of nodes, as 1, or a share of them, as "25%"',
        ),
        (
            "deploy = [{starts_at = 1.0, max_surge = 0, max_unavailable = 0}]",
            "deploy.0",
            "",
            "max_surge and max_unavailable are both 0: no node could be replaced",
        ),
        (
            "horizon = 60.0\ndeploy = [{starts_at = 90.0}]",
            "deploy.0.starts_at",
            "90",
            "past the horizon; allowed: less than horizon = 60",
        ),
        (
            "deploy = [{starts_at = 1.0}]\noutage = [{starts_at = 2.0, down_for = 1.0}]",
            "outage",
            "",
            "the outage at 2 s stops nodes during the deploy at 1 s, which takes until 6 s",
        ),
        ("client.rtt = 0.0", "client.rtt", "0.0", "allowed: more than 0"),
        (
            "client.connect_timeout = -1.0",
            "client.connect_timeout",
            "-1.0",
            "allowed: more than 0",
        ),
        (
            "client.policy = {base = -1.0}",
            "client.policy.base",
            "-1.0",
            "allowed: at least 0",
        ),
        (
            "client.policy = {base = 5.0, cap = 1.0}",
            "client.policy",
            "",
            "cap = 1 is below base = 5",
        ),
        (
            'cohort = [{name = "a", share = 0.5}, {name = "b", share = 0.4}]',
            "cohort.share",
            "0.5 + 0.4",
            "adds up to 0.9; allowed: shares that add up to 1",
        ),
        (
            'cohort = [{name = "a", share = 0.5}, {name = "a", share = 0.5}]',
            "cohort.name",
            "'a'",
            "allowed: each name once",
        ),
        (
            'objective = [{metric = "amplification", op = "~", value = 3.0}]',
            "objective.0.op",
            "'~'",
            "allowed: one of '<', '<=', '>', '>=', '==' or '!='",
        ),
    ],
)
def test_a_mistake_is_one_clear_line(toml, place, value, allowed):
    """It names the field, the value, and what is allowed."""
    assert problems(toml) == {place: (value, allowed)}


@pytest.mark.parametrize(
    ("toml", "place", "meant"),
    [
        ("n_client = 5", "n_client", "n_clients"),
        ("server.worker = 5", "server.worker", "workers"),
        ("server.service_time.men = 5", "server.service_time.men", "mean"),
        ("outage = [{starts_at = 1.0, down_for = 1.0, stops_at = 3}]", "outage.0.stops_at", "st"),
        ("client.heartbeat.intervall = 5", "client.heartbeat.intervall", "interval"),
        ("client.policy.bas = 5", "client.policy.bas", "base"),
        ('cohort = [{shares = 1.0, name = "a"}]', "cohort.0.shares", "share"),
    ],
)
def test_a_misspelt_field_is_met_with_the_nearest_valid_one(toml, place, meant):
    """And with all the names that are valid there."""
    ((found, (_, allowed)),) = problems(toml).items()
    assert found == place
    assert allowed.startswith(f"unknown field; did you mean '{meant}")
    assert "valid: " in allowed


@pytest.mark.parametrize(
    ("toml", "place"),
    [
        ('client.policy = "exponental"', "client.policy"),
        ('compare = ["fixed", "exponental"]', "compare.1"),
        ('cohort = [{policy = "exponental"}]', "cohort.0.policy"),
    ],
)
def test_an_unknown_policy_is_met_with_the_nearest_that_exists(toml, place):
    """Wherever a policy may stand."""
    ((found, (value, allowed)),) = problems(toml).items()
    assert (found, value) == (place, "'exponental'")
    assert allowed.startswith("did you mean 'exponential'? valid: ")


def test_several_mistakes_are_all_reported():
    """Wherever they stand, of whatever kind; a message has one line for each."""
    toml = """
        n_clients = 0
        horizon = 60.0
        transprot = "wsproto"
        outage = [{starts_at = 90.0, down_for = 1.0}]
        [client]
        policy = "fixt"
        rtt = -1.0
        [server]
        workers = 0
        [[cohort]]
        name = "a"
        share = 0.5
    """
    found = problems(toml)
    assert set(found) == {
        "n_clients",
        "transprot",
        "outage.0.starts_at",
        "client.policy",
        "client.rtt",
        "server.workers",
        "cohort.share",
    }
    with pytest.raises(ScenarioError) as caught:
        read(toml)
    lines = str(caught.value).splitlines()
    assert len(lines) == len(found)
    assert all(line.startswith("herd.toml: ") for line in lines)
    assert "herd.toml: n_clients = 0: allowed: more than 0" in lines


def test_what_a_cohort_inherits_is_wrong_only_once():
    """The mistake stands in `[client]`, not in each cohort."""
    toml = 'client.rtt = -1.0\ncohort = [{name = "a", share = 0.5}, {name = "b", share = 0.5}]'
    assert set(problems(toml)) == {"client.rtt"}


def test_a_scenario_cannot_be_changed():
    """It is a value; whoever wants another one makes another one."""
    with pytest.raises(ValueError, match="frozen"):
        read("").n_clients = 5


def test_a_number_that_is_no_number_is_refused_in_python_too():
    """Built or read, a scenario is checked the same way."""
    with pytest.raises(ValueError, match="finite"):
        Scenario(horizon=math.nan)
