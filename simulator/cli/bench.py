"""`herd bench`: how large a herd this machine drives."""

from typing import Annotated

import typer

from simulator.cli import options


def bench(
    clients: Annotated[
        int, typer.Option("--clients", metavar="N", help="How many to connect at once.")
    ] = 2000,
    storm: Annotated[
        list[int] | None,
        typer.Option(
            "--storm",
            metavar="N",
            help="Clients of a storm for the model engine; 100,000 and 1,000,000 unless given.",
        ),
    ] = None,
    json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Measure connects per CPU-second and memory per client, and the virtual engine's speed.

    Whole clients with heartbeat and records, against a bare responder in a process of its own;
    beside them a bare Trio socket, which sets the scale. Aimed at, on one core: wsproto 3,000
    connects per CPU-second and 12 KB per client; trio-websocket 1,200 and 26 KB; the virtual
    engine 50,000 seconds of a connected client's life per CPU-second; the model engine 6 million
    attempts per CPU-second and 60 bytes per client with a million clients, and 100 times SimPy (if
    that is installed) with 100,000. `--storm 10000000` takes a minute and 600 MB.
    """
    from simulator.bench.models import SIZES  # noqa: PLC0415 - likewise
    from simulator.cli import measuring  # noqa: PLC0415 - heavy, and `herd --help` needs none of it

    measuring.run_bench(clients, storm or SIZES, as_json=json, quiet=quiet)
