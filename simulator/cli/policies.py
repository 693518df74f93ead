"""`herd policies`: how long clients wait, and what a herd of them does to a server."""

from pathlib import Path
from typing import Annotated

import typer

from simulator.cli import options


def policies(  # noqa: PLR0917 - Typer makes options of them
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="Explain this one; also MODULE:ATTRIBUTE or FILE.csv, a policy of your own.",
        ),
    ] = None,
    delays: Annotated[
        int | None,
        typer.Option(
            "--delays",
            metavar="N",
            min=1,
            help="Print the delays of N clients for the first twelve attempts after a loss, each "
            "refused after 1 ms; with --json.",
        ),
    ] = None,
    figure: Annotated[
        Path | None,
        typer.Option(
            "--figure",
            metavar="FILE",
            help="Where to draw the policy NAME: a .png, .svg or .pdf; below herd-runs/policies/ "
            "if left out.",
        ),
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option(
            "--sort",
            metavar="COLUMN",
            help="Sort the list by name, grade, peak, late, delay-1 ... delay-4, jitter, cap or "
            "gives-up.",
        ),
    ] = None,
    seed: options.SeedOption = None,
    json: options.JsonOption = False,
) -> None:
    """List the policies with their first delays and grades, or explain one."""
    if name is None:
        for option, value in {"--delays": delays, "--figure": figure}.items():
            if value is not None:
                raise typer.BadParameter("needs the NAME of a policy", param_hint=option)
    if name is not None and sort is not None:
        raise typer.BadParameter("sorts the list, so it goes without a NAME", param_hint="--sort")
    if seed is not None and delays is None:
        raise typer.BadParameter("has no effect without --delays", param_hint="--seed")
    if delays is not None and figure is not None:
        raise typer.BadParameter("has no effect beside --delays", param_hint="--figure")
    if name is None:
        from simulator.cli import listing  # noqa: PLC0415 - heavy, not needed for --help

        listing.list_policies(sort=sort, as_json=json)
        return
    from simulator.cli import explaining  # noqa: PLC0415 - likewise, and not needed for the list

    if delays is None:
        explaining.explain_policy(name, figure=figure, as_json=json)
    else:
        explaining.print_delays(name, delays, seed=1 if seed is None else seed, as_json=json)
