"""Healthy connections lost: how many, over time, though no outage touched them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import StrMethodFormatter

from reports.panels import legend_under_axes, new_panels, root_figure, set_heading
from reports.style import policy_colours, styled
from reports.timeline import last_end, shade_outages, step_line
from simulator.metrics.episodes import end_of_observation
from simulator.metrics.flows import healthy_lost_at
from simulator.results import RunResult

HEADING = "Healthy connections lost"
_HEIGHT = 3.4
"""Inches."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LossCurves:
    """What was drawn."""

    ax: Axes
    outages: tuple[Rectangle, ...]
    """Of the first run."""
    curves: Mapping[str, Line2D]
    """By policy."""
    legend: Legend

    @property
    def figure(self) -> Figure:
        """Whose part it is."""
        return root_figure(self.ax)


def plot_lost(results: Mapping[str, RunResult], *, ax: Axes | None = None) -> LossCurves:
    """Draw how many connections have been lost so far that no outage broke, one curve per policy.

    They were starved (the server was too busy to answer their heartbeats), or closed because they
    were no use (something behind the server had no place for them, or took too long).

    Args:
        results: By policy; the outages marked are those of the first.
        ax: Where; a figure of its own unless given.
    """
    with styled():
        first = next(iter(results.values()))
        if ax is None:
            figure, (ax,) = new_panels(1, height=_HEIGHT)
            set_heading(figure, HEADING, first)
        outages, _ = shade_outages(ax, first, last_end(list(results.values())))
        colours = policy_colours(results)
        curves = {name: _curve(ax, name, result, colours[name]) for name, result in results.items()}
        ax.set_ylim(bottom=0)
        ax.set_ylabel("connections lost so far")
        ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        legend = legend_under_axes(ax, list(curves.values()), n_columns=2)
        return LossCurves(ax=ax, outages=outages, curves=curves, legend=legend)


def _curve(ax: Axes, name: str, result: RunResult, colour: str) -> Line2D:
    at = healthy_lost_at(result)
    edges = np.concatenate([[0.0], at, [max(end_of_observation(result), 0.0)]])
    of_fleet = at.size / result.scenario.n_clients
    label = f"{name}: {at.size:,} ({of_fleet:.1f} per client)"
    line = step_line(ax, edges, np.arange(at.size + 1.0), color=colour, lw=2.0, label=label)
    ax.plot(edges[-1], at.size, "o", color=colour, ms=5, clip_on=False)
    return line
