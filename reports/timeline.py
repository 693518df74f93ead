"""What figures over time have in common: their axis, what is marked on it, and stacks of steps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle, StepPatch
from matplotlib.text import Annotation
from numpy.typing import NDArray

from reports.panels import n_characters
from reports.style import BLACK, FAINT, HALO
from server_stub.outage import OutageKind
from simulator.metrics.episodes import end_of_observation
from simulator.metrics.recovery import spans_of
from simulator.results import RunResult

Key = TypeVar("Key", bound=IntEnum)
"""What tells the layers of a stack apart."""

_NOTE_SIZE = 8.5
"""Points; of the type of words within a panel."""
_NAMES = {
    OutageKind.NETWORK: "network cut",
    OutageKind.DRAIN: "drain",
    OutageKind.SLOW: "slow",
    OutageKind.IDLE_TIMEOUT: "idle timeout",
}
"""What is written over a span, where "outage" would say too little."""
_SHORTEST = 1.0
"""Seconds; a time axis shows at least that much, even of a run cut off in its ramp."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TimeFrame:
    """What is marked on the time axis of a run's panel."""

    outages: tuple[Rectangle, ...]
    notes: tuple[Annotation, ...]
    """What is written on them."""
    unobserved: Rectangle | None
    """From the end of the run to the end of the axis; None where that is next to nothing."""


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
    outages, notes = shade_outages(ax, result, until, zorder=zorder)
    end = max(end_of_observation(result), 0.0)
    unobserved = None
    if end < 0.99 * until:
        unobserved = ax.axvspan(
            end, until, facecolor="none", edgecolor=FAINT, hatch="////", lw=0, zorder=0.5
        )
        notes += _label_span(ax, unobserved, "run over")
    return TimeFrame(outages=outages, notes=notes, unobserved=unobserved)


def shade_outages(
    ax: Axes, result: RunResult, until: float, *, zorder: float = 0.5
) -> tuple[tuple[Rectangle, ...], tuple[Annotation, ...]]:
    """Set up a time axis and shade the outages of a run on it.

    Args:
        ax: The panel.
        result: The run.
        until: Seconds; the right end of the axis, where an outage without an end stops.
        zorder: Of the shading; behind everything unless given.

    Returns:
        The shaded spans, and what is written on them.
    """
    ax.set_xlim(0.0, until)
    ax.set_xlabel("time (s)")
    spans = spans_of(result, end_of_observation(result))
    outages = tuple(
        ax.axvspan(
            span.starts_at, min(span.ends_at, until), color=BLACK, alpha=0.09, lw=0, zorder=zorder
        )
        for span in spans
    )
    texts = ["deploy" if span.is_deploy else _NAMES.get(span.kind, "outage") for span in spans]
    notes: tuple[Annotation, ...] = ()
    for line, text in enumerate(dict.fromkeys(texts)):  # The first of each; the two may overlap.
        notes += _label_span(ax, outages[texts.index(text)], text, line=line)
    return outages, notes


def _label_span(
    ax: Axes, span: Rectangle, text: str, *, line: int = 0
) -> tuple[Annotation] | tuple[()]:
    """Say at the top of a shaded span, or some lines below, what it is, if there is room."""
    left, right = ax.get_xlim()
    room = n_characters(ax, _NOTE_SIZE) * span.get_width() / (right - left)
    if room < len(text):
        return ()
    note = ax.annotate(
        text,
        (span.get_x() + span.get_width() / 2, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(0, -2 - 1.3 * _NOTE_SIZE * line),
        textcoords="offset points",
        ha="center",
        va="top",
        fontsize=_NOTE_SIZE,
        style="italic",
    )
    note.set_path_effects([HALO])
    return (note,)


def stack_steps(
    ax: Axes,
    edges: NDArray[np.float64],
    layers: Mapping[Key, NDArray[np.float64]],
    colours: Mapping[Key, str],
    words: Mapping[Key, str],
) -> dict[Key, StepPatch]:
    """Pile step functions up, the first at the bottom; those that are zero throughout are left out.

    Unlike `Axes.stairs` this leaves the limits alone: to find them from a long run takes seconds.

    Args:
        ax: The panel.
        edges: Of the steps, shape (n + 1,).
        layers: The height of each step by what it counts, shape (n,).
        colours: Of each.
        words: For the legend.
    """
    patches: dict[Key, StepPatch] = {}
    top = np.zeros(edges.size - 1)
    for key, heights in layers.items():
        if not heights.any():
            continue
        bottom, top = top, top + heights
        patches[key] = StepPatch(
            top,
            edges,
            baseline=bottom,  # type: ignore[arg-type] # arrays do, but are not in its signature
            fill=True,
            lw=0,
            antialiased=False,  # no seams between the layers
            color=colours[key],
            label=words[key],
        )
        ax.add_artist(patches[key])
    return patches
