"""What `herd doctor` and `herd bench` do and print."""

from collections.abc import Sequence
from dataclasses import asdict

import typer

from simulator import machine
from simulator.bench.engines import (
    ACCEPTED_VIRTUAL,
    N_CLIENTS,
    EngineMeasurement,
    bench_engines,
)
from simulator.bench.measure import ACCEPTED, Measurement, bench
from simulator.bench.model_worker import MODEL
from simulator.bench.models import (
    ACCEPTED_BYTES,
    ACCEPTED_RATE,
    ACCEPTED_RATIO,
    SIMPY_SIZE,
    SIZES,
    ModelMeasurement,
    bench_models,
)
from simulator.bench.virtual_worker import VIRTUAL
from simulator.checkup import can_run, examine
from simulator.cli.display import Display
from simulator.cli.printing import print_json, print_table
from simulator.errors import InputError
from simulator.scenario_files import load_scenario

_CANNOT = 2
"""Exit code."""


def check_machine(*, as_json: bool) -> None:
    """Print what limits a herd on this machine.

    Raises:
        typer.Exit: It cannot even run the default scenario.
    """
    here, scenario = machine.inspect(), load_scenario()
    findings, able = examine(here, scenario), can_run(here, scenario)
    if as_json:
        print_json({"ok": able, "findings": [asdict(finding) for finding in findings]})
    else:
        print_table(
            ("what", "found", "clients", ""),
            [
                (
                    finding.what,
                    finding.found,
                    "" if finding.clients is None else f"{finding.clients:,}",
                    finding.advice or "ok",
                )
                for finding in findings
            ],
        )
        typer.echo(
            f"\nThis machine {'can' if able else 'cannot'} run {scenario.name} "
            f"({scenario.n_clients:,} clients)."
        )
    if not able:
        raise typer.Exit(_CANNOT)


def run_bench(n_clients: int, storms: Sequence[int], *, as_json: bool, quiet: bool) -> None:
    """Measure, and print what was measured beside what was aimed at.

    Args:
        n_clients: How many real clients to connect at once.
        storms: Clients of the storms that the model engine works out.
        as_json: Print JSON rather than tables.
        quiet: Show no progress.

    Raises:
        InputError: A storm of nobody.
    """
    if min(storms) <= 0:
        raise InputError(f"--storm = {min(storms)}: allowed: more than 0")
    with Display(quiet=quiet) as display:
        found = bench(n_clients, told=lambda done, total: display.count("clients", done, total))
        engines = bench_engines(told=lambda done, total: display.count("engines", done, total))
        models = bench_models(
            storms,
            simpy_size=min(SIMPY_SIZE, max(storms)),
            told=lambda done, total: display.count("storms", done, total),
        )
    if as_json:
        print_json(
            {
                "transports": [asdict(measurement) for measurement in found],
                "engines": [asdict(measurement) for measurement in engines],
                "models": [asdict(measurement) for measurement in models],
            }
        )
        return
    print_table(
        ("client", "connects/CPU-s", "aim", "of bare", "KB/client", "aim", "of bare"),
        map(_cells, found),
    )
    typer.echo(
        f"\nOne worker process connecting {n_clients:,} clients at once; 1 KB is 1,024 bytes. "
        "bare is a Trio socket without WebSocket.\n"
    )
    print_table(("engine", "client-s/CPU-s", "aim", "of bare"), map(_engine_cells, engines))
    typer.echo(
        f"\n{N_CLIENTS:,} connected clients with heartbeats on a virtual clock. "
        "bare is the same pings over Trio's in-memory streams, without WebSocket or records.\n"
    )
    print_table(
        ("storm", "clients", "attempts/CPU-s", "aim", "bytes/client", "aim", "of simpy", "aim"),
        map(_model_cells, models),
    )
    typer.echo(
        "\n30 s without a server under full jitter, worked out by the model engine on one core. "
        "simpy is the same storm as a program of one process per client."
    )


def _cells(measurement: Measurement) -> tuple[str, ...]:
    aim = ACCEPTED.get(measurement.client)
    return (
        measurement.client,
        f"{measurement.connects_per_cpu_second:,.0f}",
        f">= {aim.connects_per_cpu_second:,.0f}" if aim else "",
        f"{measurement.rate_to_bare:.2f}",
        f"{measurement.kb_per_client:.1f}",
        f"<= {aim.kb_per_client:g}" if aim else "",
        f"{measurement.memory_to_bare:.1f}",
    )


def _model_cells(measurement: ModelMeasurement) -> tuple[str, ...]:
    n, ratio = measurement.n_clients, measurement.rate_to_simpy
    is_ours = measurement.subject == MODEL
    return (
        measurement.subject,
        f"{n:,}",
        f"{measurement.attempts_per_cpu_second:,.0f}",
        f">= {ACCEPTED_RATE:,.0f}" if is_ours and n == max(SIZES) else "",
        f"{measurement.bytes_per_client:,.0f}",
        f"<= {ACCEPTED_BYTES:g}" if is_ours and n == max(SIZES) else "",
        "" if ratio is None else f"{ratio:.0f}",
        f">= {ACCEPTED_RATIO:g}" if is_ours and n == SIMPY_SIZE else "",
    )


def _engine_cells(measurement: EngineMeasurement) -> tuple[str, ...]:
    return (
        measurement.engine,
        f"{measurement.client_seconds_per_cpu_second:,.0f}",
        f">= {ACCEPTED_VIRTUAL:,.0f}" if measurement.engine == VIRTUAL else "",
        f"{measurement.rate_to_bare:.2f}",
    )
