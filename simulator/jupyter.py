"""What a run looks like in a Jupyter kernel: a progress bar while it lasts, then a table.

Nothing here imports IPython: in a kernel it is loaded already, and elsewhere nothing is done.
"""

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from itertools import count
from typing import Any

from simulator.metrics import summarise
from simulator.progress import Progress, Watcher, unwatched

_NUMBERS = count(1)
"""Of the bars."""
_ROWS: Sequence[tuple[str, str, str]] = (
    ("clients", "n_clients", "{:,.0f}"),
    ("came back", "recovered_share", "{:.1%}"),
    ("95 % back after", "time_to_recovery_p95", "{:,.1f} s"),
    ("all back after", "time_to_recovery_p100", "{:,.1f} s"),
    ("fastest possible", "floor", "{:,.1f} s"),
    ("attempts per loss", "amplification", "{:,.1f}"),
    ("peak attempts (100 ms)", "peak_attempt_rate_100ms", "{:,.0f}/s"),
    ("service wasted", "wasted_share", "{:.1%}"),
    ("verdict", "verdict", "{}"),
)
"""What is shown of a run: in words, the metric, and how it is written."""
_NEVER_OUT_OF = ("time_to_recovery_p95", "time_to_recovery_p100")
"""Metrics of which None means never."""


@contextmanager
def watching(watch: Watcher | None, label: str) -> Iterator[Watcher]:
    """The watcher of a run: the one given, else a bar in a kernel, else nobody.

    Args:
        watch: Given by the caller; None to decide here.
        label: What the run is called.
    """
    if watch is not None or (shell := _kernel_shell()) is None:
        yield watch or unwatched
        return
    bar = _Bar(shell.display_pub, label)
    try:
        yield bar.show
    finally:
        bar.clear()


class _Bar:
    """A progress bar below the cell, gone when the run is over."""

    def __init__(self, publisher: Any, label: str) -> None:  # noqa: ANN401 - IPython has no types
        self._publisher = publisher
        self._label = label
        self._key = f"herd-{next(_NUMBERS)}"
        self._shown = ""
        self._publish("", update=False)

    def show(self, progress: Progress) -> None:
        """Show how far the run is."""
        html = bar_html(self._label, progress)
        if html != self._shown:
            self._publish(html, update=True)
            self._shown = html

    def clear(self) -> None:
        """The run is over."""
        self._publish("", update=True)

    def _publish(self, html: str, *, update: bool) -> None:
        self._publisher.publish(
            {"text/html": html, "text/plain": ""},
            transient={"display_id": self._key},
            update=update,
        )


def bar_html(label: str, progress: Progress) -> str:
    """How far a run is, as HTML."""
    assembling = progress.at < 0
    done = progress.n_connected if assembling else progress.at
    total = progress.n_clients if assembling else progress.until
    state = "assembling" if assembling else f"t = {progress.at:.0f} s"
    return (
        f'<label>{escape(label)} <progress value="{done:.0f}" max="{total:.0f}"></progress> '
        f"{state}, {progress.n_connected:,} of {progress.n_clients:,} connected</label>"
    )


def table_html(summaries: Mapping[str, Mapping[str, Any]]) -> str:
    """Summaries side by side, a column for each, as HTML."""
    head = "".join(f'<th scope="col">{escape(label)}</th>' for label in summaries)
    rows = "".join(
        f'<tr><th scope="row">{escape(words)}</th>'
        + "".join(f"<td>{escape(_cell(one, metric, form))}</td>" for one in summaries.values())
        + "</tr>"
        for words, metric, form in _ROWS
    )
    return f"<table><thead><tr><td></td>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _cell(summary: Mapping[str, Any], metric: str, form: str) -> str:
    value = summary[metric]
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        is_never = metric in _NEVER_OUT_OF and metric not in summary["unmeasured"]
        return "not within the horizon" if is_never else "not measured"
    return form.format(value)


def install() -> None:
    """Have the kernel, if this is one, show results as tables."""
    shell = _kernel_shell()
    if shell is None:
        return
    formatter = shell.display_formatter.formatters["text/html"]
    formatter.for_type_by_name(
        "simulator.results",
        "RunResult",
        lambda result: table_html({result.scenario.name: summarise(result)}),
    )
    formatter.for_type_by_name(
        "simulator.experiment", "Comparison", lambda found: table_html(found.summaries)
    )


def _kernel_shell() -> Any:  # noqa: ANN401 - IPython has no types
    """The shell of the kernel that this process is; None if it is none."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell if shell is not None and hasattr(shell, "kernel") else None
