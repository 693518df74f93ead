"""The storm: how many attempts per second each policy makes, and what becomes of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle, StepPatch

from reports.style import (
    INK,
    OUTCOME_COLOURS,
    legend_below,
    new_panels,
    shade_outages,
    styled,
    time_axis,
)
from reports.wording import back, per_second, setting
from simulator.core.outcomes import Outcome
from simulator.metrics import summarise
from simulator.metrics.episodes import end_of_observation
from simulator.metrics.recovery import spans_of
from simulator.metrics.series import attempt_rate
from simulator.results import RunResult


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class StormPanel:
    """What was drawn for one policy."""

    ax: Axes
    stack: Mapping[Outcome, StepPatch]
    """Attempts per second of each outcome that occurs, each on top of the one before."""
    capacity: Line2D
    outages: tuple[Rectangle, ...]


def plot_storm(
    results: Mapping[str, RunResult], *, axes: Sequence[Axes] | None = None
) -> Mapping[str, StormPanel]:
    """Draw attempts per second over time, stacked by outcome, one panel per policy.

    Args:
        results: By policy.
        axes: One per policy; a figure of its own unless given.

    Returns:
        What was drawn, by policy.
    """
    with styled():
        own = axes is None
        if axes is None:
            figure, axes = new_panels(len(results), 1, height=1.5)
        until = max(map(end_of_observation, results.values()))
        panels = {
            name: _panel(ax, name, result, until)
            for (name, result), ax in zip(results.items(), axes, strict=True)
        }
        return panels
