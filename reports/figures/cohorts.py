"""Cohorts: which share of each is connected, where one outage means different things to them."""

from collections.abc import Mapping
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from reports.panels import legend_under_axes, new_panels, root_figure, set_heading, set_title
from reports.style import policy_colours, styled
from reports.timeline import TimeFrame, frame_time, last_end
from reports.wording import percent, policy_name
from simulator.metrics.series import ShareConnected, share_connected
from simulator.results import RunResult

HEADING = "Clients connected, by cohort"
_HEIGHT = 3.2
"""Inches."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CohortCurves:
    """What was drawn."""

    ax: Axes
    frame: TimeFrame
    handles: Mapping[int, Line2D]
    """By index of the cohort."""

    @property
    def figure(self) -> Figure:
        """Whose part it is."""
        return root_figure(self.ax)


def plot_cohorts(
    result: RunResult,
    *,
    ax: Axes | None = None,
    name: str | None = None,
    until: float | None = None,
    legend: bool = True,
) -> CohortCurves:
    """Draw the share of each cohort that is connected over time.

    Args:
        result: Any run.
        ax: Where; a figure of its own unless given.
        name: Whose run this is; its policy unless given.
        until: Seconds; end of the time axis; the end of the observation unless given.
        legend: Whether to name the cohorts under the axes.
    """
    names = [cohort.name for cohort in result.scenario.cohorts]
    with styled():
        if ax is None:
            figure, (ax,) = new_panels(1, height=_HEIGHT)
            set_heading(figure, HEADING, result)
        frame = frame_time(ax, result, last_end([result]) if until is None else until)
        shares = {index: share_connected(result, cohort=index) for index in range(len(names))}
        colours = policy_colours(names)
        handles = {
            index: _curve(ax, names[index], connected, colours[names[index]])
            for index, connected in shares.items()
        }
        finding = _finding(names, shares)
        set_title(ax, policy_name(result) if name is None else name, finding)
        ax.set_ylim(0.0, 1.08)
        ax.set_ylabel("share connected")
        ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
        if legend:
            legend_under_axes(ax, list(handles.values()))
        return CohortCurves(ax=ax, frame=frame, handles=handles)


def _curve(ax: Axes, name: str, connected: ShareConnected, colour: str) -> Line2D:
    (line,) = ax.plot(
        connected.edges,
        [*connected.share, connected.share[-1]],
        drawstyle="steps-post",
        color=colour,
        lw=2.0,
        label=name,
    )
    return line


def _finding(names: list[str], shares: Mapping[int, ShareConnected]) -> str:
    """How far down the worst and the best of them went."""
    lowest = {index: float(connected.share.min()) for index, connected in shares.items()}
    worst = min(lowest, key=lowest.__getitem__)
    best = max(lowest, key=lowest.__getitem__)
    if lowest[worst] == lowest[best]:
        return f"all down to {percent(lowest[worst])}"
    return (
        f"{names[worst]} down to {percent(lowest[worst])}, {names[best]} to {percent(lowest[best])}"
    )
