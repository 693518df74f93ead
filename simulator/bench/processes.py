"""Measurements are taken in fresh processes, which print what they found as JSON."""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from simulator.errors import RunFailedError

PATIENCE = 300.0
"""Seconds after which a measurement is given up."""


def program(module: str, *arguments: str) -> Sequence[str]:
    """The command that runs one of our modules."""
    return [sys.executable, "-m", module, *arguments]


def output_of(module: str, *arguments: str) -> dict[str, Any]:
    """What a module prints when it is run.

    Raises:
        RunFailedError: It died.
    """
    try:
        done = subprocess.run(
            program(module, *arguments),
            capture_output=True,
            text=True,
            check=True,
            timeout=2 * PATIENCE,
        )
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip() or f"exit code {error.returncode}").splitlines()[-1]
        raise RunFailedError(f"{module} {' '.join(arguments)} died: {last}") from None
    fields: dict[str, Any] = json.loads(done.stdout)
    return fields
