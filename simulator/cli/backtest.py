"""`herd backtest`: a recorded storm beside its forecast."""

import math
from pathlib import Path
from typing import Annotated

import typer

from simulator.cli import options


def backtest(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="A recorded run to forecast.")],
    scenario: Annotated[
        str,
        typer.Option(
            "--scenario",
            metavar="FILE",
            help="TOML whose [server] table the forecast takes, as herd calibrate writes it; "
            "clients and outages are those of the record.",
        ),
    ],
    replications: Annotated[
        int, typer.Option("--replications", metavar="N", help="How many seeds.")
    ] = 20,
    engine: Annotated[
        str, typer.Option("--engine", metavar="NAME", help="model or virtual.")
    ] = "model",
    json: options.JsonOption = False,
) -> None:
    """Forecast a storm that was recorded but not fitted to, and state the error."""
    from reports.wording import percent  # noqa: PLC0415 - heavy
    from simulator.calibration import backtest as forecast  # noqa: PLC0415 - heavy
    from simulator.cli.printing import print_json, print_table  # noqa: PLC0415 - heavy
    from simulator.run_directory import load_run  # noqa: PLC0415 - heavy
    from simulator.scenario_files import load_scenario  # noqa: PLC0415 - heavy

    server = load_scenario(scenario).server
    found = forecast(load_run(run_dir), server, replications=replications, engine=engine)
    if json:
        print_json(found.values())
        return

    def number(value: float) -> str:
        return f"{value:,.4g}" if math.isfinite(value) else "never"

    print_table(
        ("metric", "recorded", "forecast", "9 of 10 replications", "error"),
        [
            (
                one.metric,
                number(one.truth),
                number(one.median),
                f"{number(one.low)} to {number(one.high)}",
                "" if one.error is None else f"{100 * one.error:+.1f} %",
            )
            for one in found.forecasts
        ],
    )
    if found.share_inside is None:
        typer.echo("Nobody came back, so there is no recovery curve to hold the forecast to.")
    else:
        typer.echo(
            f"{percent(found.share_inside)} of the recorded recovery curve lie within the "
            f"forecast's range over {found.replications} seeds ({found.engine} engine), which does "
            f"not count how uncertain the fitted settings are."
        )
