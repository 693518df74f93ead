"""The line that every figure of rates has: what the server can take."""

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from reports.panels import columns_beside
from reports.style import INK
from reports.wording import per_second
from simulator.results import RunResult


def mark_capacity(ax: Axes, result: RunResult) -> Line2D:
    """Draw the capacity of a run's server across a panel; its name stands beside it, or nowhere.

    Panels that stand side by side leave no room for it: there the line is for the legend.
    """
    capacity = result.capacity
    line = ax.axhline(
        capacity,
        color=INK,
        lw=1.2,
        ls=(0, (4, 2)),
        label=f"capacity {per_second(capacity)}",
    )
    if columns_beside(ax) == 1:
        _name(ax, capacity)
    return line


def _name(ax: Axes, capacity: float) -> None:
    ax.annotate(
        f"capacity\n{per_second(capacity)}",
        (1.0, capacity),
        xycoords=("axes fraction", "data"),
        xytext=(4, 0),
        textcoords="offset points",
        ha="left",
        va="center",
        fontsize=8.5,
    )
