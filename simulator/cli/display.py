"""Progress on stderr while something long runs; nothing where nobody watches."""

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from simulator.progress import Progress as RunProgress
from simulator.progress import Watcher

_RATE_WINDOW = 0.5
"""Seconds over which attempts per second are counted."""


class Display:
    """Shows how far a run is, on one line."""

    def __init__(self, *, quiet: bool, n_runs: int = 1) -> None:
        """Prepare a display.

        Args:
            quiet: Show nothing.
            n_runs: How many runs follow each other.
        """
        self._n_runs = n_runs
        self._quiet = quiet
        self._turn = 0
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[state]}"),
            console=Console(stderr=True),
            transient=True,
            disable=quiet or not sys.stderr.isatty(),
        )

    def watcher(self, label: str, *, announce: str = "") -> Watcher:
        """The watcher of the next run.

        Args:
            label: What the run is called.
            announce: What to say, once, when the whole fleet is connected.
        """
        self._turn += 1
        for earlier in self._bars.task_ids:
            self._bars.remove_task(earlier)
        turn = f" ({self._turn} of {self._n_runs})" if self._n_runs > 1 else ""
        task = self._bars.add_task(f"{label}{turn}", total=None, state="starting")
        meter = RateMeter()
        unsaid = [announce] if announce and not self._quiet else []

        def watch(progress: RunProgress) -> None:
            assembling = progress.at < 0
            if unsaid and not assembling:
                self._bars.console.print(f"herd: {unsaid.pop()}", highlight=False, soft_wrap=True)
            self._bars.update(
                task,
                total=progress.n_clients if assembling else progress.until,
                completed=progress.n_connected if assembling else progress.at,
                state=in_words(progress, meter.rate(progress)),
            )

        return watch

    def count(self, label: str, done: int, total: int, *, left: str = "") -> None:
        """Show that so many of so many steps are done, and what is said of those that are left."""
        if not self._bars.task_ids:
            self._bars.add_task(label, total=total, state="")
        self._bars.update(self._bars.task_ids[0], completed=done, state=f"{done}/{total} {left}")

    def step(self, label: str, state: str) -> None:
        """Show what is being done, where nobody knows how much of it there is."""
        if not self._bars.task_ids:
            self._bars.add_task(label, total=None, state="")
        self._bars.update(self._bars.task_ids[0], description=label, state=state)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the terminal as it was."""
        self._bars.stop()


class RateMeter:
    """Attempts per second, of late, from the counts so far."""

    def __init__(self) -> None:
        self._at = 0.0
        self._n_attempts = 0
        self._rate: float | None = None

    def rate(self, progress: RunProgress) -> float:
        """Take in a count; the rate over the last full window."""
        span = progress.at - self._at
        if self._rate is None or span < 0:  # The first look, or t = 0 has just been named.
            self._rate = 0.0 if self._rate is None else self._rate
        elif span < _RATE_WINDOW:
            return self._rate
        else:
            self._rate = (progress.n_attempts - self._n_attempts) / span
        self._at, self._n_attempts = progress.at, progress.n_attempts
        return self._rate


def in_words(progress: RunProgress, attempt_rate: float) -> str:
    """How far a run is."""
    connected = f"{progress.n_connected:,}/{progress.n_clients:,} connected"
    if progress.at < 0:
        return f"assembling, {connected}"
    left = max(0.0, progress.until - progress.at)
    return f"{connected}, {attempt_rate:,.0f} attempts/s, at most {left:.0f} s left"
