"""`herd scenarios`: what comes built in."""

from typing import Annotated

import typer


def scenarios(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Print this one's TOML.")
    ] = None,
) -> None:
    """List the built-in scenarios, or print one as TOML to start from."""
    from simulator.cli.printing import print_table  # noqa: PLC0415 - heavy
    from simulator.errors import UnknownNameError  # noqa: PLC0415
    from simulator.scenario_files import builtin_scenarios, load_scenario  # noqa: PLC0415 - heavy

    builtin = builtin_scenarios()
    if name is None:
        loaded = [load_scenario(name) for name in builtin]
        print_table(
            ("scenario", "clients", "lasts", "shows"),
            [
                (one.name, f"{one.n_clients:,}", f"{one.horizon:g} s", one.description)
                for one in loaded
            ],
        )
    elif name in builtin:
        typer.echo(builtin[name], nl=False)
    else:
        raise UnknownNameError("scenario", name, builtin)
