"""How commands print: complaints, JSON, tables, and names with values."""

import json
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from textwrap import wrap

import typer


def complain(message: str) -> None:
    """Say on stderr what is wrong, a line for each thing."""
    for line in message.splitlines():
        typer.echo(f"herd: {line}", err=True)


def print_json(data: object) -> None:
    """JSON on stdout."""
    typer.echo(json.dumps(data, indent=2, allow_nan=False, ensure_ascii=False))


def print_table(
    headers: Sequence[str], rows: Iterable[Sequence[str]], *, header_width: int | None = None
) -> None:
    """Columns that are as wide as their widest cell, all flush left.

    Args:
        headers: What stands above the columns.
        rows: The cells, in text.
        header_width: Characters after which a header goes on in a further line; None for never.
    """
    wrapped = [
        [header] if header_width is None else wrap(header, header_width) for header in headers
    ]
    lines = [*zip_longest(*wrapped, fillvalue=""), *map(tuple, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())


def print_pairs(pairs: Iterable[tuple[str, str]]) -> None:
    """Names and values, a line for each."""
    lines = list(pairs)
    width = max((len(name) for name, _ in lines), default=0)
    for name, value in lines:
        typer.echo(f"{name.ljust(width)}  {value}")
