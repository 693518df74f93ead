"""How every figure looks: its colours, type and sizes, in one place."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import matplotlib as mpl
from matplotlib.patheffects import withStroke

from simulator.core.outcomes import Outcome
from simulator.metrics.door import Met
from simulator.metrics.states import FleetState

WIDTH = 9.0
"""Inches. A page shows a picture at some 900 px, where a point of type comes out at 1.4 px."""
DPI = 160
"""Of bitmaps: sharp on a dense screen, and still small."""

BLACK = "#000000"
ORANGE = "#E69F00"
SKY = "#56B4E9"
GREEN = "#009E73"
YELLOW = "#F0E442"
BLUE = "#0072B2"
VERMILLION = "#D55E00"
PURPLE = "#CC79A7"
"""The eight colours of Okabe and Ito, told apart with every kind of colour vision
(https://jfly.uni-koeln.de/color/)."""
INK, GREY, LIGHT_GREY, FAINT = "#333333", "#999999", "#CCCCCC", "#E8E8E8"

HALO = withStroke(linewidth=2.5, foreground="white")
"""Keeps a word legible on top of data."""

OUTCOME_COLOURS: Mapping[Outcome, str] = MappingProxyType(
    {
        Outcome.CONNECTED: GREEN,
        Outcome.REFUSED: GREY,
        Outcome.REJECTED: ORANGE,
        Outcome.TIMED_OUT: VERMILLION,
        Outcome.RESET: PURPLE,
        Outcome.EOF: BLUE,
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
"""To be connected is as green as an attempt that got through."""
MET_COLOURS: Mapping[Met, str] = MappingProxyType(
    {
        Met.ADMITTED: GREEN,
        Met.BACKLOG: ORANGE,
        Met.MAX_CONNECTIONS: PURPLE,
        Met.ADMISSION: VERMILLION,
        Met.MAX_PER_ADDRESS: BLUE,
    }
)
"""To be let in is green again."""
POLICY_COLOURS = (VERMILLION, BLUE, GREEN, PURPLE, ORANGE, SKY, BLACK)
"""Of lines that stand for policies, in the order of the comparison."""
NODE_COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK)
"""Of lines that stand for nodes, by number."""

_PARAMETERS: Mapping[Any, Any] = MappingProxyType(
    {
        "font.family": "DejaVu Sans",  # comes with matplotlib: the same on every machine
        "font.size": 9.5,
        "text.color": INK,
        "figure.facecolor": "white",
        "figure.titlesize": 11.0,
        "figure.titleweight": "bold",
        "axes.titlesize": 9.5,
        "axes.titlecolor": INK,
        "axes.labelsize": 9.5,
        "axes.labelcolor": INK,
        "axes.edgecolor": GREY,
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.grid": True,
        "grid.color": FAINT,
        "grid.linewidth": 0.6,
        "xtick.color": INK,
        "ytick.color": INK,
        "xtick.labelsize": 9.0,
        "ytick.labelsize": 9.0,
        "hatch.color": FAINT,
        "hatch.linewidth": 1.2,
        "legend.frameon": False,
        "legend.fontsize": 9.0,
        "legend.handlelength": 1.4,
        "legend.columnspacing": 1.6,
        "savefig.facecolor": "white",
        "svg.hashsalt": "herd",  # the same figure gives the same file
    }
)


@contextmanager
def styled() -> Iterator[None]:
    """Let what is drawn within look like ours; matplotlib's settings are restored after it."""
    with mpl.rc_context(dict(_PARAMETERS)):
        yield


def policy_colours(names: Iterable[str]) -> dict[str, str]:
    """A colour for each policy, by its place; after the last colour comes the first again."""
    return {name: POLICY_COLOURS[place % len(POLICY_COLOURS)] for place, name in enumerate(names)}
