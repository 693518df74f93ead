"""A run on disk: the manifest, the scenario, the tables; while it runs, streams in their place.

Every file is written under a temporary name and renamed, and the manifest that declares a run
complete comes last, so that whatever is found can be trusted to be whole.
"""

import dataclasses
import hashlib
import json
import shutil
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from simulator.assembly import assemble
from simulator.core.cohorts import deal_cohorts
from simulator.errors import InputError, RunDirectoryError, ScenarioError
from simulator.raw_tables import RAW_TABLES, RawTables
from simulator.results import (
    DIGEST,
    SCHEMA_VERSION,
    TABLES,
    Digest,
    Manifest,
    RunResult,
    table_schema,
)
from simulator.scenario import Scenario, parse
from simulator.server_view import assemble_seen
from simulator.table_files import damaged, read_streams, read_table, write_table

MANIFEST = "manifest.json"
SCENARIO = "scenario.toml"
SUMMARY = "summary.json"
COMPARISON = "comparison.json"
PLAN = "plan.json"
STREAMS = "streams"
KILLED = "killed before its tables were written, or still running"
"""The failure of a run that could not note one down itself."""
_SEAL = "# sha256 of what stands above: "


def prepare_directory(path: Path, *, force: bool = False) -> None:
    """Make an empty directory for a run or a comparison.

    Args:
        path: Where.
        force: Replace an earlier run or comparison that stands there, and nothing else.

    Raises:
        RunDirectoryError: Something is there that must not be overwritten.
    """
    if path.is_dir() and any(path.iterdir()):
        if not _is_ours(path):
            raise RunDirectoryError(
                f"{path}: holds files that are not a herd run, which not even --force replaces"
            )
        if not force:
            raise RunDirectoryError(f"{path}: holds an earlier run; use --force to replace it")
        _empty(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunDirectoryError(f"{path}: cannot be created ({error.strerror})") from None


@contextmanager
def fresh_directory(path: Path, *, force: bool = False) -> Iterator[None]:
    """An empty directory for a run; if bad input ends it unrun, it is as if nothing had been.

    An earlier run that is to be replaced stands aside until then: a port in use, say, must not
    cost anybody their records.

    Args:
        path: Where.
        force: Replace an earlier run or comparison that stands there, and nothing else.

    Raises:
        RunDirectoryError: Something is there that must not be overwritten.
    """
    existed = path.is_dir()
    aside = path.resolve().with_name(f".{path.resolve().name}.replaced")
    if force and existed and any(path.iterdir()) and _is_ours(path):
        shutil.rmtree(aside, ignore_errors=True)
        _move_contents(path, aside)
    prepare_directory(path)
    try:
        yield
    except InputError:
        if not any(path.rglob("*.parquet")):
            _empty(path)
            if aside.is_dir():
                _move_contents(aside, path)
            elif not existed:
                path.rmdir()
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _move_contents(source: Path, target: Path) -> None:
    """Move what is in a directory; the directory itself may be a link or a mount."""
    target.mkdir(exist_ok=True)
    for entry in source.iterdir():
        entry.rename(target / entry.name)


def _empty(path: Path) -> None:
    """Remove what is in a directory; the directory itself may be a link or a mount."""
    for entry in path.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _is_ours(path: Path) -> bool:
    """Did herd write this directory? Other programs have a manifest.json, too."""
    if (path / COMPARISON).is_file() or (path / PLAN).is_file():
        return True
    try:
        return "herd_version" in json.loads((path / MANIFEST).read_bytes())
    except (OSError, ValueError, TypeError):
        return False


def write_json(path: Path, data: object) -> None:
    """Write a JSON file as a whole or not at all.

    Raises:
        ValueError: A number is infinite or NaN, which JSON does not have.
    """
    text = json.dumps(data, indent=2, allow_nan=False, ensure_ascii=False)
    _write_text(path, f"{text}\n")


def _write_text(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Write or replace a run's manifest."""
    write_json(directory / MANIFEST, manifest.model_dump(mode="json"))


def note_command(directory: Path, command: str) -> None:
    """Note in the manifest of a finished run by which command line it was made."""
    manifest = _read_manifest(directory)
    write_manifest(directory, manifest.model_copy(update={"command": command}))


def begin_run(directory: Path, *, manifest: Manifest, scenario: Scenario) -> Path:
    """Write what a run needs in order to load, should it be killed.

    Returns:
        The directory for its streams, which are called `<table>-<process>.arrows`.
    """
    streams = directory / STREAMS
    streams.mkdir(parents=True, exist_ok=True)
    _write_text(directory / SCENARIO, _sealed(scenario.to_toml()))
    write_manifest(directory, manifest)
    return streams


def save_run(result: RunResult, directory: Path) -> RunResult:
    """Write a result, and drop the streams it was assembled from.

    Args:
        result: Any result.
        directory: Where; created if need be. A run that stands there is written over.

    Returns:
        The result with a manifest that calls it complete, as it is on disk.
    """
    directory.mkdir(parents=True, exist_ok=True)
    _write_text(directory / SCENARIO, _sealed(result.scenario.to_toml()))
    for name in [*TABLES, *([] if result.digest is None else DIGEST)]:
        schema = table_schema(name, result.scenario)
        write_table(directory / f"{name}.parquet", schema, result.table(name))
    manifest = result.manifest.model_copy(update={"complete": True})
    write_manifest(directory, manifest)
    shutil.rmtree(directory / STREAMS, ignore_errors=True)
    return dataclasses.replace(result, manifest=manifest)


def load_run(directory: Path | str) -> RunResult:
    """Read a run: its tables or, if it never got to write them, its streams.

    Raises:
        RunDirectoryError: It is not a run, or a file of it is missing, too new or damaged.
    """
    directory = Path(directory)
    manifest = _read_manifest(directory)
    scenario = _read_scenario(directory / SCENARIO)
    if not manifest.complete:
        manifest = manifest.model_copy(update={"failure": manifest.failure or KILLED})
        return assemble_streams(directory, manifest=manifest, scenario=scenario)
    tables, digest = (
        {
            name: read_table(directory / f"{name}.parquet", table_schema(name, scenario))
            for name in names
        }
        for names in (TABLES, () if manifest.attempts_recorded else DIGEST)
    )
    return RunResult(
        manifest=manifest,
        scenario=scenario,
        **tables,
        digest=Digest(**digest) if digest else None,
    )


def assemble_streams(directory: Path, *, manifest: Manifest, scenario: Scenario) -> RunResult:
    """What the processes of a run have written to its streams so far.

    Raises:
        RunDirectoryError: A stream cannot be opened, or holds other columns.
        NobodyCameError: It recorded clients that are not ours, and none came.
    """
    raw = RawTables(
        **{name: read_streams(directory / STREAMS, schema) for name, schema in RAW_TABLES.items()}
    )
    if manifest.engine == "serve":
        return assemble_seen(raw, manifest=manifest, scenario=scenario)
    shares = [cohort.share for cohort in scenario.cohorts]
    return assemble(
        raw,
        manifest=manifest,
        scenario=scenario,
        cohort_of=deal_cohorts(manifest.seed, shares, scenario.n_clients),
    )


def compared_runs(directory: Path) -> tuple[str, ...]:
    """The names of a comparison's runs, which are its subdirectories, in their order.

    Raises:
        RunDirectoryError: It is not a comparison, or a file of it is damaged.
    """
    path = directory / COMPARISON
    if not path.is_file():
        raise RunDirectoryError(f"{directory}: not a comparison (it has no {COMPARISON})")
    try:
        return tuple(dict(json.loads(path.read_bytes())))
    except (OSError, ValueError, TypeError) as error:
        raise damaged(path, error) from None


def _read_manifest(directory: Path) -> Manifest:
    path = directory / MANIFEST
    if not path.is_file():
        raise RunDirectoryError(_not_a_run(directory))
    try:
        fields = json.loads(path.read_bytes())
        version = int(fields["schema_version"])
        if version > SCHEMA_VERSION:
            raise RunDirectoryError(
                f"{path}: schema version {version} is newer than {SCHEMA_VERSION}, the newest "
                f"that this herd reads; upgrade thundering-herd"
            )
        return Manifest.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise damaged(path, f"{place}: {first['msg']}") from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise damaged(path, error) from None


def _not_a_run(directory: Path) -> str:
    if not (directory / COMPARISON).is_file():
        return f"{directory}: not a run directory (it has no {MANIFEST})"
    runs = ", ".join(compared_runs(directory))
    return f"{directory}: a comparison, not a run; its runs are {runs}"


def _sealed(text: str) -> str:
    """A text with a last line that vouches for the others: a TOML file cut short is still TOML."""
    return f"{text}{_SEAL}{hashlib.sha256(text.encode()).hexdigest()}\n"


def _read_scenario(path: Path) -> Scenario:
    if not path.is_file():
        raise RunDirectoryError(f"{path}: missing")
    try:
        text = path.read_text(encoding="utf-8")
        if text != _sealed(text.rpartition(_SEAL)[0]):
            raise damaged(path, "its seal is broken")
        return parse(tomllib.loads(text), source=str(path))
    except (OSError, ValueError) as error:
        raise damaged(path, error) from None
    except ScenarioError as error:
        raise RunDirectoryError(f"{path}: {error.problems[0]}") from None
