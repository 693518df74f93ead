"""`herd sweep`: a grid of scenarios with replications."""

from pathlib import Path
from typing import Annotated

import typer

from simulator.cli import options


def sweep(  # noqa: PLR0917 - Typer makes options of them
    scenario: options.ScenarioArgument = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            "--vary",
            metavar="FIELD=V1,V2,...",
            help="Run with each of these values, as in client.policy.base=0.5,1,2; repeatable: "
            "every combination is a cell.",
        ),
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(
            "--policy",
            metavar="NAME",
            help="Run with this policy in the place of every cohort's; repeatable: an axis.",
        ),
    ] = None,
    replications: Annotated[
        int, typer.Option("--replications", metavar="N", help="Runs of each cell, seed by seed.")
    ] = 20,
    engine: Annotated[
        str,
        typer.Option(
            "--engine",
            metavar="NAME",
            help="How time passes. The model unless told otherwise: a grid is many runs, and live "
            "ones last as long as they say.",
        ),
    ] = "model",
    clients: options.ClientsOption = None,
    seed: options.SeedOption = None,
    changes: options.SetOption = None,
    workers: options.WorkersOption = None,
    dask: Annotated[
        str | None,
        typer.Option(
            "--dask",
            metavar="ADDRESS",
            help="Run the cells on the workers of this Dask scheduler, as tcp://HOST:8786.",
        ),
    ] = None,
    max_cells: Annotated[
        int, typer.Option("--max-cells", metavar="N", help="The most cells that are meant.")
    ] = 10_000,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Where to put the rows; a directory that holds part of the same sweep is "
            "completed. A new one in herd-runs/ if left out.",
        ),
    ] = None,
    json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Run every combination of some settings, each with several seeds."""
    from simulator.cli import sweeping  # noqa: PLC0415 - heavy, and `herd --help` needs none of it

    sweeping.sweep(
        sweeping.AskedToSweep(
            scenario=scenario,
            vary=vary or [],
            policies=policy or [],
            replications=replications,
            engine=engine,
            clients=clients,
            seed=seed,
            changes=changes or [],
            workers=workers,
            dask=dask,
            max_cells=max_cells,
            out=out,
            json=json,
            quiet=quiet,
        )
    )
