"""Policies of the user's own: in scenarios, on the command line, on every engine, from disk."""

import sys
import tomllib

import pytest

from simulator import compare, load_run, run
from simulator.core.backoff import BASIC, Policy, delay
from simulator.core.outcomes import Outcome
from simulator.errors import InputError, ScenarioError, UnknownNameError
from simulator.own_policies import policy_named, try_functions
from simulator.scenario import parse


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Write a module and recorded delays into the working directory; gives their names."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    name = tmp_path.name.replace("-", "_")
    (tmp_path / "mine.csv").write_text("attempt,delay\n1,0.4\n1,0.6\n2,1.5\n")

    def write(*lines):
        (tmp_path / f"{name}.py").write_text("\n".join(["from simulator import Policy", *lines]))
        return name

    yield write
    sys.modules.pop(name, None)


DELAY = "def delay(step, u, previous): return 0.5 + 0.1 * step + 0.1 * u"


def scenario(policy, **fields):
    """A dozen clients and a short outage."""
    data = {
        "name": "brief",
        "n_clients": 12,
        "horizon": 8.0,
        "ramp_rate": 1000.0,
        "settle": 0.5,
        "outage": [{"kind": "crash", "starts_at": 0.5, "down_for": 2.0}],
        "client": {"policy": policy, "rtt": 0.01},
        **fields,
    }
    return parse(data, source="brief.toml")


class TestNamed:
    """`policy_named`."""

    def test_known_names_come_first(self):
        """As they are."""
        assert policy_named("fixed") is BASIC["fixed"]
        mine = Policy(name="mine")
        assert policy_named("mine", {"mine": mine}) is mine

    def test_a_function(self, own):
        """Named after its module and itself."""
        policy = policy_named(f"{own(DELAY)}:delay")
        assert policy.name == policy.function.replace(":", ".")
        assert delay(policy, 1, 0.5) == pytest.approx(0.65)

    def test_what_else_there_is_to_say_stands_beside_the_function(self, own):
        """In attributes called like a policy's settings, of a function or of a class."""
        name = own(
            DELAY,
            "delay.max_attempts = 3",
            "class Mine:",
            "    reset_after = None",
            "    base = 7",  # its own affair
            "    def delay(self, step, u, previous): return self.base",
        )
        assert policy_named(f"{name}:delay").max_attempts == 3
        policy = policy_named(f"{name}:Mine")
        assert policy.reset_after is None
        assert policy.base == Policy().base
        assert delay(policy, 1, 0.5) == 7.0

    def test_a_policy(self, own):
        """As it is, under its own name if it has one."""
        name = own("mine = Policy(base=3.0)", "named = Policy(name='zoo', base=3.0)")
        assert policy_named(f"{name}:mine") == Policy(name=f"{name}.mine", base=3.0)
        assert policy_named(f"{name}:named").name == "zoo"

    def test_recorded_delays(self, own):
        """Named after their file."""
        own()
        policy = policy_named("mine.csv")
        assert policy.name == "mine"
        assert policy.waits == (((0.0, 0.4), (1.0, 0.6)), 1.5)

    @pytest.mark.parametrize(
        ("lines", "said"),
        [
            (["def f(step, u, previous): return -1"], "f: gives -1 for step = 1"),
            (["def f(step): return 1"], "f: raises TypeError for step = 1"),
            (
                ["def f(step, u, previous): return 1 / (step - 12)"],
                "raises ZeroDivisionError|gives",
            ),
            (["def f(step, u, previous): return 1", "f.max_attempts = -2"], "f: max_attempts: "),
            (["def f(step, u, previous): return 1", "f.max_attempts = 'no'"], "f: max_attempts: "),
            (["g = 1"], "has no attribute 'f'"),
        ],
    )
    def test_a_function_is_tried_at_once(self, own, lines, said):
        """At the first dozen steps, so that most mistakes show before anything runs."""
        with pytest.raises(InputError, match=said):
            policy_named(f"{own(*lines)}:f")

    def test_anything_else_is_an_unknown_name(self):
        """With what could have been meant."""
        with pytest.raises(UnknownNameError, match="did you mean 'fixed'"):
            policy_named("fixt")

    def test_the_form_of_a_function_name_is_explained(self):
        """When there is a colon, a function is meant."""
        with pytest.raises(InputError, match="allowed: MODULE:ATTRIBUTE"):
            policy_named("my-module:delay")


class TestInScenarios:
    """Wherever a scenario takes a policy."""

    def test_by_its_text(self, own):
        """As the policy of a client, and in compare."""
        name = f"{own(DELAY)}:delay"
        found = scenario(name, compare=["mine.csv", name])
        assert found.client.policy == policy_named(name)
        assert [policy.label for policy in found.compare] == ["mine", found.client.policy.name]

    def test_as_a_table_that_starts_from_it(self, own):
        """It stays the user's own, and keeps the name."""
        name = f"{own(DELAY)}:delay"
        found = scenario({"name": name, "max_attempts": 4}).client.policy
        assert found == policy_named(name).model_copy(update={"max_attempts": 4})
        recorded = scenario({"name": "mine.csv", "reset_after": "none"}).client.policy
        assert recorded.name == "mine"
        assert recorded.reset_after is None

    @pytest.mark.parametrize("name", ["v2: gentler", "no_such:module", "gone.csv"])
    def test_a_policy_may_be_called_anything(self, name):
        """What spells itself out refers to nothing, as every policy in a run's records."""
        before = scenario(Policy(name=name, base=2.0))
        again = parse(tomllib.loads(before.to_toml()), source="again")
        assert again.client.policy == Policy(name=name, base=2.0)
        assert scenario({"name": "v2: gentler", "base": 2.0}).client.policy.name == "v2: gentler"

    def test_it_may_have_the_habits_of_a_library(self, own):
        """Its connect timeout and heartbeat, if it says so."""
        name = own(DELAY, "delay.library = 'partysocket'")
        assert scenario(f"{name}:delay").client.connect_timeout == 4.0

    def test_mistakes_name_the_field(self, own):
        """As for any other."""
        with pytest.raises(ScenarioError, match=r"^brief.toml: client.policy = 'no.csv': no.csv: "):
            scenario("no.csv")
        with pytest.raises(ScenarioError, match=r"client.policy = '.*:nope': .* has no attribute"):
            scenario(f"{own(DELAY)}:nope")

    @pytest.mark.parametrize("what", ["recorded", "function"])
    def test_what_is_written_out_needs_neither_module_nor_file(self, own, tmp_path, what):
        """Reading it back gives the same scenario where both are gone."""
        name = f"{own(DELAY)}:delay"
        before = scenario("mine.csv" if what == "recorded" else name)
        written = before.to_toml()
        for file in tmp_path.iterdir():
            file.unlink(missing_ok=True)
        assert parse(tomllib.loads(written), source="again") == before


def test_they_run_beside_the_zoo(own, tmp_path):
    """A function, recorded delays and a basic policy; the records load without any of them."""
    name = f"{own(DELAY)}:delay"
    found = compare(
        scenario("fixed"),
        policies=[name, "mine.csv", "fixed"],
        engine="virtual",
        out=tmp_path / "out",
    )
    label = name.replace(":", ".")
    assert list(found.results) == [label, "mine", "fixed"]
    (tmp_path / "mine.csv").unlink()
    (tmp_path / f"{name.partition(':')[0]}.py").unlink()
    sys.modules.pop(name.partition(":")[0])
    loaded = load_run(tmp_path / "out" / label)
    assert loaded.scenario.client.policy.function == name
    attempts = loaded.attempts
    second = (attempts["episode"] == 1) & (attempts["attempt"] == 2)
    first = (attempts["episode"] == 1) & (attempts["attempt"] == 1)
    assert set(attempts["outcome"][first]) == {Outcome.REFUSED}
    waits = attempts["due_at"][second] - attempts["ended_at"][first]
    assert ((waits >= 0.7) & (waits <= 0.8)).all()
    assert load_run(tmp_path / "out" / "mine").scenario.client.policy.waits[1] == 1.5


@pytest.mark.parametrize("engine", ["virtual", "live"])
def test_a_function_that_fails_late_ends_the_run_in_one_line(own, tmp_path, engine):
    """What was recorded until then, by processes of their own in a live run, says why it ended."""
    name = own("def delay(step, u, previous):", "    return 0.1 if step < 13 else [][step]")
    policy = f"{name}:delay"
    with pytest.raises(InputError, match=f"^{policy}: raises IndexError for step = 13"):
        run(scenario(policy), engine=engine, out=tmp_path / "out")
    loaded = load_run(tmp_path / "out")
    assert f"{policy}: raises IndexError" in loaded.manifest.failure
    assert loaded.attempts["attempt"].max() >= 11


def test_a_function_in_a_table_is_tried_before_the_run(own, tmp_path):
    """So that nothing is written when it cannot be used."""
    policy = {"function": f"{own('def delay(step, u, previous): return -step')}:delay"}
    with pytest.raises(InputError, match="gives -1 for step = 1"):
        run(scenario(policy), engine="virtual", out=tmp_path / "out")
    with pytest.raises(InputError, match="gives -1 for step = 1"):
        compare(scenario(policy), engine="virtual", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_trying_leaves_other_policies_alone():
    """Those without a function have nothing to try."""
    try_functions(BASIC.values())
