"""Axes of rates: a scale on which a herd in lockstep and the capacity are both seen."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, StrMethodFormatter
from numpy.typing import NDArray

from reports.style import INK
from reports.wording import per_second
from simulator.results import RunResult


def mark_capacity(ax: Axes, result: RunResult) -> Line2D:
    """Draw the capacity of a run's server as a line, with its number beside it."""
    capacity = result.scenario.server.capacity
    line = ax.axhline(capacity, color=INK, lw=1.2, ls=(0, (4, 2)))
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
    return line


def scale_rates(ax: Axes, highest: float, label: str) -> None:
    """Give a panel a square-root scale of rates.

    Args:
        ax: The panel.
        highest: The highest rate on it, per second.
        label: What happens at these rates.
    """
    ax.set_yscale("function", functions=(_root, np.square))
    ax.set_ylim(0.0, 1.35 * highest)
    ax.yaxis.set_major_locator(FixedLocator(_ticks(highest)))
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.yaxis.minorticks_off()
    ax.set_ylabel(f"{label}\n(√ scale)")


def _root(rate: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sqrt(np.maximum(rate, 0.0))


def _ticks(highest: float) -> list[float]:
    """Zero, and the numbers 1, 2, 5, 10, 20 ... that stand apart on a square-root scale."""
    exponents = range(-1, 10)
    series = [float(digit * 10**exponent) for exponent in exponents for digit in (1, 2, 5)]
    return [0.0, *(tick for tick in series if highest / 20 <= tick <= highest)]
