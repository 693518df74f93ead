"""Two axes of a sweep: where the herd recovers, how well, and where an objective is met."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.text import Text
from numpy.typing import NDArray

from reports.panels import new_panels, root_figure
from reports.style import INK, LIGHT_GREY, VERMILLION, styled

_MARGIN, _ROW = 1.0, 0.55
"""Inches of height: beside the rows, and of each row."""
_BORDER = 2.5
"""Points; width of the objective's contour."""
_MAP = "cividis"
"""Even in lightness, and alike with every kind of colour vision."""
_DARK = 0.5
"""Luminance of a colour under which white type is read better than dark."""
_LUMINANCE = (0.2126, 0.7152, 0.0722)
"""Weights of red, green and blue (ITU-R BT.709)."""

_Cell = Mapping[str, Any]
Edge = tuple[tuple[float, float], tuple[float, float]]
"""From one corner of a cell to the next, as (column, row); a cell's middle is at whole numbers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Objective:
    """What a cell has to reach."""

    recovered: float = 1.0
    """Share of the replications in which the herd has to recover, at least."""
    limit: float = math.inf
    """What the metric's mean over the recovered may come to, in its own unit."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class HeatMap:
    """What was drawn."""

    ax: Axes
    image: AxesImage
    """A row per value of `y`, the first one lowest; masked where there is nothing to show."""
    words: Mapping[tuple[str, str], Text]
    """What is written into each cell, by its values of `x` and of `y`."""
    contour: LineCollection | None
    """Between cells that meet the objective and those that do not; None without an objective."""

    @property
    def figure(self) -> Figure:
        """Whose part they are."""
        return root_figure(self.ax)


def plot_heatmap(
    outcome: Mapping[str, Any],
    *,
    x: str,
    y: str,
    others: Mapping[str, str] | None = None,
    metric: str | None = None,
    objective: Objective | None = None,
    ax: Axes | None = None,
) -> HeatMap:
    """Draw a sweep over two of its axes: a cell each, with its recovered replications written in.

    The contour runs along the borders of cells: nothing was measured between them.

    Args:
        outcome: The content of `sweep.json`.
        x: Axis across.
        y: Axis upwards.
        others: The value of every further axis, as it was written.
        metric: The colours show its mean over the recovered; the share of these if left out.
        objective: Of which the contour is drawn.
        ax: Where; a figure of its own unless given.

    Raises:
        ValueError: There is no such axis or metric, or a further axis has no value.
    """
    cells = _cells(outcome, x=x, y=y, others=others or {})
    columns, rows = outcome["axes"][x], outcome["axes"][y]
    values = np.full((len(rows), len(columns)), np.nan)
    met = np.zeros(values.shape, bool)
    for (across, up), cell in cells.items():
        place = rows.index(up), columns.index(across)
        values[place] = _shown(cell, metric)
        met[place] = objective is not None and _meets(cell, metric, objective)
    with styled():
        if ax is None:
            _, (ax,) = new_panels(1, height=_MARGIN + _ROW * len(rows))
        image = _image(ax, values, metric)
        _label(ax, x, columns, y, rows)
        words = {
            (across, up): _write(ax, image, place, cells.get((across, up)), metric)
            for place, across, up in _places(columns, rows)
        }
        contour = None if objective is None else _contour(ax, met)
        given = "".join(f", {axis} {value}" for axis, value in (others or {}).items())
        ax.set_title(_finding(cells, met, metric, objective) + given, loc="left")
        return HeatMap(ax=ax, image=image, words=words, contour=contour)


def _cells(
    outcome: Mapping[str, Any], *, x: str, y: str, others: Mapping[str, str]
) -> dict[tuple[str, str], _Cell]:
    """Those that are to be shown, by their values as they were written."""
    axes = set(outcome["axes"])
    if x == y or {x, y, *others} != axes or {x, y} & set(others):
        raise ValueError(
            f"x={x!r}, y={y!r}, others={sorted(others)}: must name every axis of the sweep once; "
            f"it has {', '.join(sorted(axes))}"
        )
    return {
        (str(cell["values"][x]), str(cell["values"][y])): cell
        for cell in _written(outcome)
        if all(str(cell["values"][axis]) == value for axis, value in others.items())
    }


def _written(outcome: Mapping[str, Any]) -> list[_Cell]:
    """The cells, with their values in the words of the axes: `0.50` is read as 0.5, and is it."""
    words = {
        axis: {_as_read(value): value for value in values}
        for axis, values in outcome["axes"].items()
    }
    return [
        {
            **cell,
            "values": {
                axis: words[axis][_as_read(value)] for axis, value in cell["values"].items()
            },
        }
        for cell in outcome["cells"]
    ]


def _as_read(value: object) -> object:
    try:
        number = float(str(value))
    except ValueError:
        return str(value)
    return number if math.isfinite(number) else str(value)


def _shown(cell: _Cell, metric: str | None) -> float:
    """What the colour of a cell stands for; not a number where nobody recovered."""
    if metric is None:
        return float(cell["recovered"]["estimate"])
    if metric not in cell["metrics"]:
        known = ", ".join(cell["metrics"])
        raise ValueError(f"metric {metric!r}: is not in the sweep; allowed: {known}")
    mean = cell["metrics"][metric]["estimate"]
    return math.nan if mean is None else float(mean)


def _meets(cell: _Cell, metric: str | None, objective: Objective) -> bool:
    if cell["n_recovered"] < objective.recovered * cell["n"]:
        return False
    return metric is None or _shown(cell, metric) <= objective.limit


def _image(ax: Axes, values: NDArray[np.float64], metric: str | None) -> AxesImage:
    ax.grid(visible=False)
    ax.set_facecolor(LIGHT_GREY)  # under cells that have no value
    shown = np.ma.masked_invalid(values)
    low, high = (0.0, 1.0) if metric is None else (None, None)
    image = ax.imshow(shown, cmap=_MAP, vmin=low, vmax=high, origin="lower", aspect="auto")
    if shown.count():
        what = "share recovered" if metric is None else f"{metric},\nmean of the recovered"
        bar = root_figure(ax).colorbar(image, ax=ax, label=what)
        bar.outline.set_visible(False)
    return image


def _label(ax: Axes, x: str, columns: Sequence[str], y: str, rows: Sequence[str]) -> None:
    ax.set_xticks(range(len(columns)), columns)
    ax.set_yticks(range(len(rows)), rows)
    ax.tick_params(length=0)
    ax.set_xlabel(x)
    ax.set_ylabel(y)


def _places(columns: Sequence[str], rows: Sequence[str]) -> list[tuple[tuple[int, int], str, str]]:
    return [
        ((column, row), across, up)
        for row, up in enumerate(rows)
        for column, across in enumerate(columns)
    ]


def _write(
    ax: Axes, image: AxesImage, place: tuple[int, int], cell: _Cell | None, metric: str | None
) -> Text:
    column, row = place
    words = "not run"
    colour = INK
    if cell is not None:
        value = _shown(cell, metric)
        words = f"{cell['n_recovered']} of {cell['n']}"
        if metric is not None and math.isfinite(value):
            words += f"\n{value:,.3g}"
        if math.isfinite(value):
            shade = image.to_rgba(np.array([value]))[0][:3]
            colour = "white" if float(np.dot(shade, _LUMINANCE)) < _DARK else INK
    return ax.text(column, row, words, ha="center", va="center", color=colour)


def _contour(ax: Axes, met: NDArray[np.bool_]) -> LineCollection:
    lines = LineCollection(borders(met), colors=VERMILLION, linewidths=_BORDER, capstyle="round")
    ax.add_collection(lines, autolim=False)
    return lines


def borders(met: NDArray[np.bool_]) -> list[Edge]:
    """The edges between neighbouring cells of which one is in and the other is not.

    Args:
        met: Which cells are in, by row and column.
    """
    beside = [
        ((column + 0.5, row - 0.5), (column + 0.5, row + 0.5))
        for row, column in np.argwhere(met[:, 1:] != met[:, :-1]).tolist()
    ]
    above = [
        ((column - 0.5, row + 0.5), (column + 0.5, row + 0.5))
        for row, column in np.argwhere(met[1:] != met[:-1]).tolist()
    ]
    return [*beside, *above]


def _finding(
    cells: Mapping[tuple[str, str], _Cell],
    met: NDArray[np.bool_],
    metric: str | None,
    objective: Objective | None,
) -> str:
    n = len(cells)
    if objective is None:
        n_sure = sum(cell["n_recovered"] == cell["n"] for cell in cells.values())
        return f"the herd always recovers in {n_sure} of {n} cells"
    wanted = f"recovery in {objective.recovered:.0%} of the replications"
    if metric is not None and math.isfinite(objective.limit):
        wanted += f", {metric} up to {objective.limit:,g}"
    return f"{int(met.sum())} of {n} cells reach {wanted} (contour)"
