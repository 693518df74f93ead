"""Arrivals: what those that reached the server met there, let in or turned away, over time."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import StepPatch

from reports.capacity import mark_capacity
from reports.panels import (
    columns_beside,
    legend_under_axes,
    new_panels,
    root_figure,
    set_heading,
    set_rate_scale,
    set_title,
)
from reports.style import MET_COLOURS, styled
from reports.timeline import TimeFrame, frame_time, last_end, stack_steps
from reports.wording import MET_WORDS, listed, policy_name
from simulator.metrics.door import ArrivalsMet, Met, arrivals_met
from simulator.metrics.series import BIN
from simulator.results import RunResult

HEADING = "What arrivals met"
_HEIGHT = 3.2
"""Inches."""
_MOST_BINS = 180
"""On a time axis: then no bin is less than a dot wide, even in a narrow panel."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ArrivalStack:
    """What was drawn."""

    ax: Axes
    frame: TimeFrame
    stack: Mapping[Met, StepPatch]
    """Arrivals per second by what they met, each on top of the one before; those that occur."""
    capacity: Line2D | None
    """None where nobody knows it."""

    @property
    def handles(self) -> Mapping[int, Artist]:
        """For a legend; the capacity comes last, where there is no room to name it."""
        handles: dict[int, Artist] = dict(self.stack.items())
        if self.capacity is not None and columns_beside(self.ax) > 1:
            handles[len(Met)] = self.capacity
        return handles

    @property
    def figure(self) -> Figure:
        """Whose part it is."""
        return root_figure(self.ax)


def plot_arrivals(
    result: RunResult,
    *,
    ax: Axes | None = None,
    name: str | None = None,
    until: float | None = None,
    legend: bool = True,
) -> ArrivalStack:
    """Draw how many arrivals per second were let in, and how many each rule turned away.

    Args:
        result: Any run; without a record of the server nothing is stacked.
        ax: Where; a figure of its own unless given.
        name: Whose run this is; its policy unless given.
        until: Seconds; end of the time axis; the end of the observation unless given.
        legend: Whether to explain the colours under the axes.
    """
    with styled():
        if ax is None:
            figure, (ax,) = new_panels(1, height=_HEIGHT)
            set_heading(figure, HEADING, result)
        until = last_end([result]) if until is None else until
        frame = frame_time(ax, result, until)
        met = arrivals_met(result, width=BIN * math.ceil(until / BIN / _MOST_BINS))
        stack: dict[Met, StepPatch] = {}
        highest = ax.get_ylim()[1] / 1.35
        if not math.isnan(result.capacity):
            highest = max(highest, result.capacity)
        if met is not None:
            layers = dict(zip(Met, met.per_second, strict=True))
            stack = stack_steps(ax, met.edges, layers, MET_COLOURS, MET_WORDS)
            highest = max(highest, float(met.per_second.sum(axis=0).max()))
        set_rate_scale([ax], highest, "arrivals/s")
        set_title(ax, policy_name(result) if name is None else name, _finding(met))
        capacity = mark_capacity(ax, result.capacity)
        drawn = ArrivalStack(ax=ax, frame=frame, stack=stack, capacity=capacity)
        if legend and stack:
            legend_under_axes(ax, list(drawn.handles.values()))
        return drawn


def _finding(met: ArrivalsMet | None) -> str:
    if met is None:
        return "the server left no record"
    totals = dict(zip(Met, met.totals.tolist(), strict=True))
    n_arrivals = sum(totals.values())
    n_turned_away = n_arrivals - totals[Met.ADMITTED]
    if not n_turned_away:
        return f"{n_arrivals:,} arrivals, all let in"
    reasons = [
        f"{count:,} ({MET_WORDS[reason]})"
        for reason, count in sorted(totals.items(), key=lambda item: -item[1])
        if count and reason is not Met.ADMITTED
    ]
    found = f"{n_turned_away:,} of {n_arrivals:,} arrivals turned away"
    return f"{found}: {listed(reasons)}" if np.count_nonzero(met.totals[1:]) > 1 else found
