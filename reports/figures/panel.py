"""What the figures of one run have in common: a panel that shows its clients over time."""

from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.ticker import StrMethodFormatter

from reports.panels import legend_under_axes, new_panels, set_heading, set_title
from reports.timeline import TimeFrame, frame_time, last_end
from reports.wording import policy_name
from simulator.results import RunResult


def open_panel(
    result: RunResult,
    ax: Axes | None,
    *,
    heading: str,
    height: float,
    until: float | None,
    zorder: float = 0.5,
) -> tuple[Axes, TimeFrame]:
    """Lay out the panel of one run: its time along the foot, its clients up the side.

    Args:
        result: The run.
        ax: The panel; that of a figure of its own unless given.
        heading: Of a figure of its own: what it shows.
        height: Inches of a panel of its own.
        until: Seconds; end of the time axis; the end of the observation unless given.
        zorder: Of the shading of outages; behind everything unless given.

    Returns:
        The panel, and what is marked on its time axis.
    """
    if ax is None:
        figure, (ax,) = new_panels(1, height=height)
        set_heading(figure, heading, result)
    frame = frame_time(ax, result, last_end([result]) if until is None else until, zorder=zorder)
    ax.set_ylim(0, result.scenario.n_clients)
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    return ax, frame


def caption(
    ax: Axes, result: RunResult, *, name: str | None, finding: str, legend: Sequence[Artist]
) -> None:
    """Say in words what the panel shows.

    Args:
        ax: The panel.
        result: The run.
        name: Whose run this is; its policy unless given.
        finding: What is seen in it.
        legend: Labelled artists to explain under the axes; none for no legend.
    """
    set_title(ax, policy_name(result) if name is None else name, finding)
    if legend:
        legend_under_axes(ax, legend)
