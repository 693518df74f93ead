"""Tables as text for other programs."""

import csv
import io
import json

import numpy as np
import pytest

from simulator.errors import UnknownNameError
from simulator.exporting import export, table_names, write_text


def text(result, table, format):
    """A table as text."""
    file = io.BytesIO()
    write_text(result, table, file, format=format)
    return file.getvalue().decode()


def test_csv_reads_back(recovered):
    """Words for codes, an empty field for what is not known."""
    rows = list(csv.DictReader(io.StringIO(text(recovered, "attempts", "csv"))))
    assert np.array_equal([float(row["ended_at"]) for row in rows], recovered.attempts["ended_at"])
    assert {row["outcome"] for row in rows} == {"connected"}
    (gave_up, *_) = csv.DictReader(io.StringIO(text(recovered, "clients", "csv")))
    assert gave_up["gave_up_at"] == ""


def test_json_lines_read_back(recovered):
    """An object per row, null for what is not known."""
    rows = [json.loads(line) for line in text(recovered, "clients", "jsonl").splitlines()]
    assert [row["client"] for row in rows] == [0, 1, 2]
    assert [row["cohort"] for row in rows] == ["all"] * 3
    assert rows[0]["gave_up_at"] is None


def test_a_table_without_rows_has_a_header(recovered):
    """In CSV; JSON lines have nothing to say."""
    assert text(recovered, "stages", "csv").startswith('"at","node"')
    assert text(recovered, "stages", "jsonl") == ""


def test_all_tables_go_into_a_directory(recovered, tmp_path):
    """A file for each."""
    paths = export(recovered, tmp_path / "csv", format="csv")
    assert [path.stem for path in paths] == list(table_names(recovered))
    assert all(path.is_file() for path in paths)


def test_there_must_be_such_a_table(recovered):
    """Others are suggested."""
    with pytest.raises(UnknownNameError, match="table 'attempt'"):
        text(recovered, "attempt", "csv")
