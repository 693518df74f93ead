"""What `herd doctor` and `herd bench` do and print."""

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
from simulator.bench.virtual_worker import VIRTUAL
from simulator.checkup import can_run, examine
from simulator.cli.display import Display
from simulator.cli.printing import print_json, print_table
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


def run_bench(n_clients: int, *, as_json: bool, quiet: bool) -> None:
    """Measure, and print what was measured beside what was aimed at."""
    with Display(quiet=quiet) as display:
        found = bench(n_clients, told=lambda done, total: display.count("clients", done, total))
        engines = bench_engines(told=lambda done, total: display.count("engines", done, total))
    if as_json:
        print_json(
            {
                "transports": [asdict(measurement) for measurement in found],
                "engines": [asdict(measurement) for measurement in engines],
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
        "bare is the same pings over Trio's in-memory streams, without WebSocket or records."
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


def _engine_cells(measurement: EngineMeasurement) -> tuple[str, ...]:
    return (
        measurement.engine,
        f"{measurement.client_seconds_per_cpu_second:,.0f}",
        f">= {ACCEPTED_VIRTUAL:,.0f}" if measurement.engine == VIRTUAL else "",
        f"{measurement.rate_to_bare:.2f}",
    )
