"""The `herd` command: its commands, and what becomes of an error.

Theory of operation
-------------------
Commands raise; only `main` turns herd's errors into lines on stderr and into exit codes:

    0    done
    1    a process of the run died, or a bug
    2    bad input, or this machine cannot do it
    3    a `--fail-if` or an objective of the scenario was not met, or a baseline
    4    with `--strict`, the verdict is not "ok"
    130  interrupted, with what was recorded saved

An error decides alone; after a run that finished, 3 goes before 4.
"""

import signal
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer

from simulator.cli import (
    backtest,
    bench,
    calibrate,
    compare,
    doctor,
    export,
    plan,
    policies,
    report,
    run,
    scenarios,
    serve,
    sweep,
)
from simulator.errors import InputError, RunFailedError

_USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]
"""Typer shows its subclasses but not this class, of every mistake on the command line."""

app = typer.Typer(
    name="herd",
    help="Your server restarts: do its clients come back, or finish it off?",
    epilog="Start with: herd compare",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    compare.compare,
    run.run,
    sweep.sweep,
    plan.plan,
    serve.serve,
    calibrate.calibrate,
    backtest.backtest,
    report.report,
    export.export,
    policies.policies,
    scenarios.scenarios,
    doctor.doctor,
    bench.bench,
):
    app.command()(command)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"herd {version('thundering-herd')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _herd(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line.

    Args:
        arguments: What follows the program's name; from `sys.argv` unless given.

    Returns:
        The exit code.
    """
    # Whoever stops a container or a job says so with SIGTERM: it ends as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = app(
            args=None if arguments is None else list(arguments),
            prog_name="herd",
            standalone_mode=False,
        )
    except InputError as error:
        return _complain(str(error), code=2)
    except RunFailedError as error:
        return _complain(str(error), code=1)
    except (typer.Abort, KeyboardInterrupt):
        return _complain("interrupted", code=130)
    except _USAGE_ERROR as error:
        return _complain(_one_line(error), code=2)
    return code if isinstance(code, int) else 0


def _complain(message: str, *, code: int) -> int:
    for line in message.splitlines():
        typer.echo(f"herd: {line}", err=True)
    return code


def _one_line(error: BaseException) -> str:
    """A usage error in one line, with the command whose help tells more."""
    text = error.format_message() if hasattr(error, "format_message") else str(error)
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "herd"
    return f"{' '.join(text.split())} (see {path} --help)"
