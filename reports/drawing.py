"""The standard figures of a run or a comparison, written to files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.figures import plot_raster, plot_recovery, plot_states, plot_storm, raster, states
from reports.panels import label_edges, legend_under_figure, new_panels, set_heading
from reports.style import styled
from reports.timeline import last_end
from reports.wording import policy_name
from simulator.results import RunResult

FIGURES = "figures"
"""The directory of figures within that of a run or a comparison."""
_PANEL_HEIGHT = 2.7
"""Inches; of panels that stand side by side."""


def draw_comparison(
    results: Mapping[str, RunResult], directory: Path, *, format: str = "png"
) -> list[Path]:
    """Write the figures of a comparison: storm and recovery; raster and states need every attempt.

    Args:
        results: By policy; one at least.
        directory: Of the comparison; the figures go into `figures` below it.
        format: Any that matplotlib can write: "png", "svg" ...

    Returns:
        The files written.
    """
    figures = {
        "storm": plot_storm(results).figure,
        "recovery": plot_recovery(results).figure,
    }
    if all(result.manifest.attempts_recorded for result in results.values()):
        figures["raster"] = _side_by_side(results, plot_raster, raster.HEADING)
        figures["states"] = _side_by_side(results, plot_states, states.HEADING)
    (directory / FIGURES).mkdir(parents=True, exist_ok=True)
    return [
        _save(figure, directory / FIGURES / f"{name}.{format}") for name, figure in figures.items()
    ]


def draw_run(result: RunResult, directory: Path, *, format: str = "png") -> list[Path]:
    """Write the same figures of one run.

    Args:
        result: Any run.
        directory: Of the run; the figures go into `figures` below it.
        format: Any that matplotlib can write: "png", "svg" ...

    Returns:
        The files written.
    """
    return draw_comparison({policy_name(result): result}, directory, format=format)


class _Drawn(Protocol):
    """What a figure of one run returns."""

    @property
    def figure(self) -> Figure: ...

    @property
    def handles(self) -> Mapping[Any, Artist]: ...


class _Plot(Protocol):
    """Draws one run."""

    def __call__(
        self, result: RunResult, *, ax: Axes | None, name: str, until: float, legend: bool
    ) -> _Drawn: ...


def _side_by_side(results: Mapping[str, RunResult], plot: _Plot, heading: str) -> Figure:
    """One panel per run, with one legend and one time axis for all."""
    until = last_end(list(results.values()))
    if len(results) == 1:
        ((name, result),) = results.items()
        return plot(result, ax=None, name=name, until=until, legend=True).figure
    n_columns = 2 if len(results) in (2, 4) else 3
    with styled():
        figure, axes = new_panels(len(results), height=_PANEL_HEIGHT, n_columns=n_columns)
    drawn = [
        plot(result, ax=ax, name=name, until=until, legend=False)
        for (name, result), ax in zip(results.items(), axes, strict=True)
    ]
    label_edges(axes, n_columns)
    handles = {key: handle for panel in drawn for key, handle in panel.handles.items()}
    with styled():
        set_heading(figure, heading, next(iter(results.values())))
        legend_under_figure(figure, [handles[key] for key in sorted(handles)])
    return figure


def _save(figure: Figure, path: Path) -> Path:
    """Write a figure; the same figure always gives the same bytes."""
    metadata = {"Date": None} if path.suffix == ".svg" else None
    with styled():
        figure.savefig(path, metadata=metadata)
    return path
