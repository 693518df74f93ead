"""`herd report`: figures and numbers from records."""

from pathlib import Path
from typing import Annotated

import typer


def report(
    directories: Annotated[
        list[Path],
        typer.Argument(metavar="RUN_DIR...", help="Directories that run or compare have written."),
    ],
) -> None:
    """Draw the figures of recorded runs or comparisons again, and print their numbers."""
    from simulator.cli import running  # noqa: PLC0415 - heavy, and `herd --help` needs none of it

    running.report(directories)
