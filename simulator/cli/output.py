"""What commands print about runs: tables, the verdict in words, and where the records are."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from reports.wording import per_second, percent, seconds
from simulator.cli.checks import Check, outcomes, write_junit
from simulator.cli.printing import complain
from simulator.errors import InputError, RunFailedError
from simulator.run_directory import MANIFEST

Summary = Mapping[str, Any]

NOT_MET, NOT_OK, INTERRUPTED = 3, 4, 130
"""Exit codes."""


def main_numbers(summary: Summary) -> Iterator[tuple[str, str]]:
    """The numbers of a run that people look at first."""

    def timed(metric: str) -> str:
        value = summary[metric]
        if metric in summary["unmeasured"]:
            return "not measured"
        return "not within the horizon" if value is None else seconds(value)

    def milliseconds(metric: str) -> str:
        return "not measured" if summary[metric] is None else f"{1000 * summary[metric]:,.0f} ms"

    def rate(metric: str) -> str:
        return "not measured" if summary[metric] is None else per_second(summary[metric])

    def share(metric: str) -> str:
        return "not measured" if summary[metric] is None else percent(summary[metric])

    n_episodes, n_recovered = summary["n_episodes"], summary["n_recovered"]
    yield "clients", f"{summary['n_clients']:,}"
    yield "connections lost", f"{n_episodes:,}"
    if n_episodes:
        yield "came back", f"{n_recovered:,} of {n_episodes:,} ({share('recovered_share')})"
        if "n_attempts" in summary["unmeasured"]:
            yield "attempts that arrived", f"{summary['n_arrivals']:,}"
        else:
            yield "attempts", f"{summary['n_attempts']:,} ({summary['amplification']:.1f} per loss)"
        yield "95 % back after", timed("time_to_recovery_p95")
        yield "all back after", timed("time_to_recovery_p100")
        yield "fastest possible", timed("floor")
        yield "reconnect time, median", timed("reconnect_time_p50")
        yield "reconnect time, 99 %", timed("reconnect_time_p99")
        yield "loss noticed after (99 %)", timed("detection_time_p99")
        yield "peak attempts (100 ms)", rate("peak_attempt_rate_100ms")
        yield "peak arrivals, server up (1 s)", rate("peak_arrival_rate_up_1s")
        yield from _behind_the_handshake(summary)
        yield "service wasted", share("wasted_share")
        if summary["metastable"]:
            yield "collapse", "yes: the load outlasts its cause, and hardly any work is of use"
    yield "clients late by (99 %)", milliseconds("generator_lag_p99")
    yield "server late by (99 %)", milliseconds("server_lag_p99")
    yield "verdict", str(summary["verdict"])


def _behind_the_handshake(summary: Summary) -> Iterator[tuple[str, str]]:
    """What stages and cascades there were."""
    if len(summary["stages"]) > 1:
        yield "narrowest stage", str(summary["binding_stage"])
        if "time_to_sync_p95" not in summary["unmeasured"]:
            told = summary["time_to_sync_p95"]
            yield "95 % told what they missed after", "never" if told is None else seconds(told)
    if summary["n_healthy_lost"]:
        yield "healthy connections lost", f"{summary['n_healthy_lost']:,}"


def print_whereabouts(directory: Path, page: str) -> None:
    """The last line: where everything is.

    Args:
        directory: Of the run or the comparison.
        page: The report's file in it.
    """
    typer.echo(
        f"Report in {directory / page}, figures in {directory / 'figures'}, records in {directory}"
    )


@contextmanager
def interruption_told(directory: Path) -> Iterator[None]:
    """Say where the recorded part is when a run does not come to its end.

    Raises:
        typer.Exit: With the exit code.
    """
    try:
        yield
    except KeyboardInterrupt:
        complain(f"interrupted; {_whereabouts_of_part(directory)}")
        raise typer.Exit(INTERRUPTED) from None
    except RunFailedError as error:
        complain(f"{error}; {_whereabouts_of_part(directory)}")
        raise typer.Exit(1) from None


def _whereabouts_of_part(directory: Path) -> str:
    if not any(directory.rglob(MANIFEST)):
        return "nothing was recorded"
    return f"what was recorded is in {directory}; to look at it: herd report {directory}"


def settle(
    checks: Sequence[Check],
    summaries: Mapping[str, Summary],
    *,
    junit: Path | None,
    suite: str,
    strict: bool,
) -> None:
    """Hold finished runs to their checks, and end with the exit code that this gives.

    Raises:
        InputError: A check cannot be decided, or the file cannot be written.
        typer.Exit: A check was not met or, with `strict`, a verdict is not ok.
    """
    found = outcomes(checks, summaries)
    if junit is not None:
        write_junit(junit, suite, found)
    for outcome in found:
        if outcome.failed:
            complain(str(outcome))
    if undecided := [str(outcome) for outcome in found if outcome.error]:
        raise InputError("\n".join(undecided))
    if any(outcome.failed for outcome in found):
        raise typer.Exit(NOT_MET)
    blurred = [name for name, summary in summaries.items() if summary["verdict"] != "ok"]
    if strict and blurred:
        complain(f"--strict: the verdict is not ok ({', '.join(blurred)})")
        raise typer.Exit(NOT_OK)
