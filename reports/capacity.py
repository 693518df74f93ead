"""The line that every figure of rates has: what the server can take."""

import math

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from reports.panels import columns_beside
from reports.style import INK
from reports.wording import per_second


def mark_capacity(ax: Axes, capacity: float) -> Line2D | None:
    """Draw a line across a panel and, where there is room beside it, say there what it is.

    Panels that stand side by side leave none: there the line is for the legend.

    Args:
        ax: The panel.
        capacity: Handshakes per second; NaN where nobody knows it, and then there is no line.
    """
    if math.isnan(capacity):
        return None
    if columns_beside(ax) == 1:
        _name(ax, capacity)
    return ax.axhline(
        capacity, color=INK, lw=1.2, ls=(0, (4, 2)), label=f"capacity {per_second(capacity)}"
    )


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
