"""The arguments and options that commands share: each declared once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

ScenarioArgument = Annotated[
    str,
    typer.Argument(
        metavar="SCENARIO",
        show_default=True,
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
QuietOption = Annotated[bool, typer.Option("--quiet", help="Show no progress.")]


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """The shared options of the running commands, as they were given."""

    scenario: str
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


@dataclass(frozen=True, kw_only=True, slots=True)
class AskedToServe:
    """The options of `herd serve`, as they were given."""

    scenario: str
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
    quiet: bool
