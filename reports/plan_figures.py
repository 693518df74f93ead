"""The figures of a plan, written to files."""

from pathlib import Path

from reports.drawing import FIGURES
from reports.figures.headroom import plot_capacity
from reports.figures.pareto import plot_pareto
from reports.figures.region import plot_region
from reports.style import styled
from simulator.plan_results import PlanResult


def draw_plan(plan: PlanResult, directory: Path, *, format: str = "png") -> list[Path]:
    """Write the figures of what a plan has found.

    Args:
        plan: As far as it got.
        directory: Of the plan; the figures go into `figures` below it.
        format: Any that matplotlib can write.

    Returns:
        The files written: `pareto`, `capacity`, `region`.
    """
    figures = {}
    if plan.policies is not None:
        figures["pareto"] = plot_pareto(plan, plan.policies).figure
    metrics = [metric for metric, _, limit in plan.limits.values() if limit is not None]
    if plan.capacity is not None and plan.capacity.needed and metrics:
        figures["capacity"] = plot_capacity(plan, plan.capacity, metric=metrics[0]).figure
    if plan.region is not None and plan.region.cells:
        figures["region"] = plot_region(plan, plan.region).figure
    (directory / FIGURES).mkdir(parents=True, exist_ok=True)
    written = []
    for name, figure in figures.items():
        path = directory / FIGURES / f"{name}.{format}"
        with styled():
            figure.savefig(path, metadata={"Date": None} if format == "svg" else None)
        written.append(path)
    return written
