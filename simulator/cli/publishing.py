"""Figures and the report, written beside the records of a run or a comparison."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reports.wording import policy_name
from simulator.experiment import Comparison
from simulator.metrics import summarise
from simulator.results import RunResult

HTML, MARKDOWN = "report.html", "report.md"
"""The files that a report can be."""


def publish_run(result: RunResult, directory: Path, *, page: str = HTML) -> None:
    """Write the figures and the report of a run into its directory."""
    name = policy_name(result)
    _publish({name: result}, {name: summarise(result)}, directory, page)


def publish_comparison(comparison: Comparison, *, page: str = HTML) -> None:
    """Write the figures and the report of a comparison into its directory; of nothing, none."""
    if comparison.results:
        _publish(comparison.results, comparison.summaries, comparison.directory, page)


def draw(results: Mapping[str, RunResult], directory: Path, *, format: str) -> list[Path]:
    """Write the figures alone.

    Args:
        results: By policy.
        directory: Of the run or the comparison.
        format: "png" or "svg".
    """
    from reports.drawing import draw_comparison  # noqa: PLC0415 - matplotlib, which is heavy

    return draw_comparison(results, directory, format=format)


def _publish(
    results: Mapping[str, RunResult],
    summaries: Mapping[str, Mapping[str, Any]],
    directory: Path,
    page: str,
) -> None:
    # matplotlib and jinja2, which bad input never needs
    from reports.drawing import comparison_figures, save_figures  # noqa: PLC0415
    from reports.page.build import page_of  # noqa: PLC0415
    from reports.page.html import as_html  # noqa: PLC0415
    from reports.page.markdown import as_markdown  # noqa: PLC0415
    from reports.page.pictures import picture_of  # noqa: PLC0415

    figures = comparison_figures(results)
    pictures = {
        path.stem: picture_of(path.stem, figures[path.stem], png=path.read_bytes())
        for path in save_figures(figures, directory)
    }
    content = page_of(results, summaries, pictures, directory=directory)
    text = as_html(content) if page == HTML else as_markdown(content)
    (directory / page).write_text(text, encoding="utf-8")
