"""`herd policies`: how long clients wait."""

from typing import Annotated

import typer

from simulator.cli import options


def policies(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Explain this one.")] = None,
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
    seed: options.SeedOption = 1,
    json: options.JsonOption = False,
) -> None:
    """List the policies with their first delays, or explain one."""
    from simulator.cli import explaining  # noqa: PLC0415 - heavy, and `herd --help` needs no policy

    if name is None and delays is not None:
        raise typer.BadParameter("needs the NAME of a policy", param_hint="--delays")
    if name is None:
        explaining.list_policies(as_json=json)
    elif delays is None:
        explaining.explain_policy(name, as_json=json)
    else:
        explaining.print_delays(name, delays, seed=1 if seed is None else seed, as_json=json)
