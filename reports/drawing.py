"""The standard figures of a run or a comparison, written to files."""

from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.figures import (
    arrivals,
    cohorts,
    nodes,
    plot_arrivals,
    plot_backlog,
    plot_cohorts,
    plot_goodput,
    plot_lost,
    plot_nodes,
    plot_policy,
    plot_raster,
    plot_recoveries,
    plot_recovery,
    plot_states,
    plot_storm,
    plot_syncs,
    raster,
    stages,
    states,
    syncs,
)
from reports.panels import (
    best_columns,
    columns_beside,
    label_edges,
    legend_under_figure,
    new_panels,
    set_heading,
)
from reports.style import POLICY_COLOURS, styled
from reports.timeline import TimeFrame, last_end
from reports.wording import policy_name
from simulator.core.backoff import Policy
from simulator.core.storms import attempts_until, load_curve, until_attempt
from simulator.grading import N_CLIENTS, REFUSED_AFTER, SEED, YARDSTICK, in_brief, storm_grade
from simulator.metrics.door import arrivals_met
from simulator.metrics.flows import healthy_lost_at, sync_flow
from simulator.metrics.series import BIN
from simulator.results import RunResult

FIGURES = "figures"
"""The directory of figures within that of a run or a comparison."""
_LONGEST_SHOWN = 190.0
"""Seconds of the attempts under a policy that are drawn at most."""
_PANEL_HEIGHT = 2.7
"""Inches; of panels that stand side by side."""
_MANY = 6
"""Runs from which on panels are made lower."""
_LOW_HEIGHT, _STRIP_HEIGHT = 2.0, 0.82
"""Inches; of many panels in a grid, and in one column."""


def comparison_figures(results: Mapping[str, RunResult]) -> dict[str, Figure]:
    """The figures of a comparison by name: storm, recovery, raster, states.

    Where there are several cohorts, a further one tells them apart; where there are several nodes,
    another shows how many connections each of them holds; where a server has turned anybody away,
    another shows what arrivals met.
    Where there are stages, their backlogs and goodput as well; where requests to sync pass some,
    these; and where healthy connections were lost, how many.

    Args:
        results: By policy; one at least.
    """
    figures = {
        "storm": plot_storm(results).figure,
        "recovery": _recovery(results),
    }
    if all(result.manifest.attempts_recorded for result in results.values()):
        figures["raster"] = _side_by_side(results, plot_raster, raster.HEADING, _as_strips)
        figures["states"] = _side_by_side(results, plot_states, states.HEADING)
    if any(len(result.scenario.cohorts) > 1 for result in results.values()):
        figures["cohorts"] = _side_by_side(results, plot_cohorts, cohorts.HEADING)
    if any(map(_turned_some_away, results.values())):
        figures["arrivals"] = _side_by_side(results, plot_arrivals, arrivals.HEADING)
    if any(result.scenario.plan.n_places > 1 for result in results.values()):
        figures["nodes"] = _side_by_side(results, plot_nodes, nodes.HEADING)
    if any(result.scenario.server.stages for result in results.values()):
        figures["backlog"] = _side_by_side(results, plot_backlog, stages.BACKLOG)
        figures["goodput"] = _side_by_side(results, plot_goodput, stages.GOODPUT)
    if any(sync_flow(result) is not None for result in results.values()):
        figures["syncs"] = _side_by_side(results, plot_syncs, syncs.HEADING)
    if any(healthy_lost_at(result).size for result in results.values()):
        figures["lost"] = plot_lost(results).figure
    return figures


def save_figures(
    figures: Mapping[str, Figure], directory: Path, *, format: str = "png"
) -> list[Path]:
    """Write figures into `figures` below a directory.

    Args:
        figures: By name.
        directory: Of a run or a comparison.
        format: Any that matplotlib can write: "png", "svg" ...

    Returns:
        The files written.
    """
    (directory / FIGURES).mkdir(parents=True, exist_ok=True)
    return [
        _save(figure, directory / FIGURES / f"{name}.{format}") for name, figure in figures.items()
    ]


def draw_comparison(
    results: Mapping[str, RunResult], directory: Path, *, format: str = "png"
) -> list[Path]:
    """Write the figures of a comparison: see `comparison_figures` and `save_figures`."""
    return save_figures(comparison_figures(results), directory, format=format)


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


def draw_policy(policy: Policy, file: Path, *, name: str, n_attempts: int) -> None:
    """Write the figure of a policy by itself.

    Args:
        policy: The policy.
        file: Its ending says in which format.
        name: What to call the policy.
        n_attempts: How many attempts after the loss are shown one by one.
    """
    until = until_attempt(policy, n_attempts, at_most=_LONGEST_SHOWN, refused_after=REFUSED_AFTER)
    herd, yardstick = (
        attempts_until(one, N_CLIENTS, until, seed=SEED, refused_after=REFUSED_AFTER)
        for one in (policy, YARDSTICK)
    )
    drawn = plot_policy(
        herd,
        load_curve(herd, BIN),
        name=name,
        finding=in_brief(storm_grade(policy)),
        n_attempts=n_attempts,
        yardstick=(YARDSTICK.name, load_curve(yardstick, BIN)),
    )
    _save(drawn.figure, file)


def _turned_some_away(result: RunResult) -> bool:
    met = arrivals_met(result)
    return met is not None and bool(met.totals[1:].any())


class _Drawn(Protocol):
    """What a figure of one run returns."""

    @property
    def figure(self) -> Figure: ...

    @property
    def frame(self) -> TimeFrame: ...

    @property
    def handles(self) -> Mapping[Any, Artist]: ...


class _Plot(Protocol):
    """Draws one run."""

    def __call__(
        self, result: RunResult, *, ax: Axes | None, name: str, until: float, legend: bool
    ) -> _Drawn: ...


def _recovery(results: Mapping[str, RunResult]) -> Figure:
    """All curves in one panel while there is a colour for each."""
    if len(results) <= len(POLICY_COLOURS):
        return plot_recovery(results).figure
    return next(iter(plot_recoveries(results).values())).figure


def _in_grid(n: int) -> tuple[Figure, list[Axes]]:
    height = _PANEL_HEIGHT if n <= _MANY else _LOW_HEIGHT
    return new_panels(n, height=height, n_columns=best_columns(n))


def _as_strips(n: int) -> tuple[Figure, list[Axes]]:
    """In one column, once there are many.

    Instants close to each other are best told apart there, and like ones stand above each other.
    """
    return _in_grid(n) if n <= _MANY else new_panels(n, height=_STRIP_HEIGHT)


def _side_by_side(
    results: Mapping[str, RunResult],
    plot: _Plot,
    heading: str,
    panels: Callable[[int], tuple[Figure, list[Axes]]] = _in_grid,
) -> Figure:
    """One panel per run, with one legend and one time axis for all."""
    until = last_end(list(results.values()))
    if len(results) == 1:
        ((name, result),) = results.items()
        return plot(result, ax=None, name=name, until=until, legend=True).figure
    with styled():
        figure, axes = panels(len(results))
    drawn = [
        plot(result, ax=ax, name=name, until=until, legend=False)
        for (name, result), ax in zip(results.items(), axes, strict=True)
    ]
    if columns_beside(axes[0]) == 1:  # What is written on the first strip goes for those below.
        for panel in drawn[1:]:
            for note in panel.frame.notes:
                note.remove()
    label_edges(axes)
    handles = {key: handle for panel in drawn for key, handle in panel.handles.items()}
    with styled():
        set_heading(figure, heading, next(iter(results.values())))
        legend_under_figure(figure, [handles[key] for key in sorted(handles)])
    return figure


def _save(figure: Figure, path: Path) -> Path:
    path.write_bytes(as_bytes(figure, path.suffix.removeprefix(".")))
    return path


def as_bytes(figure: Figure, format: str) -> bytes:
    """A figure as a file of some format; the same figure always gives the same bytes."""
    file = BytesIO()
    with styled():
        figure.savefig(file, format=format, metadata={"Date": None} if format == "svg" else None)
    return file.getvalue()
