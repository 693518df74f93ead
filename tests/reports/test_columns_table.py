"""The documentation of the tables is made from their schemas."""

from pathlib import Path

from reports.columns_table import columns_table
from simulator.results import DIGEST, TABLES

COLUMNS = Path(__file__).parents[2] / "reports" / "COLUMNS.md"


def test_it_is_current():
    """If not: python -m reports.columns_table reports/COLUMNS.md."""
    assert COLUMNS.read_text(encoding="utf-8") == columns_table()


def test_each_column_has_a_row():
    """With a meaning."""
    rows = [line.split(" | ") for line in columns_table().splitlines() if line.startswith("| `")]
    n_columns = sum(len(schema.columns) for schema in (TABLES | DIGEST).values())
    assert len(rows) == n_columns
    assert all(row[-1].strip(" |") for row in rows)
