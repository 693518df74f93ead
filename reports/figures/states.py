"""States: what the whole fleet is doing, stacked over time."""

from collections.abc import Mapping
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch
from matplotlib.ticker import StrMethodFormatter

from reports.panels import legend_under_axes, new_panels, root_figure, set_heading, set_title
from reports.style import STATE_COLOURS, styled
from reports.timeline import TimeFrame, frame_time, last_end, stack_steps
from reports.wording import STATE_WORDS, percent, policy_name
from simulator.metrics.states import FleetState, FleetStates, fleet_states
from simulator.results import RunResult

HEADING = "States of the fleet"
_HEIGHT = 3.2
"""Inches."""
_STEPS = 2000
"""At most: more than a figure has columns of dots, which show the average over their width."""
_SEEN = 0.001
"""Share of the figure's area from which on a state is named in the legend."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class StateStack:
    """What was drawn."""

    ax: Axes
    frame: TimeFrame
    stack: Mapping[FleetState, StepPatch]
    """Clients by state, each on top of the one before; those that occur."""
    handles: Mapping[FleetState, StepPatch]
    """For a legend: the states large enough to be seen."""

    @property
    def figure(self) -> Figure:
        """Whose part it is."""
        return root_figure(self.ax)


def plot_states(
    result: RunResult,
    *,
    ax: Axes | None = None,
    name: str | None = None,
    until: float | None = None,
    legend: bool = True,
) -> StateStack:
    """Draw how many clients are in each state over time, stacked up to the whole fleet.

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
        frame = frame_time(ax, result, last_end([result]) if until is None else until, zorder=3)
        states = fleet_states(result)
        shown = states.averaged(_STEPS) if states.edges.size > _STEPS else states
        layers = dict(zip(FleetState, shown.counts, strict=True))
        stack = stack_steps(ax, shown.edges, layers, STATE_COLOURS, STATE_WORDS)
        set_title(ax, policy_name(result) if name is None else name, _finding(states))
        ax.set_ylim(0, result.scenario.n_clients)
        ax.set_ylabel("clients")
        ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        seen = states.client_seconds >= _SEEN * states.client_seconds.sum()
        handles = {state: patch for state, patch in stack.items() if seen[state]}
        if legend and handles:
            legend_under_axes(ax, list(handles.values()))
        return StateStack(ax=ax, frame=frame, stack=stack, handles=handles)


def _finding(states: FleetStates) -> str:
    shares = states.counts[:, -1] / states.counts[:, -1].sum()
    found = f"{percent(float(shares[FleetState.CONNECTED]))} connected at the end"
    if shares[FleetState.GAVE_UP]:
        found += f", {percent(float(shares[FleetState.GAVE_UP]))} gave up"
    return found
