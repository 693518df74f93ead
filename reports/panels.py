"""Where figures are drawn: canvases and panels, their titles, labels and legends."""

import math
import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.ticker import FixedLocator, StrMethodFormatter
from matplotlib.transforms import ScaledTranslation
from numpy.typing import NDArray

from reports.style import DPI, WIDTH
from reports.wording import setting
from simulator.results import RunResult

_MARGINS = 0.9
"""Inches of a figure's height for its title, the time axis and the legend."""
_AXIS_HEIGHT = 36.0
"""Points below the panel that the time axis takes, its label included."""
_BESIDE = 24.0
"""Points of a panel's share of the width that its rates or counts take."""
_CHARACTER = 0.56
"""Width of an average character of ours as a share of the size of the type."""


def new_panels(n: int, *, height: float, n_columns: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure of n panels with both axes in common, on a canvas that pyplot knows nothing of.

    Args:
        n: Panels; they fill the rows from the left.
        height: Inches of one panel, its title included.
        n_columns: At most.
    """
    n_columns = min(n, n_columns)
    n_rows = math.ceil(n / n_columns)
    size = (WIDTH, n_rows * height + _MARGINS)
    figure = Figure(figsize=size, dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)
    axes = list(grid.flat)
    for ax in axes[n:]:
        ax.remove()
    for ax in axes[max(0, n - n_columns) : n]:
        ax.tick_params(labelbottom=True)
    return figure, axes[:n]


def new_stack(heights: Sequence[float]) -> tuple[Figure, list[Axes]]:
    """A figure of panels one above the other that have nothing but their time axis in common.

    Args:
        heights: Inches; of each panel, its title included.
    """
    size = (WIDTH, sum(heights) + _MARGINS)
    figure = Figure(figsize=size, dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)
    return figure, list(grid.flat)


def best_columns(n: int, most: int = 3) -> int:
    """How many panels to set side by side so that the fewest places of a grid stay empty.

    Args:
        n: Panels.
        most: Of the numbers from 2 up to this, the higher one where two leave as few.
    """
    return min(n, min(range(most, 1, -1), key=lambda n_columns: -n % n_columns))


def root_figure(ax: Axes) -> Figure:
    """The figure that a panel belongs to."""
    figure = ax.get_figure(root=True)
    if figure is None:
        raise ValueError("the Axes have been removed from their figure")
    return figure


def label_edges(axes: Sequence[Axes]) -> None:
    """Leave the labels of shared axes only at the left and lower edges of the panels."""
    n_columns = columns_beside(axes[0])
    for place, ax in enumerate(axes):
        if place + n_columns < len(axes):
            ax.set_xlabel("")
        if place % n_columns:
            ax.set_ylabel("")


def set_heading(figure: Figure, what: str, result: RunResult) -> None:
    """Say at the top of a figure what it shows, and what its herd is up against."""
    figure.suptitle(f"{what}: {setting(result)}", x=0.01, ha="left")


def set_title(ax: Axes, name: str, finding: str) -> None:
    """Title a panel with whose it is and what is seen in it; on two lines or more if narrow."""
    n_fit = n_characters(ax, float(ax.title.get_fontsize()))
    lines = [f"{name}: {finding}"]
    if columns_beside(ax) > 1 or len(lines[0]) > n_fit:
        lines = [*textwrap.wrap(name, n_fit), *textwrap.wrap(finding, n_fit)]
    ax.set_title("\n".join(lines), loc="left")


def n_characters(ax: Axes, size: float) -> int:
    """How many characters fit into the width that a panel will have once it is laid out.

    Args:
        ax: The panel.
        size: Points; of the type.
    """
    width = 72 * root_figure(ax).get_figwidth() / columns_beside(ax)
    return max(1, int((width - _BESIDE) / (_CHARACTER * size)))


def set_rate_scale(axes: Sequence[Axes], highest: float, what: str = "attempts/s") -> None:
    """Give panels of rates one square-root scale, on which a peak and a fiftieth of it both show.

    Args:
        axes: The panels.
        highest: Events per second.
        what: Label of the scale.
    """
    for ax in axes:
        ax.set_yscale("function", functions=(_root, np.square))
        ax.set_ylim(0.0, 1.35 * highest)
        ax.yaxis.set_major_locator(FixedLocator(_rate_ticks(highest)))
        ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        ax.yaxis.minorticks_off()
        ax.set_ylabel(f"{what}\n(√ scale)")


def _root(rate: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sqrt(np.maximum(rate, 0.0))


def _rate_ticks(highest: float) -> list[float]:
    """Zero, and the numbers 1, 2, 5, 10, 20 ... that stand apart on a square-root scale."""
    exponents = range(-1, 10)
    series = [float(digit * 10**exponent) for exponent in exponents for digit in (1, 2, 5)]
    return [0.0, *(tick for tick in series if highest / 20 <= tick <= highest)]


def columns_beside(ax: Axes) -> int:
    """How many panels stand side by side."""
    grid = ax.get_gridspec()
    return grid.ncols if grid else 1


def _legend_columns(n: int, most: int) -> int:
    """So many that the rows are about as long as each other."""
    return math.ceil(n / math.ceil(n / most)) if n else 1


def legend_under_axes(ax: Axes, handles: Sequence[Artist], *, n_columns: int = 5) -> Legend:
    """A legend under a panel's time axis.

    Args:
        ax: The panel.
        handles: Labelled artists.
        n_columns: At most.
    """
    below = ScaledTranslation(0, -_AXIS_HEIGHT / 72, root_figure(ax).dpi_scale_trans)
    return ax.legend(
        handles=list(handles),
        loc="upper left",
        bbox_to_anchor=(0.0, 0.0),
        bbox_transform=ax.transAxes + below,
        borderaxespad=0.0,
        borderpad=0.0,
        ncols=_legend_columns(len(handles), n_columns),
    )


def legend_under_figure(figure: Figure, handles: Sequence[Artist], *, n_columns: int = 5) -> Legend:
    """A legend for all panels of a figure.

    Args:
        figure: In constrained layout.
        handles: Labelled artists.
        n_columns: At most.
    """
    return figure.legend(
        handles=list(handles),
        loc="outside lower left",
        ncols=_legend_columns(len(handles), n_columns),
    )
