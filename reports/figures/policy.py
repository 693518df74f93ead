"""A policy by itself: where its attempts fall, one by one, and the load that they add up to."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import StepPatch
from matplotlib.ticker import FixedLocator

from reports.panels import legend_under_axes, new_stack, root_figure, set_rate_scale
from reports.style import BLUE, INK, SKY, styled
from simulator.core.storms import Attempts, LoadCurve

_HEIGHTS = (3.6, 1.9)
"""Inches."""
_MARKER = 2.2
"""Points; a dot marker is half as wide."""
_BAND = 0.8
"""Share of the height between two attempts that the clients' dots take."""
_MARGIN = 0.01
"""Share of the time axis before the loss, so that retries made at once are seen."""
_SHOWN = 400
"""Clients whose attempts are shown one by one: more would only cover each other."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PolicyPicture:
    """What was drawn."""

    falls: Axes
    """Where the attempts fall."""
    load: Axes
    points: tuple[PathCollection, ...]
    """The first attempts of all clients shown, the second ..., as (seconds, attempt)."""
    curve: StepPatch
    yardstick: Line2D | None
    """The load under the policy that this one is held against."""

    @property
    def figure(self) -> Figure:
        """Whose part they are."""
        return root_figure(self.falls)


def plot_policy(
    attempts: Attempts,
    load: LoadCurve,
    *,
    name: str,
    finding: str,
    n_attempts: int,
    yardstick: tuple[str, LoadCurve] | None = None,
    axes: Sequence[Axes] | None = None,
) -> PolicyPicture:
    """Draw when a herd tries, by the number of the attempt, and below it how many do so a second.

    Args:
        attempts: Of the herd; of some of its clients every attempt is a dot.
        load: The same as a rate.
        name: Of the policy.
        finding: What is to be seen in the load.
        n_attempts: How many attempts of each client are shown one by one; fewer if it makes fewer.
        yardstick: The name and the load of the policy that this one is held against.
        axes: Two, one above the other; a figure of its own unless given.
    """
    with styled():
        if axes is None:
            figure, axes = new_stack(_HEIGHTS)
            figure.suptitle(_heading(attempts, name), x=0.01, ha="left")
        falls, below = axes
        points = _points(falls, attempts, n_attempts)
        curve = _curve(below, load)
        line = None if yardstick is None else _yardstick(below, *yardstick)
        loads = [load, *([] if yardstick is None else [yardstick[1]])]
        highest = max(1.0, *(float(one.per_second.max()) for one in loads))
        set_rate_scale([below], highest)
        below.set_title(finding, loc="left")
        for ax in axes:
            ax.set_xlim(-_MARGIN * attempts.until, attempts.until)
        below.set_xlabel("seconds after the connections were lost")
        legend_under_axes(below, [curve, *([line] if line else [])])
        return PolicyPicture(falls=falls, load=below, points=points, curve=curve, yardstick=line)


def _heading(attempts: Attempts, name: str) -> str:
    return f"{name}: {attempts.n_clients:,} clients lose a server that stays down"


def _points(ax: Axes, attempts: Attempts, n_attempts: int) -> tuple[PathCollection, ...]:
    shown = attempts.at[:_SHOWN, :n_attempts]
    shown = shown[:, np.isfinite(shown).any(axis=0)]
    offsets = _BAND * ((np.arange(shown.shape[0]) + 0.5) / shown.shape[0] - 0.5)
    points = tuple(
        ax.scatter(
            column[np.isfinite(column)],
            (attempt + offsets)[np.isfinite(column)],
            s=_MARKER**2,
            marker=".",
            lw=0,
            color=BLUE,
            rasterized=True,
        )
        for attempt, column in enumerate(shown.T, start=1)
    )
    n_rows = max(1, shown.shape[1])
    ax.set_ylim(n_rows + 0.5, 0.5)
    ax.yaxis.set_major_locator(FixedLocator(range(1, n_rows + 1)))
    ax.set_ylabel("attempt after the loss")
    ax.set_title(f"each attempt of {shown.shape[0]:,} of the clients, a dot", loc="left")
    return points


def _curve(ax: Axes, load: LoadCurve) -> StepPatch:
    curve = StepPatch(
        load.per_second,
        load.edges,
        fill=True,
        lw=0,
        antialiased=False,
        color=SKY,
        label="attempts per second",
    )
    ax.add_artist(curve)
    return curve


def _yardstick(ax: Axes, name: str, load: LoadCurve) -> Line2D:
    (line,) = ax.plot(
        load.edges,
        [*load.per_second, load.per_second[-1]],
        drawstyle="steps-post",
        color=INK,
        lw=1.0,
        label=name,
    )
    return line
