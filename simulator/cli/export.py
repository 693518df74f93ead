"""`herd export`: recorded tables for other programs."""

from pathlib import Path
from typing import Annotated

import typer


def export(
    directory: Annotated[
        Path, typer.Argument(metavar="RUN_DIR", help="A directory that run or compare has written.")
    ],
    format: Annotated[
        str, typer.Option("--format", metavar="NAME", help="csv, or jsonl: an object per line.")
    ] = "csv",
    table: Annotated[
        str | None,
        typer.Option("--table", metavar="NAME", help="Print this table alone, on stdout."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Where to put the files; in a directory called after the format within RUN_DIR "
            "if left out.",
        ),
    ] = None,
) -> None:
    """Write the tables of a run, or of each run of a comparison, as text: a file per table."""
    from simulator.cli import exporting  # noqa: PLC0415 - heavy, `herd --help` needs none of it

    exporting.export(directory, format=format, table=table, out=out)
