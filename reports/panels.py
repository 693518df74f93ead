"""What all figures over time share: canvases, titles, the time axis, the shading of outages."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.patches import Rectangle
from matplotlib.transforms import ScaledTranslation

from reports.style import BLACK, DPI, FAINT, HALO, WIDTH
from reports.wording import setting
from simulator.metrics.episodes import end_of_observation
from simulator.metrics.recovery import spans_of
from simulator.results import RunResult

_MARGINS = 0.9
"""Inches of a figure's height for its title, the time axis and the legend."""
_AXIS_HEIGHT = 36.0
"""Points below the panel that the time axis takes, its label included."""
_BESIDE = 30.0
"""Points of a panel's share of the width that its rates or counts take."""
_CHARACTER = 0.56
"""Width of an average character of ours as a share of the size of the type."""
_NOTE_SIZE = 8.5
"""Points; of the type of words within a panel."""
_SHORTEST = 1.0
"""Seconds; a time axis shows at least that much, even of a run cut off in its ramp."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TimeFrame:
    """What is marked on the time axis of a run's panel."""

    outages: tuple[Rectangle, ...]
    unobserved: Rectangle | None
    """From the end of the run to the end of the axis; None where that is next to nothing."""


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


def root_figure(ax: Axes) -> Figure:
    """The figure that a panel belongs to."""
    figure = ax.get_figure(root=True)
    if figure is None:
        raise ValueError("the Axes have been removed from their figure")
    return figure


def label_edges(axes: Sequence[Axes], n_columns: int = 1) -> None:
    """Leave the labels of shared axes only at the left and lower edges of the panels."""
    for place, ax in enumerate(axes):
        if place + n_columns < len(axes):
            ax.set_xlabel("")
        if place % n_columns:
            ax.set_ylabel("")


def last_end(results: Sequence[RunResult]) -> float:
    """Seconds; until when a time axis must go to show all of these runs."""
    return max(_SHORTEST, *map(end_of_observation, results))


def frame_time(ax: Axes, result: RunResult, until: float, *, zorder: float = 0.5) -> TimeFrame:
    """Set up the time axis of one run's panel: shade its outages, hatch what it did not observe.

    Args:
        ax: The panel.
        result: The run.
        until: Seconds; the right end of the axis.
        zorder: Of the shading; behind everything unless given.
    """
    outages = shade_outages(ax, result, until, zorder=zorder)
    end = max(end_of_observation(result), 0.0)
    unobserved = None
    if end < 0.99 * until:
        unobserved = ax.axvspan(
            end, until, facecolor="none", edgecolor=FAINT, hatch="////", lw=0, zorder=0.5
        )
        _label_span(ax, unobserved, "run over")
    return TimeFrame(outages=outages, unobserved=unobserved)


def shade_outages(
    ax: Axes, result: RunResult, until: float, *, zorder: float = 0.5
) -> tuple[Rectangle, ...]:
    """Set up a time axis and shade the outages of a run on it.

    Args:
        ax: The panel.
        result: The run.
        until: Seconds; the right end of the axis, where an outage without an end stops.
        zorder: Of the shading; behind everything unless given.
    """
    ax.set_xlim(0.0, until)
    ax.set_xlabel("time (s)")
    outages = tuple(
        ax.axvspan(
            span.starts_at, min(span.ends_at, until), color=BLACK, alpha=0.09, lw=0, zorder=zorder
        )
        for span in spans_of(result, end_of_observation(result))
    )
    if outages:
        _label_span(ax, outages[0], "outage")
    return outages


def _label_span(ax: Axes, span: Rectangle, text: str) -> None:
    """Say at the top of a shaded span what it is, if there is room."""
    left, right = ax.get_xlim()
    room = _characters(ax, _NOTE_SIZE) * span.get_width() / (right - left)
    if room < len(text):
        return
    note = ax.annotate(
        text,
        (span.get_x() + span.get_width() / 2, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(0, -2),
        textcoords="offset points",
        ha="center",
        va="top",
        fontsize=_NOTE_SIZE,
        style="italic",
    )
    note.set_path_effects([HALO])


def set_heading(figure: Figure, what: str, result: RunResult) -> None:
    """Say at the top of a figure what it shows, and what its herd is up against."""
    figure.suptitle(f"{what}: {setting(result)}", x=0.01, ha="left")


def set_title(ax: Axes, name: str, finding: str) -> None:
    """Title a panel with whose it is and what is seen in it, on as many lines as it takes."""
    n_characters = _characters(ax, float(ax.set_title("").get_fontsize()))
    lines = [f"{name}: {finding}"]
    if len(lines[0]) > n_characters:
        lines = [*textwrap.wrap(name, n_characters), *textwrap.wrap(finding, n_characters)]
    ax.set_title("\n".join(lines))


def _characters(ax: Axes, size: float) -> int:
    """How many characters fit into the width that a panel will have once it is laid out.

    Args:
        ax: The panel.
        size: Points; of the type.
    """
    grid = ax.get_gridspec()
    width = 72 * root_figure(ax).get_figwidth() / (grid.ncols if grid else 1)
    return max(1, int((width - _BESIDE) / (_CHARACTER * size)))


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
        ncols=max(1, min(n_columns, len(handles))),
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
        ncols=max(1, min(n_columns, len(handles))),
    )
