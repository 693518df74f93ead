"""Sync load: what becomes of the requests for what was missed, stacked over time."""

from collections.abc import Mapping
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch
from matplotlib.ticker import StrMethodFormatter

from reports.panels import legend_under_axes, new_panels, root_figure, set_heading, set_title
from reports.style import FATE_COLOURS, styled
from reports.timeline import TimeFrame, frame_time, last_end, stack_steps
from reports.wording import FATE_WORDS, policy_name, seconds
from simulator.metrics import summarise
from simulator.metrics.flows import JobFate, sync_flow
from simulator.results import RunResult

HEADING = "Requests to sync"
_HEIGHT = 3.0
"""Inches."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SyncLoad:
    """What was drawn."""

    ax: Axes
    frame: TimeFrame
    stack: Mapping[JobFate, StepPatch]
    """Requests per second by what became of them, each on top of the one before."""
    handles: Mapping[JobFate, StepPatch]

    @property
    def figure(self) -> Figure:
        """Whose part it is."""
        return root_figure(self.ax)


def plot_syncs(
    result: RunResult,
    *,
    ax: Axes | None = None,
    name: str | None = None,
    until: float | None = None,
    legend: bool = True,
) -> SyncLoad:
    """Draw how many requests to sync per second were served, in vain or not, or turned away.

    Args:
        result: A run whose answers to such requests stand behind a stage.
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
        flow = sync_flow(result, width=0.5)
        stack: dict[JobFate, StepPatch] = {}
        if flow is not None:
            layers = dict(zip(JobFate, flow.by_fate, strict=True))
            stack = stack_steps(ax, flow.edges, layers, FATE_COLOURS, FATE_WORDS)
            ax.set_ylim(0, max(*ax.get_ylim(), 1.1 * float(flow.by_fate.sum(axis=0).max())))
        set_title(ax, policy_name(result) if name is None else name, _finding(result))
        ax.set_ylabel("requests/s")
        ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        if legend and stack:
            legend_under_axes(ax, list(stack.values()))
        return SyncLoad(ax=ax, frame=frame, stack=stack, handles=stack)


def _finding(result: RunResult) -> str:
    summary = summarise(result)
    if "time_to_sync_p95" in summary["unmeasured"]:
        return "no outage ended"
    after = summary["time_to_sync_p95"]
    if after is None:
        return "not even 95 % are told what they missed"
    return f"95 % know what they missed after {seconds(after)}"
