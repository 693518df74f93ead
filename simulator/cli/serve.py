"""`herd serve`: the stub server for anyone's clients."""

from pathlib import Path
from typing import Annotated

import typer

from simulator.cli import options
from simulator.cli.options import AskedToServe


def serve(  # noqa: PLR0917 - Typer makes options of them
    scenario: options.ScenarioArgument = "restart",
    host: Annotated[
        str,
        typer.Option(
            "--host", metavar="ADDRESS", help="Where to listen; others than this machine: 0.0.0.0."
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            "--port",
            metavar="P",
            help="Of the WebSocket server: server.port, or else 8765; 0 for a free one.",
        ),
    ] = None,
    http_port: Annotated[
        int | None,
        typer.Option(
            "--http-port",
            metavar="P",
            help="Of health, metrics and orders; a free one if left out.",
        ),
    ] = None,
    no_http: Annotated[bool, typer.Option("--no-http", help="Open no second port.")] = False,
    tls: Annotated[
        bool, typer.Option("--tls", help="Speak wss, with a certificate made for the occasion.")
    ] = False,
    cert: Annotated[
        Path | None,
        typer.Option("--cert", metavar="FILE", help="Speak wss with this certificate (PEM)."),
    ] = None,
    key: Annotated[
        Path | None, typer.Option("--key", metavar="FILE", help="The key of --cert (PEM).")
    ] = None,
    client_id: Annotated[
        str,
        typer.Option(
            "--client-id",
            metavar="WHAT",
            help="What tells clients apart: query:NAME, header:NAME or address.",
        ),
    ] = "query:client",
    begin_after: Annotated[
        int,
        typer.Option(
            "--begin-after",
            metavar="N",
            help="The schedule begins when N clients are connected; 0 for at once.",
        ),
    ] = 1,
    run_for: Annotated[
        float | None,
        typer.Option("--for", metavar="SECONDS", help="How long to serve, whatever happens."),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            "--token",
            metavar="TOKEN",
            envvar="HERD_TOKEN",
            show_envvar=True,
            help="What orders must show; made up if --host is not this machine.",
        ),
    ] = None,
    seed: options.SeedOption = None,
    changes: options.SetOption = None,
    out: options.OutOption = None,
    force: options.ForceOption = False,
    json: options.JsonOption = False,
    fail_if: options.FailIfOption = None,
    junit: options.JunitOption = None,
    strict: options.StrictOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Let your own clients connect, restart under them, and record the storm."""
    from simulator.cli import serving  # noqa: PLC0415 - heavy, and `herd --help` needs none of it

    serving.serve(
        AskedToServe(
            scenario=scenario,
            host=host,
            port=port,
            http_port=http_port,
            no_http=no_http,
            tls=tls,
            cert=cert,
            key=key,
            client_id=client_id,
            begin_after=begin_after,
            run_for=run_for,
            token=token,
            seed=seed,
            changes=changes,
            out=out,
            force=force,
            json=json,
            fail_if=fail_if,
            junit=junit,
            strict=strict,
            quiet=quiet,
        )
    )
