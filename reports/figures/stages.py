"""Stages: how many jobs wait at each, and how many of them it serves, one line per stage."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import StrMethodFormatter

from reports.panels import (
    legend_under_axes,
    new_panels,
    rate_scale_top,
    root_figure,
    set_heading,
    set_rate_scale,
    set_title,
)
from reports.style import INK, POLICY_COLOURS, styled
from reports.timeline import TimeFrame, frame_time, last_end, step_line
from reports.wording import percent, policy_name
from simulator.metrics import summarise
from simulator.metrics.flows import StageFlow, stage_flows
from simulator.results import RunResult

BACKLOG, GOODPUT = "Jobs waiting at each stage", "Services of use at each stage"
_HEIGHT = 3.0
"""Inches."""
_BIN = 0.25
"""Seconds."""
_Drawn = tuple[dict[str, Line2D], dict[str, Line2D]]
"""Lines by stage, and those for services in vain."""
_IN_VAIN = (0, (1, 1.2))
"""Dashes of a line for services that nobody waited for."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class StageLines:
    """What was drawn."""

    ax: Axes
    frame: TimeFrame
    lines: Mapping[str, Line2D]
    """By stage; those that had anything to do."""
    in_vain: Mapping[str, Line2D]
    """By stage, for those that served in vain; empty where only the queue is shown."""
    handles: Mapping[int, Line2D]
    """For a legend: the lines of the stages in order, then one for services in vain."""

    @property
    def figure(self) -> Figure:
        """Whose part it is."""
        return root_figure(self.ax)


def plot_backlog(
    result: RunResult,
    *,
    ax: Axes | None = None,
    name: str | None = None,
    until: float | None = None,
    legend: bool = True,
) -> StageLines:
    """Draw how many jobs wait at each stage over time.

    Args:
        result: Any run.
        ax: Where; a figure of its own unless given.
        name: Whose run this is; its policy unless given.
        until: Seconds; end of the time axis; the end of the observation unless given.
        legend: Whether to explain the colours under the axes.
    """
    return _plot(
        result,
        BACKLOG,
        _draw_backlog,
        _longest(result),
        ax=ax,
        name=name,
        until=until,
        legend=legend,
    )


def plot_goodput(
    result: RunResult,
    *,
    ax: Axes | None = None,
    name: str | None = None,
    until: float | None = None,
    legend: bool = True,
) -> StageLines:
    """Draw how many jobs per second each stage serves that somebody waits for, and how many not.

    Where a connect takes several jobs of a stage, so many count as one.

    Args:
        result: Any run.
        ax: Where; a figure of its own unless given.
        name: Whose run this is; its policy unless given.
        until: Seconds; end of the time axis; the end of the observation unless given.
        legend: Whether to explain the colours under the axes.
    """
    return _plot(
        result,
        GOODPUT,
        _draw_goodput,
        _most_in_vain(result),
        ax=ax,
        name=name,
        until=until,
        legend=legend,
    )


def _plot(
    result: RunResult,
    heading: str,
    draw: Callable[[Axes, RunResult, Mapping[str, StageFlow]], _Drawn],
    finding: str,
    *,
    ax: Axes | None,
    name: str | None,
    until: float | None,
    legend: bool,
) -> StageLines:
    with styled():
        if ax is None:
            figure, (ax,) = new_panels(1, height=_HEIGHT)
            set_heading(figure, heading, result)
        frame = frame_time(ax, result, last_end([result]) if until is None else until)
        lines, in_vain = draw(ax, result, stage_flows(result, width=_BIN))
        set_title(ax, policy_name(result) if name is None else name, finding)
        numbers = {stage: place for place, stage in enumerate(result.scenario.server.stage_names)}
        handles = {numbers[stage]: line for stage, line in lines.items()}
        if in_vain:
            handles[len(numbers)] = Line2D(
                [], [], color=INK, ls=_IN_VAIN, lw=1.4, label="served in vain"
            )
        if legend and handles:
            legend_under_axes(ax, list(handles.values()))
        return StageLines(ax=ax, frame=frame, lines=lines, in_vain=in_vain, handles=handles)


def _draw_backlog(ax: Axes, result: RunResult, flows: Mapping[str, StageFlow]) -> _Drawn:
    ax.set_ylabel("jobs waiting")
    lines = {
        stage: step_line(
            ax, flow.edges, flow.backlog, color=_colour(result, stage), lw=1.8, label=stage
        )
        for stage, flow in flows.items()
    }
    ax.set_ylim(bottom=0)
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    return lines, {}


def _draw_goodput(ax: Axes, result: RunResult, flows: Mapping[str, StageFlow]) -> _Drawn:
    per_connect = {each.name: each.per_connect for each in result.scenario.server.stages}
    lines, in_vain, highest = {}, {}, max(1.0, rate_scale_top(ax))
    for stage, flow in flows.items():
        colour = _colour(result, stage)
        useful, wasted, _ = flow.by_fate / per_connect.get(stage, 1)
        lines[stage] = step_line(ax, flow.edges, useful, color=colour, lw=1.5, label=stage)
        if wasted.any():
            in_vain[stage] = step_line(ax, flow.edges, wasted, color=colour, lw=1.5, ls=_IN_VAIN)
        highest = max(highest, float(useful.max()), float(wasted.max()))
    set_rate_scale([ax], highest, "connects/s")
    return lines, in_vain


def _colour(result: RunResult, stage: str) -> str:
    return POLICY_COLOURS[result.scenario.server.stage_names.index(stage) % len(POLICY_COLOURS)]


def _longest(result: RunResult) -> str:
    stages = summarise(result)["stages"]
    if not stages:
        return "no record"
    longest = max(stages, key=lambda stage: int(stages[stage]["peak_backlog"]))
    return f"up to {stages[longest]['peak_backlog']:,} at {longest}"


def _most_in_vain(result: RunResult) -> str:
    shares = {
        stage: values["wasted"] / values["completed"]
        for stage, values in summarise(result)["stages"].items()
        if values["completed"]
    }
    worst = max(shares, key=shares.__getitem__, default=None)
    if worst is None or not shares[worst]:
        return "nothing served in vain"
    return f"{percent(shares[worst])} in vain at {worst}"
