"""Recovery: which share of the fleet is connected, beside the fastest that could be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from reports.panels import (
    best_columns,
    label_edges,
    legend_under_axes,
    legend_under_figure,
    new_panels,
    root_figure,
    set_heading,
    set_title,
)
from reports.style import BLUE, INK, LIGHT_GREY, policy_colours, styled
from reports.timeline import last_end, shade_outages
from reports.wording import back, per_second, seconds
from simulator.metrics import summarise
from simulator.metrics.series import fastest_recoveries, share_connected
from simulator.results import RunResult

_HEIGHT, _SMALL_HEIGHT = 3.6, 1.8
"""Inches: of a panel for all policies, and of one for each."""
_HEADING = "Clients connected"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class RecoveryCurves:
    """What was drawn."""

    ax: Axes
    outages: tuple[Rectangle, ...]
    """Of the first run."""
    curves: Mapping[str, Line2D]
    """By policy."""
    floors: tuple[Line2D, ...]
    """One per outage of the first run: the fastest possible recovery."""
    legend: Legend | None
    """None where each policy has a panel of its own."""

    @property
    def figure(self) -> Figure:
        """Whose part it is."""
        return root_figure(self.ax)


def plot_recovery(results: Mapping[str, RunResult], *, ax: Axes | None = None) -> RecoveryCurves:
    """Draw the share of the fleet that is connected over time, one curve per policy.

    Args:
        results: By policy; the outages marked are those of the first.
        ax: Where; a figure of its own unless given.
    """
    with styled():
        first = next(iter(results.values()))
        if ax is None:
            figure, (ax,) = new_panels(1, height=_HEIGHT)
            set_heading(figure, _HEADING, first)
        until = last_end(list(results.values()))
        outages, _ = shade_outages(ax, first, until)
        colours = policy_colours(results)
        curves = {name: _curve(ax, name, result, colours[name]) for name, result in results.items()}
        floors = _floors(ax, first)
        _scale_share(ax)
        ax.set_ylabel("share of clients connected")
        handles = [*curves.values(), *floors[:1]]
        legend = legend_under_axes(ax, handles, n_columns=2)
        return RecoveryCurves(ax=ax, outages=outages, curves=curves, floors=floors, legend=legend)


def plot_recoveries(
    results: Mapping[str, RunResult], *, axes: Sequence[Axes] | None = None
) -> Mapping[str, RecoveryCurves]:
    """Draw the same in a panel for each policy, before the pale curves of all the others.

    Args:
        results: By policy; more than a figure has colours for, perhaps.
        axes: One per policy; a figure of its own unless given.
    """
    with styled():
        first = next(iter(results.values()))
        if axes is None:
            n_columns = best_columns(len(results))
            figure, axes = new_panels(len(results), height=_SMALL_HEIGHT, n_columns=n_columns)
            set_heading(figure, _HEADING, first)
        until = last_end(list(results.values()))
        steps = {name: _steps(result) for name, result in results.items()}
        drawn = {}
        for (name, result), ax in zip(results.items(), axes, strict=True):
            outages, _ = shade_outages(ax, result, until)
            for other in steps.values():
                ax.plot(*other, drawstyle="steps-post", color=LIGHT_GREY, lw=0.8)
            curve, floors = _curve(ax, name, result, BLUE), _floors(ax, result)
            set_title(ax, name, back(result, summarise(result)))
            _scale_share(ax)
            ax.set_ylabel("connected")
            drawn[name] = RecoveryCurves(
                ax=ax, outages=outages, curves={name: curve}, floors=floors, legend=None
            )
        label_edges(axes)
        if floors := drawn[next(iter(results))].floors:
            legend_under_figure(root_figure(axes[0]), floors[:1])
        return drawn


def _scale_share(ax: Axes) -> None:
    ax.set_ylim(0.0, 1.08)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))


def _steps(result: RunResult) -> tuple[NDArray[np.float64], list[float]]:
    """Seconds, and the share connected from each of them on."""
    connected = share_connected(result)
    return connected.edges, [*connected.share, connected.share[-1]]


def _curve(ax: Axes, name: str, result: RunResult, colour: str) -> Line2D:
    edges, share = _steps(result)
    (line,) = ax.plot(
        edges,
        share,
        drawstyle="steps-post",
        color=colour,
        lw=2.0,
        label=f"{name}: {back(result, summarise(result))}",
    )
    ax.plot(edges[-1], share[-1], "o", color=colour, ms=5, clip_on=False)
    return line


def _floors(ax: Axes, result: RunResult) -> tuple[Line2D, ...]:
    capacity = result.capacity
    return tuple(
        ax.plot(
            [fastest.starts_at, fastest.ends_at],
            [fastest.share, 1.0],
            color=INK,
            lw=1.4,
            ls=(0, (4, 2)),
            label=f"fastest possible at {per_second(capacity)}: "
            f"{seconds(fastest.ends_at - fastest.starts_at)}",
        )[0]
        for fastest in fastest_recoveries(result)
    )
