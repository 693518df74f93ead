"""The command that repeats a run, and those that look at it from another side."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from simulator.results import Manifest, RunResult
from simulator.run_directory import SCENARIO


def repeating(results: Mapping[str, RunResult], directory: Path) -> tuple[str, ...]:
    """What to type to get these runs again.

    The command that made them, where a command did; else one per run, of the scenario that lies
    beside its records. Empty where the clients were somebody else's.

    Args:
        results: By policy.
        directory: Of the run or the comparison.
    """
    manifests = {name: result.manifest for name, result in results.items()}
    if any(manifest.engine == "serve" for manifest in manifests.values()):
        return ()
    made_by = dict.fromkeys(manifest.command for manifest in manifests.values())
    if "" not in made_by:
        return tuple(made_by)
    places = [directory / name if (directory / name).is_dir() else directory for name in manifests]
    return tuple(
        shlex.join(["herd", "run", str(place / SCENARIO), "--engine", manifest.engine])
        for place, manifest in zip(places, manifests.values(), strict=True)
    )


def scenario_argument(manifest: Manifest) -> str:
    """What stands for the scenario on a command line: the file it came from, or its name."""
    words = shlex.split(manifest.command)
    is_given = len(words) > 2 and not words[2].startswith("-")
    return shlex.quote(words[2] if is_given else manifest.scenario)
