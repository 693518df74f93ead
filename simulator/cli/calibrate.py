"""`herd calibrate`: a server's settings from a storm that was recorded."""

from pathlib import Path
from typing import Annotated

import typer

from simulator.cli import options


def calibrate(
    run_dir: Annotated[
        Path | None,
        typer.Argument(metavar="RUN_DIR", help="A recorded run, of the stub or of a --target."),
    ] = None,
    incident: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="Fit a capacity to a CSV of a real incident instead: a column of timestamps of "
            "connects, or of times and counts.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write the TOML there instead of on stdout."),
    ] = None,
    json: options.JsonOption = False,
) -> None:
    """Fit a [server] table to a recorded run, and say what it rests on."""
    from simulator.calibration import fit_incident, fit_run  # noqa: PLC0415 - heavy
    from simulator.cli.printing import print_json  # noqa: PLC0415 - heavy
    from simulator.errors import InputError  # noqa: PLC0415
    from simulator.run_directory import load_run  # noqa: PLC0415 - heavy

    if (run_dir is None) == (incident is None):
        raise InputError("herd calibrate: allowed: either RUN_DIR or --from FILE")
    if incident is not None:
        fitted = fit_incident(incident)
    else:
        assert run_dir is not None
        fitted = fit_run(load_run(run_dir), source=run_dir.name)
    if out is not None:
        try:
            out.write_text(fitted.to_toml(), encoding="utf-8")
        except OSError as error:
            raise InputError(f"--out = {out}: {error.strerror}") from None
    if json:
        print_json(fitted.values())
    elif out is None:
        typer.echo(fitted.to_toml(), nl=False)
