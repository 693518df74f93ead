"""The arguments and options that commands share: each declared once."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

ScenarioArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="SCENARIO",
        show_default="restart",
        help="A TOML file, or the name of a built-in scenario (see herd scenarios).",
    ),
]
EngineOption = Annotated[
    str, typer.Option("--engine", metavar="NAME", help="How time passes: live, on real sockets.")
]
ClientsOption = Annotated[
    int | None,
    typer.Option(
        "--clients", metavar="N", help="Size of the fleet; the same as --set n_clients=N."
    ),
]
PolicyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--policy",
        metavar="NAME",
        help="Replace the policy of every cohort (see herd policies); repeatable in compare.",
    ),
]
SeedOption = Annotated[
    int | None, typer.Option("--seed", metavar="S", help="Decides every random draw.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        help="Change a field of the scenario, as in outage.0.down_for=4; repeatable.",
    ),
]
OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR",
        help="Where to put the records; a new one in herd-runs/ if left out.",
    ),
]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Replace the records of an earlier run in --out.")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print JSON on stdout, and nothing else there.")
]
WorkersOption = Annotated[
    int | None,
    typer.Option("--workers", metavar="N", help="Processes; one per core if left out."),
]
FailIfOption = Annotated[
    list[str] | None,
    typer.Option(
        "--fail-if",
        metavar="'METRIC OP VALUE'",
        help="Exit with 3 if this holds, as in 'recovered_share < 1'; repeatable. In compare "
        "'POLICY:METRIC OP VALUE' means one policy, without it any of them.",
    ),
]
JunitOption = Annotated[
    Path | None,
    typer.Option("--junit", metavar="FILE", help="Write the conditions' outcomes as JUnit XML."),
]
StrictOption = Annotated[
    bool,
    typer.Option("--strict", help="Exit with 4 if the verdict is not ok: this machine blurred it."),
]
_YOUR_SERVER = "Your own server"
"""Heading of these options in the help."""
TargetOption = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar="URL",
        help="Send the herd at this server, ws://HOST:PORT/PATH or wss://..., instead of herd's "
        "own; the scenario is then own-server unless named.",
        rich_help_panel=_YOUR_SERVER,
    ),
]
RestartCommandOption = Annotated[
    str | None,
    typer.Option(
        "--restart-command",
        metavar="CMD",
        help="Restart it with this line for the shell, whenever an outage of the scenario starts; "
        "without it, restart the server by hand. What still runs at the end is ended.",
        rich_help_panel=_YOUR_SERVER,
    ),
]
AllowHostOption = Annotated[
    str | None,
    typer.Option(
        "--allow-host",
        metavar="HOST",
        help="Needed for a server on another machine: its host once more.",
        rich_help_panel=_YOUR_SERVER,
    ),
]
MaxClientsOption = Annotated[
    int | None,
    typer.Option(
        "--max-clients",
        metavar="N",
        help="Ceiling on the size of the fleet; 1000 for another machine.",
        rich_help_panel=_YOUR_SERVER,
    ),
]
MaxConnectsOption = Annotated[
    float | None,
    typer.Option(
        "--max-connects",
        metavar="RATE",
        help="Ceiling on attempts per second, which wait beyond it; 100 for another machine.",
        rich_help_panel=_YOUR_SERVER,
    ),
]
HeaderOption = Annotated[
    list[str] | None,
    typer.Option(
        "--header",
        metavar="'NAME: VALUE'",
        help="Say this, too, in every upgrade request; repeatable. Not recorded.",
        rich_help_panel=_YOUR_SERVER,
    ),
]
SubprotocolOption = Annotated[
    list[str] | None,
    typer.Option(
        "--subprotocol",
        metavar="NAME",
        help="Offer this subprotocol; repeatable, the preferred one first.",
        rich_help_panel=_YOUR_SERVER,
    ),
]
IdentifyOption = Annotated[
    bool,
    typer.Option(
        "--identify",
        help="Add client=N&episode=N&attempt=N to the query of the URL, for your server's log.",
        rich_help_panel=_YOUR_SERVER,
    ),
]
CafileOption = Annotated[
    Path | None,
    typer.Option(
        "--cafile",
        metavar="FILE",
        help="Trust the certificates in this PEM file (wss://).",
        rich_help_panel=_YOUR_SERVER,
    ),
]
InsecureOption = Annotated[
    bool,
    typer.Option(
        "--insecure", help="Trust any certificate (wss://).", rich_help_panel=_YOUR_SERVER
    ),
]
QuietOption = Annotated[bool, typer.Option("--quiet", help="Show no progress.")]


def changes_of(
    changes: Sequence[str] | None, *, clients: int | None = None, seed: int | None = None
) -> list[str]:
    """What `--set`, `--clients` and `--seed` change, as `--set` would say it."""
    found = list(changes or ())
    if clients is not None:
        found.append(f"n_clients={clients}")
    if seed is not None:
        found.append(f"seed={seed}")
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Aim:
    """The options about a server that is not herd's, as they were given."""

    target: str | None = None
    restart_command: str | None = None
    allow_host: str | None = None
    max_clients: int | None = None
    max_connects: float | None = None
    header: list[str] | None = None
    subprotocol: list[str] | None = None
    identify: bool = False
    cafile: Path | None = None
    insecure: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """The shared options of the running commands, as they were given."""

    scenario: str | None
    engine: str
    clients: int | None
    policy: list[str] | None
    seed: int | None
    changes: list[str] | None
    out: Path | None
    force: bool
    fail_if: list[str] | None
    junit: Path | None
    strict: bool
    quiet: bool
    json: bool
    aim: Aim


@dataclass(frozen=True, kw_only=True, slots=True)
class AskedToServe:
    """The options of `herd serve`, as they were given."""

    scenario: str | None
    host: str
    port: int | None
    http_port: int | None
    no_http: bool
    tls: bool
    cert: Path | None
    key: Path | None
    client_id: str
    begin_after: int
    run_for: float | None
    token: str | None
    seed: int | None
    changes: list[str] | None
    out: Path | None
    force: bool
    json: bool
    fail_if: list[str] | None
    junit: Path | None
    strict: bool
    quiet: bool
