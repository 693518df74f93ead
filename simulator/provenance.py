"""Where a result comes from: the manifest that an engine begins a run with."""

import platform
from datetime import UTC, datetime
from importlib.metadata import version

from simulator.metrics import thresholds
from simulator.results import Engine, Manifest
from simulator.scenario import Scenario

_PACKAGES = ("trio", "trio-websocket", "wsproto", "h11", "numpy", "scipy", "pyarrow")
"""Those whose version can change a result."""


def first_manifest(scenario: Scenario, engine: Engine, **fields: object) -> Manifest:
    """The manifest of a run that begins now.

    Args:
        scenario: What is run.
        engine: Which engine runs it.
        fields: Further fields of the manifest.
    """
    return Manifest.model_validate(
        {
            "herd_version": version("thundering-herd"),
            "engine": engine,
            "scenario": scenario.name,
            "seed": scenario.seed,
            "transport": scenario.transport,
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "versions": {
                "python": platform.python_version(),
                **{name: version(name) for name in _PACKAGES},
            },
            "verdict_thresholds": thresholds(scenario),
            **fields,
        }
    )
