"""Recovery: which share of the fleet is connected, beside the fastest that could be."""

from collections.abc import Mapping
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import PercentFormatter

from reports.panels import legend_under_axes, new_panels, root_figure, set_heading
from reports.style import INK, policy_colours, styled
from reports.timeline import last_end, shade_outages
from reports.wording import back, per_second, seconds
from simulator.metrics import summarise
from simulator.metrics.series import fastest_recoveries, share_connected
from simulator.results import RunResult

_HEIGHT = 3.6
"""Inches."""


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
    legend: Legend

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
            set_heading(figure, "Clients connected", first)
        until = last_end(list(results.values()))
        outages = shade_outages(ax, first, until)
        colours = policy_colours(results)
        curves = {name: _curve(ax, name, result, colours[name]) for name, result in results.items()}
        floors = _floors(ax, first)
        ax.set_ylim(0.0, 1.08)
        ax.set_ylabel("share of clients connected")
        ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
        handles = [*curves.values(), *floors[:1]]
        legend = legend_under_axes(ax, handles, n_columns=2)
        return RecoveryCurves(ax=ax, outages=outages, curves=curves, floors=floors, legend=legend)


def _curve(ax: Axes, name: str, result: RunResult, colour: str) -> Line2D:
    connected = share_connected(result)
    (line,) = ax.plot(
        connected.edges,
        [*connected.share, connected.share[-1]],
        drawstyle="steps-post",
        color=colour,
        lw=2.0,
        label=f"{name}: {back(result, summarise(result))}",
    )
    ax.plot(connected.edges[-1], connected.share[-1], "o", color=colour, ms=5, clip_on=False)
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
