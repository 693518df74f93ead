"""`herd policies` and `herd scenarios`."""

import json
import tomllib

import numpy as np
import pytest

from simulator.core.backoff import BASIC
from simulator.scenario import parse
from simulator.scenario_files import builtin_scenarios


def test_list(cli):
    """Every policy is listed with its first delays."""
    lines = cli("policies").stdout.splitlines()
    assert [line.split()[0] for line in lines[1 : 1 + len(BASIC)]] == list(BASIC)
    (full,) = (line for line in lines if line.startswith("exponential-full-jitter"))
    assert full.split()[1:5] == ["0-1", "0-2", "0-4", "0-8"]


def test_list_json(cli):
    """The same for programs."""
    found = {policy["name"]: policy for policy in json.loads(cli("policies", "--json").stdout)}
    assert set(found) == set(BASIC)
    assert [delay["high"] for delay in found["linear"]["delays"]] == [1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize("name", BASIC)
def test_explained(cli, name):
    """The table that a policy is explained by makes the same policy."""
    text = cli("policies", name).stdout
    table = text[text.index("[client.policy]") : text.index("attempt  delay")]
    assert parse(tomllib.loads(table), source="test").client.policy == BASIC[name]


@pytest.mark.parametrize("name", BASIC)
def test_delays(cli, name):
    """The delays of many clients lie within the bounds and, with jitter, differ."""
    rows = np.array(json.loads(cli("policies", name, "--delays", 50, "--json").stdout))
    assert rows.shape == (50, 12)
    bounds = json.loads(cli("policies", name, "--json").stdout)["delays"]
    assert (rows >= [bound["low"] for bound in bounds]).all()
    assert (rows <= [bound["high"] for bound in bounds]).all()
    assert (np.unique(rows, axis=0).shape[0] > 1) == (BASIC[name].jitter != "none")


def test_seeded_delays(cli):
    """A seed always gives the same delays, another seed others."""
    draw = ("policies", "exponential-full-jitter", "--delays", 5, "--json", "--seed")
    assert cli(*draw, 3).stdout == cli(*draw, 3).stdout != cli(*draw, 4).stdout


def test_delays_without_a_name(cli):
    """Delays are those of one policy, whose name must be given."""
    done = cli("policies", "--delays", 5)
    assert done.returncode == 2
    assert "NAME" in done.stderr


def test_scenarios(cli):
    """The built-in scenarios are listed, and printed as they were written."""
    assert "restart" in cli("scenarios").stdout
    assert cli("scenarios", "restart").stdout == builtin_scenarios()["restart"]
