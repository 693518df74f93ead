"""The storm: how many attempts per second each policy makes, and what becomes of them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import StepPatch
from matplotlib.ticker import FixedLocator, StrMethodFormatter
from numpy.typing import NDArray

from reports.panels import (
    label_edges,
    legend_under_axes,
    new_panels,
    root_figure,
    set_heading,
    set_title,
)
from reports.style import INK, OUTCOME_COLOURS, styled
from reports.timeline import TimeFrame, frame_time, last_end, stack_steps
from reports.wording import OUTCOME_WORDS, back, per_second
from simulator.core.outcomes import Outcome
from simulator.metrics import summarise
from simulator.metrics.series import AttemptRate, attempt_rate
from simulator.results import RunResult

_HEIGHT, _SHARED_HEIGHT = 1.35, 1.2
"""Inches: of each panel, and more that all of them share."""
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
            figure, axes = new_panels(len(results), height=_HEIGHT + _SHARED_HEIGHT / len(results))
            set_heading(figure, "Attempts to connect", next(iter(results.values())))
        rates = {name: attempt_rate(result) for name, result in results.items()}
        until = last_end(list(results.values()))
        panels = {
            name: _panel(ax, name, results[name], rates[name], until=until)
            for name, ax in zip(results, axes, strict=True)
        }
        _scale_rates(axes, rates, results)
        label_edges(axes)
        handles = {
            outcome: patch for panel in panels.values() for outcome, patch in panel.stack.items()
        }
        in_order = [handles[outcome] for outcome in sorted(handles)]
        legend = legend_under_axes(axes[-1], in_order) if in_order else None
        return Storm(panels=panels, legend=legend)


def _panel(
    ax: Axes, name: str, result: RunResult, rate: AttemptRate, *, until: float
) -> StormPanel:
    frame = frame_time(ax, result, until)
    summary = summarise(result)
    peak = per_second(summary["peak_attempt_rate_100ms"])
    set_title(ax, name, f"peak {peak}, {back(result, summary)}")
    capacity = None if math.isnan(result.capacity) else _mark_capacity(ax, result.capacity)
    layers = dict(zip(Outcome, rate.by_outcome, strict=True))
    stack = stack_steps(ax, rate.edges, layers, OUTCOME_COLOURS, OUTCOME_WORDS)
    return StormPanel(ax=ax, frame=frame, stack=stack, capacity=capacity)


def _mark_capacity(ax: Axes, capacity: float) -> Line2D:
    ax.annotate(
        f"capacity\n{per_second(capacity)}",
        (1.0, capacity),
        xycoords=("axes fraction", "data"),
        xytext=(4, 0),
        textcoords="offset points",
        ha="left",
        va="center",
        fontsize=8.5,
    )
    return ax.axhline(capacity, color=INK, lw=1.2, ls=(0, (4, 2)))


def _scale_rates(
    axes: Sequence[Axes], rates: Mapping[str, AttemptRate], results: Mapping[str, RunResult]
) -> None:
    """Give all panels one square-root scale up to the highest rate or capacity."""
    highest = max(
        *(float(rate.total.max()) for rate in rates.values()),
        *(result.capacity for result in results.values() if not math.isnan(result.capacity)),
        _LOWEST_SCALE,
    )
    for ax in axes:
        ax.set_yscale("function", functions=(_root, np.square))
        ax.set_ylim(0.0, 1.35 * highest)
        ax.yaxis.set_major_locator(FixedLocator(_ticks(highest)))
        ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        ax.yaxis.minorticks_off()
        ax.set_ylabel("attempts/s\n(√ scale)")


def _root(rate: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sqrt(np.maximum(rate, 0.0))


def _ticks(highest: float) -> list[float]:
    """Zero, and the numbers 1, 2, 5, 10, 20 ... that stand apart on a square-root scale."""
    exponents = range(-1, 10)
    series = [float(digit * 10**exponent) for exponent in exponents for digit in (1, 2, 5)]
    return [0.0, *(tick for tick in series if highest / 20 <= tick <= highest)]
