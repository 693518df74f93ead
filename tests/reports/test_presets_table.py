"""The README's table of presets is made from the presets."""

from pathlib import Path

import pytest

from reports.presets_table import BEGIN, END, presets_table, renewed
from simulator.core.presets import PRESETS

README = Path(__file__).parents[2] / "README.md"


def test_the_readme_is_current():
    """If not: python -m reports.presets_table README.md."""
    text = README.read_text(encoding="utf-8")
    assert renewed(text) == text


def test_each_preset_has_a_row():
    """In the presets' order, under a header."""
    rows = presets_table().splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == list(PRESETS)


def test_a_row_tells_delays_and_when_it_is_over():
    """A range where a delay is drawn, and what repeats once."""
    rows = {row.split("`")[1]: row for row in presets_table().splitlines()[2:]}
    assert "| 0, 2, 10, 30 | after 4 retries |" in rows["signalr"]
    assert "| 0.55-1.5, 1.1-3, 2.2-5, 4.4-5, 5 ... | never |" in rows["socket.io"]
    assert "| 1.3-4 | after 1 retry |" in rows["graphql-ws"]


def test_only_what_is_between_the_markers_is_written():
    """And there must be two of them."""
    text = renewed(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    assert text.startswith(f"before\n{BEGIN}\n\n| `--policy` |")
    assert text.endswith(f"|\n\n{END}\nafter\n")
    assert "old" not in text
    with pytest.raises(ValueError, match="needs the lines"):
        renewed(f"before\n{BEGIN}\n")
