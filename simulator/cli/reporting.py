"""What `herd report` does with each kind of directory."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import typer

from reports.baseline import Change, worse
from reports.wording import policy_name
from simulator.cli.output import NOT_MET
from simulator.cli.publishing import HTML, MARKDOWN, draw, publish_comparison, publish_run
from simulator.cli.request import Mistakes
from simulator.cli.running import print_comparison, print_run
from simulator.errors import InputError, UnknownNameError
from simulator.experiment import load_comparison
from simulator.results import RunResult
from simulator.run_directory import COMPARISON, MANIFEST, load_run

_PAGES = {"html": HTML, "md": MARKDOWN}
_FIGURES = ("png", "svg")


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """The options of `herd report`, as they were given."""

    format: str | None = None
    figures_only: bool = False
    baseline: Path | None = None

    @property
    def page(self) -> str:
        """The file that the report is to be."""
        return _PAGES[self.format or "html"]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Kind:
    """What one kind of directory is good for."""

    write: Callable[[Path, Wanted], None]
    results: Callable[[Path], Mapping[str, RunResult]]
    """Its runs, by policy."""


def report(directories: Sequence[Path], wanted: Wanted) -> None:
    """Write the report of each directory, or its figures, or hold it against an earlier one.

    Raises:
        InputError: Some cannot be read, and the others have been dealt with; or options do not go
            together.
        typer.Exit: With 3, if something got worse.
    """
    _check(wanted)
    mistakes = Mistakes()
    found = [mistakes.caught(partial(_report, directory, wanted)) for directory in directories]
    mistakes.raise_any()
    if any(found):
        raise typer.Exit(NOT_MET)


def _check(wanted: Wanted) -> None:
    """Refuse what could only be ignored.

    Raises:
        InputError: Options do not go together.
    """
    known = _FIGURES if wanted.figures_only else tuple(_PAGES)
    if wanted.format is not None and wanted.format not in known:
        raise UnknownNameError("--format", wanted.format, known)
    if wanted.figures_only and wanted.baseline is not None:
        raise InputError("--baseline: has no effect beside --figures-only")


def _report(directory: Path, wanted: Wanted) -> bool:
    """Do what is wanted of one directory; has anything got worse?"""
    kind = _kind_of(directory)
    if wanted.figures_only:
        for path in draw(kind.results(directory), directory, format=wanted.format or "png"):
            typer.echo(str(path))
        return False
    kind.write(directory, wanted)
    if wanted.baseline is None:
        return False
    found = worse(kind.results(directory), _kind_of(wanted.baseline).results(wanted.baseline))
    _print_changes(found, wanted.baseline)
    return bool(found)


def _print_changes(found: Sequence[Change], baseline: Path) -> None:
    typer.echo()
    for change in found:
        typer.echo(f"worse than {baseline}: {change}")
    if not found:
        typer.echo(f"Nothing got worse than in {baseline}, beyond the noise.")


def _write_comparison(directory: Path, wanted: Wanted) -> None:
    comparison = load_comparison(directory)
    publish_comparison(comparison, page=wanted.page)
    print_comparison(comparison, wanted.page)


def _write_run(directory: Path, wanted: Wanted) -> None:
    result = load_run(directory)
    publish_run(result, directory, page=wanted.page)
    print_run(result, directory, wanted.page)


def _run_alone(directory: Path) -> Mapping[str, RunResult]:
    result = load_run(directory)
    return {policy_name(result): result}


_RUN = _Kind(write=_write_run, results=_run_alone)
_KINDS = {
    COMPARISON: _Kind(
        write=_write_comparison, results=lambda directory: load_comparison(directory).results
    ),
    MANIFEST: _RUN,
}
"""By the file that tells a kind of directory from the others."""


def _kind_of(directory: Path) -> _Kind:
    """What a directory is; one that is nothing of ours is refused when it is read as a run."""
    return next((kind for file, kind in _KINDS.items() if (directory / file).is_file()), _RUN)
