"""The storm: how many attempts per second each policy makes, and what becomes of them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import StepPatch

from reports.capacity import mark_capacity
from reports.panels import (
    best_columns,
    columns_beside,
    label_edges,
    legend_under_axes,
    legend_under_figure,
    new_panels,
    root_figure,
    set_heading,
    set_rate_scale,
    set_title,
)
from reports.style import OUTCOME_COLOURS, styled
from reports.timeline import TimeFrame, frame_time, last_end, stack_steps
from reports.wording import OUTCOME_WORDS, back, per_second, seen_by_server
from simulator.core.outcomes import Outcome
from simulator.metrics import summarise
from simulator.metrics.series import AttemptRate, attempt_rate
from simulator.results import RunResult

_HEIGHT, _SHARED_HEIGHT = 1.35, 1.2
"""Inches: of each panel, and more that all of them share."""
_STACKED = 5
"""Panels that are stacked at most; more of them stand side by side."""
_GRID_HEIGHT = 1.9
"""Inches; of panels that do."""
_LOWEST_SCALE = 1.0
"""Attempts per second that a panel shows at least, even if none were made."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class StormPanel:
    """What was drawn for one policy."""

    ax: Axes
    frame: TimeFrame
    stack: Mapping[Outcome, StepPatch]
    """Attempts per second by outcome, each on top of the one before; those that occur."""
    capacity: Line2D | None
    """None where it is not known."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Storm:
    """What was drawn, by policy."""

    panels: Mapping[str, StormPanel]
    legend: Legend | None
    """Of the outcomes that occur in any panel; None without any attempt."""

    @property
    def figure(self) -> Figure:
        """Whose part they are."""
        return root_figure(next(iter(self.panels.values())).ax)


def plot_storm(results: Mapping[str, RunResult], *, axes: Sequence[Axes] | None = None) -> Storm:
    """Draw attempts per second over time, one panel per policy on common axes.

    The scale of the rates is a square root's: a herd in lockstep peaks at fifty times the
    capacity, and both must be seen.

    Args:
        results: By policy.
        axes: One per policy; a figure of its own unless given.
    """
    with styled():
        if axes is None:
            figure, axes = _own_panels(len(results))
            first = next(iter(results.values()))
            heading = "Attempts that arrived" if seen_by_server(first) else "Attempts to connect"
            set_heading(figure, heading, first)
        rates = {name: attempt_rate(result) for name, result in results.items()}
        until = last_end(list(results.values()))
        panels = {
            name: _panel(ax, name, results[name], rates[name], until=until)
            for name, ax in zip(results, axes, strict=True)
        }
        _scale_rates(axes, rates, results)
        label_edges(axes)
        return Storm(panels=panels, legend=_legend(list(panels.values())))


def _own_panels(n: int) -> tuple[Figure, list[Axes]]:
    if n <= _STACKED:
        return new_panels(n, height=_HEIGHT + _SHARED_HEIGHT / n)
    return new_panels(n, height=_GRID_HEIGHT, n_columns=best_columns(n))


def _legend(panels: Sequence[StormPanel]) -> Legend | None:
    """Of the outcomes that occur; of the capacity, too, where panels leave no room to name it."""
    handles = {outcome: patch for panel in panels for outcome, patch in panel.stack.items()}
    in_order: list[Artist] = [handles[outcome] for outcome in sorted(handles)]
    if not in_order:
        return None
    if columns_beside(panels[0].ax) == 1:
        return legend_under_axes(panels[-1].ax, in_order)
    if panels[0].capacity is not None:
        in_order.append(panels[0].capacity)
    return legend_under_figure(root_figure(panels[0].ax), in_order)


def _panel(
    ax: Axes, name: str, result: RunResult, rate: AttemptRate, *, until: float
) -> StormPanel:
    frame = frame_time(ax, result, until)
    summary = summarise(result)
    peak = summary["peak_attempt_rate_100ms"]
    if peak is None:  # Those that found nobody listening have left no trace.
        peak = float(rate.total.max())
    set_title(ax, name, f"peak {per_second(peak)} over 0.1 s, {back(result, summary)}")
    capacity = mark_capacity(ax, result.capacity)
    layers = dict(zip(Outcome, rate.by_outcome, strict=True))
    stack = stack_steps(ax, rate.edges, layers, OUTCOME_COLOURS, OUTCOME_WORDS)
    return StormPanel(ax=ax, frame=frame, stack=stack, capacity=capacity)


def _scale_rates(
    axes: Sequence[Axes], rates: Mapping[str, AttemptRate], results: Mapping[str, RunResult]
) -> None:
    """Give all panels one square-root scale up to the highest rate or capacity."""
    highest = max(
        *(float(rate.total.max()) for rate in rates.values()),
        *(result.capacity for result in results.values() if not math.isnan(result.capacity)),
        _LOWEST_SCALE,
    )
    set_rate_scale(axes, highest)
