"""`herd bench`: how large a herd this machine drives."""

from typing import Annotated

import typer

from simulator.cli import options


def bench(
    clients: Annotated[
        int, typer.Option("--clients", metavar="N", help="How many to connect at once.")
    ] = 2000,
    json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Measure connects per CPU-second and memory per client, and the virtual engine's speed.

    Whole clients with heartbeat and records, against a bare responder in a process of its own;
    beside them a bare Trio socket, which sets the scale. Aimed at, on one core: wsproto 3,000
    connects per CPU-second and 12 KB per client; trio-websocket 1,200 and 26 KB; the virtual
    engine 50,000 seconds of a connected client's life per CPU-second.
    """
    from simulator.cli import measuring  # noqa: PLC0415 - heavy, and `herd --help` needs none of it

    measuring.run_bench(clients, as_json=json, quiet=quiet)
