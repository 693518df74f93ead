"""The vulnerable region: for which outage and load a herd does not come back by itself."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Patch

from reports.panels import legend_under_figure, new_panels, root_figure
from reports.style import GREEN, VERMILLION, YELLOW, styled
from reports.wording import percent
from simulator.plan_results import Cell, PlanResult, Region

_HEIGHT = 3.4
"""Inches."""
_STATES = ("back", "slow", "stuck")
_WORDS = ("back by itself", "still coming back at the end", "stuck: not back by itself")
_COLOURS = (GREEN, YELLOW, VERMILLION)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class RegionPicture:
    """What was drawn."""

    axes: tuple[Axes, ...]
    maps: dict[str, AxesImage]
    """By what the server does with the abandoned."""

    @property
    def figure(self) -> Figure:
        """Whose part they are."""
        return root_figure(self.axes[0])


def plot_region(
    plan: PlanResult, region: Region, *, axes: Sequence[Axes] | None = None
) -> RegionPicture:
    """Draw outage length against clients, a map for each thing a server does with the abandoned.

    A cell's colour is the worst that any seed came to; its number the share that was back then.

    Args:
        plan: What was found.
        region: Its map.
        axes: A panel for each; those of a figure of its own unless given.
    """
    kinds = list(dict.fromkeys(cell.abandoned for cell in region.cells))
    with styled():
        if axes is None:
            figure, axes = new_panels(len(kinds), height=_HEIGHT, n_columns=2)
            figure.suptitle(f"Does it come back by itself? {plan.scenario}", x=0.01, ha="left")
            legend_under_figure(
                figure,
                [
                    Patch(color=colour, label=words)
                    for colour, words in zip(_COLOURS, _WORDS, strict=True)
                ],
            )
        maps = {
            kind: _map(ax, kind, [cell for cell in region.cells if cell.abandoned == kind])
            for ax, kind in zip(axes, kinds, strict=True)
        }
        axes[0].set_ylabel("clients")
        return RegionPicture(axes=tuple(axes), maps=maps)


def _map(ax: Axes, kind: str, cells: Sequence[Cell]) -> AxesImage:
    outages = sorted({cell.down_for for cell in cells})
    loads = sorted({cell.n_clients for cell in cells})
    grid = np.full((len(loads), len(outages)), np.nan)
    for cell in cells:
        row, column = loads.index(cell.n_clients), outages.index(cell.down_for)
        grid[row, column] = max(map(_STATES.index, cell.states))
        ax.text(column, row, percent(min(cell.shares)), ha="center", va="center", fontsize=8.5)
    image = ax.imshow(
        grid,
        origin="lower",
        aspect="auto",
        cmap=ListedColormap(_COLOURS),
        vmin=-0.5,
        vmax=2.5,
        alpha=0.75,
    )
    ax.grid(visible=False)
    ax.set_xticks(range(len(outages)), [f"{outage:g}" for outage in outages])
    ax.set_yticks(range(len(loads)), [f"{load:,.0f}" for load in loads])
    ax.set_xlabel("outage (s)")
    does = "goes on to serve" if kind == "serve" else "skips"
    ax.set_title(f"a server that {does}\nthose who have given up", loc="left")
    return image
