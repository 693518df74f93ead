"""How every figure looks: colours, type, sizes, and the marks they share. One place for all."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.patches import Rectangle

from simulator.core.outcomes import Outcome
from simulator.metrics.recovery import Span
from simulator.metrics.series import FleetState

WIDTH = 9.0
"""Inches. A page shows a picture at about 900 px, so that a point comes out at 1.4 px."""
DPI = 160
"""Of bitmaps: sharp on a dense screen, and a figure stays below 200 kB or so."""

BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILLION, PURPLE = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
)
"""Okabe and Ito's colours, told apart with every kind of colour vision
(https://jfly.uni-koeln.de/color/)."""
GREY, LIGHT_GREY, INK = "#999999", "#CCCCCC", "#333333"

OUTCOME_COLOURS: Mapping[Outcome, str] = MappingProxyType(
    {
        Outcome.CONNECTED: GREEN,
        Outcome.REFUSED: GREY,
        Outcome.REJECTED: ORANGE,
        Outcome.TIMED_OUT: VERMILLION,
        Outcome.RESET: PURPLE,
        Outcome.EOF: SKY,
        Outcome.FAILED: BLACK,
        Outcome.CANCELLED: LIGHT_GREY,
    }
)

STATE_COLOURS: Mapping[FleetState, str] = MappingProxyType(
    {
        FleetState.CONNECTED: GREEN,
        FleetState.DIALLING: VERMILLION,
        FleetState.WAITING: SKY,
        FleetState.UNAWARE: YELLOW,
        FleetState.GAVE_UP: INK,
    }
)
"""Connected is as green as an attempt that connected."""

POLICY_COLOURS = (VERMILLION, BLUE, GREEN, PURPLE, ORANGE, SKY, BLACK)
"""Of lines that stand for policies, in the order of the comparison; then from the first again."""

_PARAMETERS: Mapping[str, Any] = MappingProxyType(
    {
        "font.family": "DejaVu Sans",  # comes with matplotlib: the same on every machine
        "font.size": 9.5,
        "axes.titlesize": 10.0,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.titlecolor": INK,
        "axes.labelsize": 9.5,
        "axes.labelcolor": INK,
        "axes.edgecolor": GREY,
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.grid": True,
        "axes.xmargin": 0.0,
        "grid.color": "#E6E6E6",
        "grid.linewidth": 0.6,
        "xtick.color": INK,
        "ytick.color": INK,
        "xtick.labelsize": 9.0,
        "ytick.labelsize": 9.0,
        "text.color": INK,
        "legend.frameon": False,
        "legend.fontsize": 9.0,
        "legend.handlelength": 1.4,
        "figure.titlesize": 11.0,
        "figure.titleweight": "bold",
        "figure.facecolor": "white",
        "savefig.facecolor": "white",
        "svg.fonttype": "none",
        "svg.hashsalt": "herd",
    }
)


@contextmanager
def styled() -> Iterator[None]:
    """Make what is drawn within look like ours; matplotlib's settings are restored after it."""
    with mpl.rc_context(dict(_PARAMETERS)):
        yield


def new_figure(height: float) -> Figure:
    """A figure of our width, on a canvas of its own that pyplot knows nothing of.

    Args:
        height: Inches.
    """
    figure = Figure(figsize=(WIDTH, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def new_panels(n_rows: int, n_columns: int, *, height: float) -> tuple[Figure, list[Axes]]:
    """A figure of panels with both axes in common.

    Args:
        n_rows: Of panels.
        n_columns: Of panels.
        height: Inches of one row; legend and title come on top.

    Returns:
        The figure and its panels, row by row.
    """
    figure = new_figure(n_rows * height + 0.9)
    grid = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)
    return figure, list(np.ravel(grid))


def policy_colours(names: Iterable[str]) -> dict[str, str]:
    """A colour for each policy, by its place."""
    return {
        name: POLICY_COLOURS[place % len(POLICY_COLOURS)] for place, name in enumerate(names)
    }


def time_axis(ax: Axes, until: float) -> None:
    """Make the x axis one of time on the run's clock.

    Args:
        ax: What to label.
        until: Seconds; where it ends. It begins at t = 0.
    """
    ax.set_xlim(0.0, until if until > 0 else 1.0)
    ax.set_xlabel("time (s)")


def shade_outages(ax: Axes, spans: Sequence[Span], until: float) -> tuple[Rectangle, ...]:
    """Shade the stretches of downtime and say on the first one what they are.

    Args:
        ax: Where.
        spans: The outages.
        until: Seconds; where an outage that never ended stops.
    """
    shades = tuple(
        ax.axvspan(span.starts_at, min(span.ends_at, until), color="#00000014", lw=0, zorder=0.5)
        for span in spans
    )
    if shades:
        middle = shades[0].get_x() + shades[0].get_width() / 2
        ax.annotate(
            "outage",
            (middle, 1.0),
            xytext=(0, -3),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize="small",
            style="italic",
        )
    return shades


def legend_below(figure: Figure, handles: Sequence[Artist], *, n_columns: int = 6) -> Legend:
    """A legend under the panels.

    Args:
        figure: In constrained layout.
        handles: Labelled artists.
        n_columns: At most.
    """
    return figure.legend(
        handles=list(handles),
        loc="outside lower center",
        ncols=max(1, min(n_columns, len(handles))),
    )
