"""Nodes: how many connections each of them holds over time."""

from collections.abc import Mapping
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import StrMethodFormatter

from reports.panels import legend_under_axes, new_panels, root_figure, set_heading, set_title
from reports.style import NODE_COLOURS, styled
from reports.timeline import TimeFrame, frame_time, last_end
from reports.wording import policy_name
from simulator.metrics import summarise
from simulator.metrics.nodes import NodeConnections, connections_by_node
from simulator.results import RunResult

HEADING = "Connections per node"
_HEIGHT = 3.2
"""Inches."""
_RAMP = "viridis"
"""The colours of more nodes than have one of their own."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class NodeLines:
    """What was drawn."""

    ax: Axes
    frame: TimeFrame
    lines: Mapping[int, Line2D]
    """By the number of the node; those that ever held a connection."""
    handles: Mapping[int, Line2D]
    """For a legend: all of them, or the first and the last of many."""

    @property
    def figure(self) -> Figure:
        """Whose part it is."""
        return root_figure(self.ax)


def plot_nodes(
    result: RunResult,
    *,
    ax: Axes | None = None,
    name: str | None = None,
    until: float | None = None,
    legend: bool = True,
) -> NodeLines:
    """Draw how many connections each node holds over time.

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
        held = connections_by_node(result)
        colours = _colours(held.counts.shape[0])
        lines = {
            node: ax.plot(
                held.edges,
                np.append(counts, counts[-1:]),
                drawstyle="steps-post",
                color=colours[node],
                lw=1.6,
                label=f"node {node}",
            )[0]
            for node, counts in enumerate(held.counts)
            if counts.any()
        }
        set_title(ax, policy_name(result) if name is None else name, _finding(result))
        ax.set_ylim(0, _top(held))
        ax.set_ylabel("connections")
        ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        handles = _handles(lines)
        if legend and handles:
            legend_under_axes(ax, list(handles.values()))
        return NodeLines(ax=ax, frame=frame, lines=lines, handles=handles)


def _colours(n_places: int) -> list[str]:
    """One for each node: told apart where they are few, a ramp where they are many."""
    if n_places <= len(NODE_COLOURS):
        return list(NODE_COLOURS[:n_places])
    ramp = mpl.colormaps[_RAMP](np.linspace(0.0, 0.9, n_places))
    return [mpl.colors.to_hex(colour) for colour in ramp]


def _handles(lines: Mapping[int, Line2D]) -> dict[int, Line2D]:
    if len(lines) <= len(NODE_COLOURS):
        return dict(lines)
    return {node: lines[node] for node in (min(lines), max(lines))}


def _top(held: NodeConnections) -> float:
    return 1.15 * max(1, int(held.counts.max(initial=0)))


def _finding(result: RunResult) -> str:
    summary = summarise(result)
    found = f"{summary['disconnects_per_client']:.2f} disconnects per client"
    imbalance = summary["connection_imbalance"]
    if imbalance is None:
        return found
    return f"{found}; fullest node at the end: {imbalance:.2f} times the mean"
