"""Recorded tables: in memory, on disk, and after a kill."""

import os
import signal
import subprocess
import sys
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pytest

from server_stub.tables import LOSSES, OUTAGES, SERVER, SERVICES, Column, Schema, TableWriter

SMALL = Schema(
    name="small",
    columns=(
        Column(name="client", dtype="u4", meaning="who"),
        Column(name="at", dtype="f8", unit="s", meaning="when"),
    ),
)


def read(path):
    """The whole batches of a stream, ended or not."""
    with pa.ipc.open_stream(str(path)) as stream:
        batches = []
        with suppress(OSError, pa.ArrowInvalid):
            batches.extend(stream)
    return pa.Table.from_batches(batches, schema=stream.schema).to_pydict()


@pytest.mark.parametrize("schema", [SERVER, OUTAGES, LOSSES, SERVICES, SMALL])
def test_columns_have_the_types_of_the_schema(schema):
    """Empty or not, in numpy as in Arrow."""
    writer = TableWriter(schema)
    writer.append(*(1 for _ in schema.columns))
    for columns in (schema.empty(), writer.columns()):
        assert {name: values.dtype.str[1:] for name, values in columns.items()} == {
            column.name: column.dtype for column in schema.columns
        }
    assert schema.arrow().names == [column.name for column in schema.columns]


def test_rows_stay_in_order():
    """As they were appended."""
    writer = TableWriter(SMALL)
    writer.append(3, 0.5)
    writer.append(1, 0.25)
    assert writer.columns()["client"].tolist() == [3, 1]
    assert writer.columns()["at"].tolist() == [0.5, 0.25]


def test_what_was_handed_out_does_not_change():
    """Columns are a copy."""
    writer = TableWriter(SMALL)
    writer.append(3, 0.5)
    columns = writer.columns()
    writer.append(1, 0.25)
    assert columns["client"].tolist() == [3]
    with pytest.raises(TypeError):
        columns["client"] = np.zeros(1)


def test_a_row_must_be_complete():
    """A value too few is a bug of the writer."""
    with pytest.raises(ValueError, match="zip"):
        TableWriter(SMALL).append(3)


def test_flushed_rows_are_on_disk_and_not_in_memory(tmp_path):
    """So that a long run does not grow."""
    path = tmp_path / "small.arrows"
    writer = TableWriter(SMALL, path)
    writer.append(3, 0.5)
    writer.flush()
    writer.append(1, 0.25)
    assert read(path) == {"client": [3], "at": [0.5]}
    assert writer.columns()["client"].tolist() == [1]
    writer.close()
    assert read(path) == {"client": [3, 1], "at": [0.5, 0.25]}


def test_a_flush_without_rows_writes_nothing(tmp_path):
    """Flushing on the clock is cheap."""
    path = tmp_path / "small.arrows"
    writer = TableWriter(SMALL, path)
    size = path.stat().st_size
    writer.flush()
    assert path.stat().st_size == size
    writer.close()
    assert read(path) == {"client": [], "at": []}


def test_in_memory_a_flush_keeps_the_rows():
    """There is nowhere else."""
    writer = TableWriter(SMALL)
    writer.append(3, 0.5)
    writer.flush()
    writer.close()
    assert writer.columns()["client"].tolist() == [3]


def test_what_was_flushed_survives_a_kill(tmp_path):
    """The operating system has it, even when the process dies without a word."""
    path = tmp_path / "losses.arrows"
    script = (
        "import os, pathlib, signal, sys\n"
        "from server_stub.tables import LOSSES, TableWriter\n"
        "writer = TableWriter(LOSSES, pathlib.Path(sys.argv[1]))\n"
        "for row in range(3):\n"
        "    writer.append(row, 1, 0, 0, 2.5)\n"
        "    writer.flush()\n"
        "writer.append(99, 1, 0, 0, 2.5)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert read(path)["client"] == [0, 1, 2]


def test_a_batch_cut_off_half_way_costs_only_itself(tmp_path):
    """As when the disk is full."""
    path = tmp_path / "small.arrows"
    writer = TableWriter(SMALL, path)
    for row in range(2):
        writer.append(row, 0.5)
        writer.flush()
    os.truncate(path, path.stat().st_size - 10)
    assert read(path)["client"] == [0]
    writer.close()
