"""Raster: every attempt as a point, client against time. Lockstep shows as vertical stripes."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from reports.figures.panel import caption, open_panel
from reports.panels import columns_beside, root_figure
from reports.style import OUTCOME_COLOURS, STATE_COLOURS, styled
from reports.timeline import TimeFrame
from reports.wording import OUTCOME_WORDS, STATE_WORDS, back, percent, seen_by_server
from simulator.core.outcomes import Outcome
from simulator.metrics import summarise
from simulator.metrics.series import raster_points
from simulator.metrics.states import FleetState
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
    gave_up: PathCollection | None
    """When a client gave up for good, likewise; None where nobody has."""
    handles: Mapping[int, Line2D]
    """For a legend of these, in this order: points large enough to have a colour."""

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
        heading = "Every attempt that arrived" if seen_by_server(result) else HEADING
        ax, frame = open_panel(result, ax, heading=heading, height=_HEIGHT, until=until)
        ax.set_ylabel("client")
        points = _points(ax, result)
        gave_up = _gave_up(ax, result)
        handles = {
            int(outcome): _handle(OUTCOME_COLOURS[outcome], OUTCOME_WORDS[outcome])
            for outcome in points
        }
        if gave_up is not None:
            state = FleetState.GAVE_UP
            handles[len(Outcome)] = _handle(STATE_COLOURS[state], STATE_WORDS[state])
        finding = _finding(result, with_recovery=columns_beside(ax) == 1)
        explained = list(handles.values()) if legend else ()
        caption(ax, result, name=name, finding=finding, legend=explained)
        return AttemptRaster(ax=ax, frame=frame, points=points, gave_up=gave_up, handles=handles)


def _points(ax: Axes, result: RunResult) -> dict[Outcome, PathCollection]:
    raster = raster_points(result)
    return {
        outcome: _scatter(
            ax,
            raster.started_at[raster.outcome == outcome],
            raster.client[raster.outcome == outcome],
            OUTCOME_COLOURS[outcome],
        )
        for outcome in Outcome
        if (raster.outcome == outcome).any()
    }


def _gave_up(ax: Axes, result: RunResult) -> PathCollection | None:
    at, client = result.clients["gave_up_at"], result.clients["client"]
    gone = np.isfinite(at)
    return (
        _scatter(ax, at[gone], client[gone], STATE_COLOURS[FleetState.GAVE_UP])
        if gone.any()
        else None
    )


def _scatter(
    ax: Axes, at: NDArray[np.float64], client: NDArray[np.integer], colour: str
) -> PathCollection:
    return ax.scatter(at, client, s=_MARKER**2, marker=".", lw=0, color=colour, rasterized=True)


def _finding(result: RunResult, *, with_recovery: bool) -> str:
    summary = summarise(result)
    if seen_by_server(result):
        return f"{raster_points(result).client.size:,} seen by the server"
    if not summary["n_attempts"]:
        return "no attempts"
    burst = round(summary["peak_attempt_rate_100ms"] * 0.1)
    found = f"{summary['amplification']:.1f} attempts each, {burst:,} within 0.1 s"
    if summary["n_gave_up"]:
        found += f", {percent(summary['n_gave_up'] / summary['n_episodes'])} gave up"
    if with_recovery and not (summary["n_gave_up"] and not summary["n_recovered"]):
        found += f", {back(result, summary)}"
    return found


def _handle(colour: str, words: str) -> Line2D:
    return Line2D([], [], ls="", marker="o", ms=6, mew=0, color=colour, label=words)
