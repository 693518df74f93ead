"""`herd plan`: what capacity, or which policy, meets the objectives."""

from typing import Annotated

import typer

from simulator.cli import options


def plan(  # noqa: PLR0917 - Typer makes options of them
    scenario: options.ScenarioArgument = None,
    objective: Annotated[
        list[str] | None,
        typer.Option(
            "--objective",
            metavar="'METRIC OP VALUE'",
            help="What has to hold, as 'time_to_recovery_p99 < 30'; repeatable. In the place of "
            "the scenario's own objectives.",
        ),
    ] = None,
    engine: Annotated[
        str,
        typer.Option("--engine", metavar="NAME", help="How time passes: model, or virtual."),
    ] = "model",
    clients: options.ClientsOption = None,
    policy: options.PolicyOption = None,
    seed: options.SeedOption = None,
    changes: options.SetOption = None,
    replications: Annotated[
        int, typer.Option("--replications", metavar="N", help="Seeds of settings that matter.")
    ] = 6,
    workers: options.WorkersOption = None,
    budget: Annotated[
        float,
        typer.Option(
            "--budget",
            metavar="SECONDS",
            help="After this no further search is begun; what was left out is said.",
        ),
    ] = 90.0,
    out: options.OutOption = None,
    force: options.ForceOption = False,
    json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Find the policy or the capacity that meets the objectives, and how far it holds."""
    from simulator.cli import planning  # noqa: PLC0415 - heavy, and `herd --help` needs none of it

    planning.plan(
        planning.AskedToPlan(
            scenario=scenario,
            objectives=objective or [],
            engine=engine,
            clients=clients,
            policies=policy or [],
            seed=seed,
            changes=changes or [],
            replications=replications,
            workers=workers,
            budget=budget,
            out=out,
            force=force,
            json=json,
            quiet=quiet,
        )
    )
