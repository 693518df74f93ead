"""What `herd export` does once its options are read."""

import sys
from pathlib import Path

import typer

from simulator.errors import InputError, UnknownNameError
from simulator.exporting import FORMATS, write_text
from simulator.exporting import export as export_run
from simulator.run_directory import COMPARISON, compared_runs, load_run


def export(directory: Path, *, format: str, table: str | None, out: Path | None) -> None:
    """Write tables as text.

    Args:
        directory: Of a run or a comparison.
        format: "csv" or "jsonl".
        table: The only one, for stdout; None for files of all.
        out: Where files go; into the directory itself, below the format's name, if None.

    Raises:
        InputError: The records cannot be read, or options do not go together.
    """
    if format not in FORMATS:
        raise UnknownNameError("--format", format, FORMATS)
    if table is not None and out is not None:
        raise InputError("--out: has no effect beside --table, which prints on stdout")
    is_comparison = (directory / COMPARISON).is_file()
    if table is not None:
        if is_comparison:
            runs = ", ".join(str(directory / name) for name in compared_runs(directory))
            raise InputError(f"--table: {directory} holds several runs; allowed: {runs}")
        write_text(load_run(directory), table, sys.stdout.buffer, format=format)
        return
    target = out or directory / format
    runs_of = (
        {directory / name: target / name for name in compared_runs(directory)}
        if is_comparison
        else {directory: target}
    )
    for source, place in runs_of.items():
        for path in export_run(load_run(source), place, format=format):
            typer.echo(str(path))
