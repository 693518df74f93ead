"""What commands print, and what is said about a run in words."""

import pytest

from reports.trust import verdict_in_words
from simulator.cli.printing import print_table
from simulator.results import Manifest, Thresholds


def test_columns_are_as_wide_as_their_widest_cell(capsys):
    """Flush left, with nothing after the last."""
    print_table(("policy", "back"), [("fixed", "28 %"), ("exponential", "")])
    assert capsys.readouterr().out == "policy       back\nfixed        28 %\nexponential\n"


def test_long_headers_go_on_in_further_lines(capsys):
    """Where columns are many, so that they stay narrow."""
    print_table(("policy", "95 % back after"), [("fixed", "never")], header_width=9)
    assert capsys.readouterr().out == "policy  95 % back\n        after\nfixed   never\n"


def words(verdict, **manifest):
    """The sentence about a run with this verdict."""
    summary = {"verdict": verdict, "cut_short": False}
    fields = {
        "herd_version": "0",
        "engine": "live",
        "scenario": "custom",
        "seed": 1,
        "transport": "wsproto",
        "created_at": "2026-01-01T00:00:00+00:00",
        "verdict_thresholds": Thresholds(ok=0.1, strained=0.3),
    }
    return verdict_in_words(summary, Manifest(**fields, **manifest))


def test_whose_verdict_it_is():
    """At a server that is not herd's only the clients were watched, and it says so."""
    assert "clients and server kept up" in words("ok")
    elsewhere = words("ok", target="ws://localhost:8000/")
    assert "the clients kept up" in elsewhere
    assert "It rests on the clients alone" in elsewhere


@pytest.mark.parametrize("verdict", ["strained", "saturated"])
def test_a_ceiling_is_told_from_a_slow_machine(verdict):
    """What held the attempts back decides what to try."""
    assert "a machine with more cores" in words(verdict, target="ws://localhost:8000/")
    held = words(verdict, target="ws://localhost:8000/", n_held_back=1234)
    assert "held 1,234 attempts back" in held
    assert "--max-connects" in held
