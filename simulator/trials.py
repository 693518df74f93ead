"""Runs of which only the summary is wanted, also in worker processes."""

import json
import tempfile
from pathlib import Path
from typing import Any

from simulator.experiment import run
from simulator.progress import unwatched
from simulator.run_directory import SUMMARY
from simulator.scenario import Scenario


def summary_of(scenario: Scenario, *, engine: str) -> dict[str, Any]:
    """Run a scenario once and keep nothing but its summary.

    Args:
        scenario: What to run.
        engine: How time passes: "live", "virtual" or "model".

    Raises:
        InputError: The scenario or the machine does not allow it.
        RunFailedError: A process died.
    """
    with tempfile.TemporaryDirectory(prefix="herd-trial-") as directory:
        out = Path(directory) / "run"
        run(scenario, engine=engine, out=out, watch=unwatched)
        summary: dict[str, Any] = json.loads((out / SUMMARY).read_bytes())
    return summary
