"""Raster: every attempt as a point, client against time. Lockstep shows as vertical stripes."""

from collections.abc import Mapping
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import StrMethodFormatter

from reports.panels import legend_under_axes, new_panels, root_figure, set_heading, set_title
from reports.style import OUTCOME_COLOURS, styled
from reports.timeline import TimeFrame, frame_time, last_end
from reports.wording import OUTCOME_WORDS, policy_name
from simulator.core.outcomes import Outcome
from simulator.metrics import summarise
from simulator.metrics.series import raster_points
from simulator.results import RunResult

HEADING = "Every attempt"
_HEIGHT = 3.4
"""Inches."""
_MARKER = 2.6
"""Points; a dot marker is half as wide, some two pixels of a page."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class AttemptRaster:
    """What was drawn."""

    ax: Axes
    frame: TimeFrame
    points: Mapping[Outcome, PathCollection]
    """The attempts of each outcome that occurs, as (seconds, client)."""
    handles: Mapping[Outcome, Line2D]
    """For a legend of these outcomes: points large enough to have a colour."""

    @property
    def figure(self) -> Figure:
        """Whose part it is."""
        return root_figure(self.ax)


def plot_raster(
    result: RunResult,
    *,
    ax: Axes | None = None,
    name: str | None = None,
    until: float | None = None,
    legend: bool = True,
) -> AttemptRaster:
    """Draw every attempt as a point, coloured by its outcome.

    Args:
        result: Any run.
        ax: Where; a figure of its own unless given.
        name: Whose run this is; its policy unless given.
        until: Seconds; end of the time axis; the end of the observation unless given.
        legend: Whether to explain the colours under the axes.
    """
    with styled():
        if ax is None:
            figure, (ax,) = new_panels(1, height=_HEIGHT)
            set_heading(figure, HEADING, result)
        frame = frame_time(ax, result, last_end([result]) if until is None else until)
        points = _points(ax, result)
        set_title(ax, policy_name(result) if name is None else name, _finding(result))
        ax.set_ylim(0, result.scenario.n_clients)
        ax.set_ylabel("client")
        ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        handles = {outcome: _handle(outcome) for outcome in points}
        if legend and handles:
            legend_under_axes(ax, list(handles.values()))
        return AttemptRaster(ax=ax, frame=frame, points=points, handles=handles)


def _points(ax: Axes, result: RunResult) -> dict[Outcome, PathCollection]:
    raster = raster_points(result)
    return {
        outcome: ax.scatter(
            raster.started_at[raster.outcome == outcome],
            raster.client[raster.outcome == outcome],
            s=_MARKER**2,
            marker=".",
            lw=0,
            color=OUTCOME_COLOURS[outcome],
            rasterized=True,
        )
        for outcome in Outcome
        if (raster.outcome == outcome).any()
    }


def _finding(result: RunResult) -> str:
    summary = summarise(result)
    if not summary["n_attempts"]:
        return "no attempts"
    burst = round(summary["peak_attempt_rate_100ms"] * 0.1)
    return f"{summary['amplification']:.1f} attempts each, {burst:,} within 0.1 s"


def _handle(outcome: Outcome) -> Line2D:
    return Line2D(
        [],
        [],
        ls="",
        marker="o",
        ms=6,
        mew=0,
        color=OUTCOME_COLOURS[outcome],
        label=OUTCOME_WORDS[outcome],
    )
