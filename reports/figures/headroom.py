"""What more capacity buys: an objective's metric against the capacity of the narrowest stage."""

import math
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from reports.panels import legend_under_axes, new_panels, root_figure
from reports.style import GREY, INK, POLICY_COLOURS, styled
from simulator.plan_results import Capacity, CapacityNeeded, PlanResult

_HEIGHT = 3.6
"""Inches."""
_HEAD = 1.08
_FEWEST_TICKS = 3


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CapacityPicture:
    """What was drawn."""

    ax: Axes
    curves: dict[str, Line2D]
    """By policy."""
    limit: Line2D | None

    @property
    def figure(self) -> Figure:
        """Whose part they are."""
        return root_figure(self.ax)


def plot_capacity(
    plan: PlanResult, capacity: Capacity, *, metric: str, ax: Axes | None = None
) -> CapacityPicture:
    """Draw a metric against the capacity, as far as the search has looked.

    Args:
        plan: What was found.
        capacity: Its part about capacity.
        metric: Of an objective; capacities at which it never was reached have no point.
        ax: The panel; that of a figure of its own unless given.
    """
    with styled():
        if ax is None:
            figure, (ax,) = new_panels(1, height=_HEIGHT)
            figure.suptitle(f"What capacity buys: {plan.scenario}", x=0.01, ha="left")
        curves = {}
        for place, needed in enumerate(capacity.needed):
            finite = [(x, y) for x, y in _points(plan, needed, place, metric) if math.isfinite(y)]
            (curves[needed.policy],) = ax.plot(
                [x for x, _ in finite],
                [y for _, y in finite],
                marker="o",
                ms=4,
                lw=1.6,
                color=POLICY_COLOURS[place],
                label=needed.policy,
            )
        today = ax.axvline(
            capacity.capacity, color=INK, lw=1.0, ls=(0, (1, 2)), label="today's capacity"
        )
        line = _limit(ax, plan, metric)
        ax.set_xscale("log")
        ax.minorticks_off()
        ax.set_ylim(bottom=0, top=_HEAD * ax.dataLim.ymax)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        ax.set_xticks(_ticks(ax))
        ax.set_xlabel("connects per second of the narrowest stage")
        ax.set_ylabel(metric)
        ax.set_title(_finding(capacity), loc="left")
        legend_under_axes(ax, [*curves.values(), today, *([line] if line else [])], n_columns=2)
        return CapacityPicture(ax=ax, curves=curves, limit=line)


def _ticks(ax: Axes) -> list[float]:
    low, high = ax.get_xlim()
    series = [float(d * 10**e) for e in range(-1, 9) for d in (1, 2, 5)]
    ticks = [tick for tick in series if low <= tick <= high]
    if len(ticks) >= _FEWEST_TICKS:
        return ticks
    return [tick for tick in MaxNLocator(6).tick_values(low, high) if low <= tick <= high]


def _points(
    plan: PlanResult, needed: CapacityNeeded, place: int, metric: str
) -> list[tuple[float, float]]:
    """Capacities that were looked at and what they came to; the first policy is today's."""
    found = {probe.x: probe.evidence.median(metric) for probe in needed.probes}
    if place == 0 and plan.today is not None and plan.capacity is not None:
        found.setdefault(plan.capacity.capacity, plan.today.median(metric))
    return sorted(found.items())


def _limit(ax: Axes, plan: PlanResult, metric: str) -> Line2D | None:
    for text, (name, _, limit) in plan.limits.items():
        if name == metric and limit is not None:
            return ax.axhline(limit, color=GREY, lw=1.2, ls=(0, (4, 2)), label=text)
    return None


def _finding(capacity: Capacity) -> str:
    found = [one.needed for one in capacity.needed if one.needed is not None]
    if not found:
        return "no capacity that was tried meets the objectives"
    return f"from {min(found):,.0f} connects per second on the objectives are met"
