"""States: what the whole fleet is doing, stacked over time."""

from collections.abc import Mapping
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch

from reports.figures.panel import caption, open_panel
from reports.panels import root_figure
from reports.style import STATE_COLOURS, styled
from reports.timeline import TimeFrame, stack_steps
from reports.wording import STATE_WORDS, percent
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
        ax, frame = open_panel(result, ax, heading=HEADING, height=_HEIGHT, until=until, zorder=3)
        ax.set_ylabel("clients")
        states = fleet_states(result)
        shown = states.averaged(_STEPS) if states.edges.size > _STEPS else states
        layers = dict(zip(FleetState, shown.counts, strict=True))
        stack = stack_steps(ax, shown.edges, layers, STATE_COLOURS, STATE_WORDS)
        seen = states.client_seconds >= _SEEN * states.client_seconds.sum()
        handles = {state: patch for state, patch in stack.items() if seen[state]}
        explained = list(handles.values()) if legend else ()
        caption(ax, result, name=name, finding=_finding(states), legend=explained)
        return StateStack(ax=ax, frame=frame, stack=stack, handles=handles)


def _finding(states: FleetStates) -> str:
    shares = states.counts[:, -1] / states.counts[:, -1].sum()
    found = f"{percent(float(shares[FleetState.CONNECTED]))} connected at the end"
    if shares[FleetState.GAVE_UP]:
        found += f", {percent(float(shares[FleetState.GAVE_UP]))} gave up"
    return found
