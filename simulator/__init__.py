"""herd: see the reconnect storm after a WebSocket server restarts.

The public names are here; they load on first use, so that importing a part costs only that part.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.core.backoff import Policy
    from simulator.errors import HerdError
    from simulator.experiment import Comparison, compare, load_comparison, run
    from simulator.metrics import summarise
    from simulator.plan_results import PlanResult, load_plan
    from simulator.planning.plan import plan
    from simulator.results import RunResult
    from simulator.run_directory import load_run
    from simulator.scenario import Scenario
    from simulator.scenario_files import load_scenario
    from simulator.sweeping import Sweep, load_sweep, sweep
    from simulator.target import Target, aim

__all__ = [
    "Comparison",
    "HerdError",
    "PlanResult",
    "Policy",
    "RunResult",
    "Scenario",
    "Sweep",
    "Target",
    "aim",
    "compare",
    "load_comparison",
    "load_plan",
    "load_run",
    "load_scenario",
    "load_sweep",
    "plan",
    "run",
    "summarise",
    "sweep",
]

_HOMES = {
    "Comparison": "simulator.experiment",
    "HerdError": "simulator.errors",
    "PlanResult": "simulator.plan_results",
    "Policy": "simulator.core.backoff",
    "RunResult": "simulator.results",
    "Scenario": "simulator.scenario",
    "Sweep": "simulator.sweeping",
    "Target": "simulator.target",
    "aim": "simulator.target",
    "compare": "simulator.experiment",
    "load_comparison": "simulator.experiment",
    "load_plan": "simulator.plan_results",
    "load_run": "simulator.run_directory",
    "load_scenario": "simulator.scenario_files",
    "load_sweep": "simulator.sweeping",
    "plan": "simulator.planning.plan",
    "run": "simulator.experiment",
    "summarise": "simulator.metrics",
    "sweep": "simulator.sweeping",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
