"""`herd report`: the report, figures and numbers from records."""

from pathlib import Path
from typing import Annotated

import typer


def report(
    directories: Annotated[
        list[Path],
        typer.Argument(metavar="RUN_DIR...", help="Directories that run or compare have written."),
    ],
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help="html or md (for a wiki or a pull request); with --figures-only png or svg.",
            show_default="html",
        ),
    ] = None,
    figures_only: Annotated[
        bool, typer.Option("--figures-only", help="Draw the figures, and write no report.")
    ] = False,
    baseline: Annotated[
        Path | None,
        typer.Option(
            "--baseline",
            metavar="EARLIER_DIR",
            help="Say what got worse since these records beyond the noise; exit with 3 if "
            "anything did.",
        ),
    ] = None,
) -> None:
    """Write the report of recorded runs or comparisons as one file, and print their numbers."""
    from simulator.cli import reporting  # noqa: PLC0415 - heavy, `herd --help` needs none of it

    reporting.report(
        directories,
        reporting.Wanted(format=format, figures_only=figures_only, baseline=baseline),
    )
