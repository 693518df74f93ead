"""Runs that leave nothing on disk, also in worker processes."""

import tempfile
from pathlib import Path
from typing import Any

from simulator.experiment import run
from simulator.metrics import summarise
from simulator.progress import unwatched
from simulator.results import RunResult
from simulator.scenario import Scenario


def result_of(scenario: Scenario, *, engine: str) -> RunResult:
    """Run a scenario once and keep nothing on disk.

    Args:
        scenario: What to run.
        engine: How time passes: "live", "virtual" or "model".

    Raises:
        InputError: The scenario or the machine does not allow it.
        RunFailedError: A process died.
    """
    with tempfile.TemporaryDirectory(prefix="herd-trial-") as directory:
        return run(scenario, engine=engine, out=Path(directory) / "run", watch=unwatched)


def summary_of(scenario: Scenario, *, engine: str) -> dict[str, Any]:
    """Run a scenario once and keep nothing but its summary.

    Args:
        scenario: What to run.
        engine: How time passes: "live", "virtual" or "model".

    Raises:
        InputError: The scenario or the machine does not allow it.
        RunFailedError: A process died.
    """
    return summarise(result_of(scenario, engine=engine))
