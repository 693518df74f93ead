"""`herd policies` and `herd scenarios`."""

import json
import tomllib

import numpy as np
import pytest
from matplotlib.image import imread

from simulator.core.backoff import most_retries
from simulator.core.policies import NAMED
from simulator.core.presets import PRESETS
from simulator.scenario import parse
from simulator.scenario_files import builtin_scenarios


def listed(cli, *options):
    """The rows of the list, as programs get them."""
    return json.loads(cli("policies", "--json", *options).stdout)


class TestList:
    """`herd policies`."""

    def test_names_every_policy_with_its_first_delays(self, cli):
        """In the order of the zoo, the basic ones first."""
        lines = cli("policies").stdout.splitlines()
        assert [line.split()[0] for line in lines[1 : 1 + len(NAMED)]] == list(NAMED)
        (full,) = (line for line in lines if line.startswith("exponential-full-jitter"))
        assert full.split()[1:] == [
            "A",
            "x1",
            "x1",
            "0-1",
            "0-2",
            "0-4",
            "0-8",
            "full",
            "10",
            "never",
        ]

    def test_says_how_the_grades_come_about(self, cli):
        """The storm and the thresholds stand under the list."""
        text = " ".join(cli("policies").stdout.split())
        for part in ("10,000 clients", "30 s without a server", "A up to 1.25", "F above"):
            assert part in text

    def test_is_the_same_for_programs(self, cli):
        """Delays are numbers, and no end is null."""
        found = {row["name"]: row for row in listed(cli)}
        assert list(found) == list(NAMED)
        linear = found["linear"]
        assert [delay["high"] for delay in linear["delays"]] == [1.0, 2.0, 3.0, 4.0]
        assert linear["cap"] == 10.0
        assert linear["jitter"] == "none"
        assert linear["gives_up_after"] is None
        assert linear["grade"]["letter"] == "E"
        assert linear["grade"]["peak_attempt_rate_100ms"] == 100_000.0
        assert linear["grade"]["ratio"] == linear["grade"]["ratio_100ms"] > 1.0
        assert found["exponential-full-jitter"]["grade"]["ratio"] == 1.0

    @pytest.mark.parametrize(
        ("column", "value"),
        [
            ("name", lambda row: row["name"]),
            ("grade", lambda row: row["grade"]["letter"]),
            ("peak", lambda row: row["grade"]["ratio"]),
            ("late", lambda row: row["grade"]["ratio_late"]),
            ("delay-1", lambda row: row["delays"][0]["low"] + row["delays"][0]["high"]),
            ("jitter", lambda row: row["jitter"]),
            ("cap", lambda row: np.inf if row["cap"] is None else row["cap"]),
            ("gives-up", lambda row: row["gives_up_after"] or np.inf),
        ],
    )
    def test_is_sorted_by_any_column(self, cli, column, value):
        """From the smallest; what has no end comes last."""
        values = [value(row) for row in listed(cli, "--sort", column)]
        assert values == sorted(values)
        assert len(values) == len(NAMED)

    def test_refuses_a_column_that_does_not_exist(self, cli):
        """And suggests one that does."""
        done = cli("policies", "--sort", "grades")
        assert done.returncode == 2
        assert "did you mean 'grade'?" in done.stderr
        assert done.stdout == ""


class TestExplained:
    """`herd policies NAME`."""

    @pytest.mark.parametrize("name", NAMED)
    def test_settings_make_the_policy(self, cli, name):
        """What a policy is explained by makes the same policy."""
        found = json.loads(cli("policies", name, "--json").stdout)
        data = {"client": {"policy": found["settings"]}}
        assert parse(data, source="test").client.policy == NAMED[name]

    @pytest.mark.parametrize("name", ["fixed", "exponential-proportional-jitter", "socket.io"])
    def test_gives_a_table_to_start_from(self, cli, name):
        """The TOML that is printed makes the same policy."""
        text = cli("policies", name, "--figure", "policy.svg").stdout
        table = text[text.index("[client.policy]") : text.index("attempt  delay")]
        assert parse(tomllib.loads(table), source="test").client.policy == NAMED[name]

    @pytest.mark.parametrize("name", PRESETS)
    def test_tells_programs_where_a_preset_comes_from(self, cli, name):
        """Library, version, licence, source, rule and what it does in a storm."""
        found = json.loads(cli("policies", name, "--json").stdout)
        for field in ("library", "version", "licence", "source", "rule", "storm"):
            assert found[field] == getattr(PRESETS[name], field)
        assert set(found["client"] or ()) == set(PRESETS[name].client)

    def test_tells_people_the_same_and_the_grade(self, cli):
        """Each with its name before it."""
        preset = PRESETS["partysocket"]
        text = " ".join(cli("policies", "partysocket", "--figure", "policy.svg").stdout.split())
        assert f"library {preset.library} {preset.version}, {preset.licence}" in text
        assert f"source {' '.join(preset.source.split())}" in text
        assert f"rule {' '.join(preset.rule.split())}" in text
        assert f"in a storm {' '.join(preset.storm.split())}" in text
        assert "grade E: at worst 6.66 times" in text

    def test_draws_a_figure_where_it_is_told_to(self, cli, in_tmp):
        """And says where that is."""
        done = cli("policies", "fixed", "--figure", "new/fixed.png")
        assert done.stdout.splitlines()[-1] == "Figure in new/fixed.png"
        assert imread(in_tmp / "new" / "fixed.png").min() < 1.0

    def test_draws_a_figure_anyway(self, cli, in_tmp):
        """Beside the runs."""
        cli("policies", "fixed")
        assert (in_tmp / "herd-runs" / "policies" / "fixed.png").is_file()

    def test_writes_nothing_unasked_for_programs(self, cli, in_tmp):
        """With --json there is a figure only on request."""
        found = json.loads(cli("policies", "fixed", "--json").stdout)
        assert found["figure"] is None
        assert found["library"] is found["client"] is None
        assert found["settings"] == {"name": "fixed", "growth": "constant"}
        assert list(in_tmp.iterdir()) == []
        found = json.loads(cli("policies", "fixed", "--json", "--figure", "f.svg").stdout)
        assert found["figure"] == "f.svg"
        assert (in_tmp / "f.svg").is_file()

    def test_tells_twelve_delays_and_the_end(self, cli, own_module):
        """A client that gives up has no delay after that."""
        name = own_module("policy = Policy(growth='constant', max_attempts=3)")
        text = cli("policies", f"{name}:policy").stdout
        assert "After 3 attempts without success it gives up." in text
        assert len(json.loads(cli("policies", f"{name}:policy", "--json").stdout)["delays"]) == 3
        assert len(json.loads(cli("policies", "fixed", "--json").stdout)["delays"]) == 12


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--delays", "5"], "NAME"),
        (["--figure", "f.png"], "NAME"),
        (["fixed", "--sort", "name"], "without a NAME"),
        (["fixed", "--seed", "4"], "--delays"),
        (["fixed", "--delays", "5", "--figure", "f.png"], "no effect"),
        (["fixed", "--figure", "f.doc"], ".png"),
        (["fixed", "--figure", "file/f.png"], "cannot be written"),
    ],
)
def test_options_that_could_only_be_ignored_are_refused(cli, in_tmp, arguments, said):
    """In one line with exit code 2."""
    (in_tmp / "file").write_text("")
    done = cli("policies", *arguments)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert said in line


class TestDelays:
    """`herd policies NAME --delays N`."""

    @pytest.mark.parametrize("name", NAMED)
    def test_lie_within_the_bounds(self, cli, name):
        """And with chance in it, clients differ."""
        rows = np.array(json.loads(cli("policies", name, "--delays", 50, "--json").stdout))
        n_attempts = min(12, most_retries(NAMED[name]) or 12)
        assert rows.shape == (50, n_attempts)
        found = json.loads(cli("policies", name, "--json").stdout)
        bounds = found["delays"]
        assert (rows >= [bound["low"] - 0.0011 for bound in bounds]).all()
        assert (rows <= [bound["high"] + 1e-9 for bound in bounds]).all()
        assert (np.unique(rows, axis=0).shape[0] > 1) == (found["jitter"] != "none")

    def test_depend_on_the_seed(self, cli):
        """A seed always gives the same delays, another seed others; 1 unless given."""
        draw = ("policies", "exponential-full-jitter", "--delays", 5, "--json")
        first = cli(*draw).stdout
        assert first == cli(*draw, "--seed", 1).stdout != cli(*draw, "--seed", 4).stdout

    def test_end_where_clients_give_up(self, cli, own_module):
        """A row is as long as the client tries, for people and for programs."""
        name = own_module("policy = Policy(growth='constant', max_attempts=4)")
        draw = ("policies", f"{name}:policy", "--delays", 3)
        assert json.loads(cli(*draw, "--json").stdout) == [[1.0] * 4] * 3
        text = cli(*draw).stdout
        assert text.splitlines()[0].endswith("delay 4")
        assert "After 4 attempts without success it gives up." in text

    def test_of_a_client_that_never_tries(self, cli, own_module):
        """There are none."""
        policy = f"{own_module('policy = Policy(max_attempts=0)')}:policy"
        assert json.loads(cli("policies", policy, "--delays", 2, "--json").stdout) == [[], []]
        assert cli("policies", policy, "--delays", 2).returncode == 0
        assert cli("policies", policy).returncode == 0


def test_scenarios(cli):
    """The built-in scenarios are listed, and printed as they were written."""
    assert "restart" in cli("scenarios").stdout
    assert cli("scenarios", "restart").stdout == builtin_scenarios()["restart"]
