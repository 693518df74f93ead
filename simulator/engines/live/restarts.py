"""The command that restarts a server which is not ours, run when an outage is to begin."""

import os
import signal
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from simulator.results import Restart

DIRECTORY = "restarts"
"""Of a run, for what the command printed."""
_PATIENCE = 5.0
"""Seconds from SIGTERM to SIGKILL for a command that still runs at the end of the run."""


@dataclass(kw_only=True, slots=True)
class _Begun:
    due_at: float
    started_at: float
    output: Path
    process: "subprocess.Popen[bytes]"
    ended_at: float | None = None
    exit_code: int | None = None


class Restarts:
    """Runs the command at its times, each time in a session of its own; a context.

    A command that has ended is left alone, with whatever it has started in the background: that is
    the server. One that still runs when the context ends is ended with its whole process group.
    """

    def __init__(self, command: str | None, due_at: Iterable[float], directory: Path) -> None:
        """Prepare to run it.

        Args:
            command: A line for the shell; None for no restarts at all.
            due_at: When, in order; seconds on the run's clock.
            directory: Of the run.
        """
        self._command = command or ""
        self._due_at = list(due_at) if command is not None else []
        self._directory = directory
        self._begun: list[_Begun] = []
        self._seen_at = 0.0

    @property
    def records(self) -> tuple[Restart, ...]:
        """What became of each that has begun."""
        return tuple(
            Restart(
                due_at=begun.due_at,
                started_at=begun.started_at,
                ended_at=begun.ended_at,
                exit_code=begun.exit_code,
                output=str(begun.output.relative_to(self._directory)),
            )
            for begun in self._begun
        )

    def act(self, at: float) -> None:
        """Begin what is due, and see what has ended.

        Args:
            at: Seconds on the run's clock.
        """
        self._seen_at = at
        self._look()
        while len(self._begun) < len(self._due_at) and self._due_at[len(self._begun)] <= at:
            self._begin(self._due_at[len(self._begun)], at)

    def _look(self) -> list[_Begun]:
        """Note down which have ended; those that have not."""
        running = [begun for begun in self._begun if begun.ended_at is None]
        for begun in running:
            if begun.process.poll() is not None:
                begun.ended_at, begun.exit_code = self._seen_at, begun.process.returncode
        return [begun for begun in running if begun.ended_at is None]

    def _begin(self, due_at: float, at: float) -> None:
        output = self._directory / DIRECTORY / f"{len(self._begun)}.log"
        output.parent.mkdir(exist_ok=True)
        with output.open("wb") as file:
            process = subprocess.Popen(
                self._command,
                shell=True,  # It is the user's own line.
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for herd alone.
            )
        self._begun.append(_Begun(due_at=due_at, started_at=at, output=output, process=process))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End what still runs."""
        running = [begun.process for begun in self._look()]
        for process in running:
            _signal_group(process, signal.SIGTERM)
        for process in running:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_PATIENCE)
            if process.returncode is None:
                _signal_group(process, signal.SIGKILL)
                process.wait()


def _signal_group(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
