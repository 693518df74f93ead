"""Runs a grid, keeping every row as soon as it is there."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.errors import HerdError, InputError
from simulator.experiment import new_directory
from simulator.machine import n_cores
from simulator.scenario import Scenario
from simulator.scenario_files import DEFAULT
from simulator.sweeping.cluster import dask_crew
from simulator.sweeping.crew import Crew, WorkerDiedError, local_crew, results
from simulator.sweeping.grid import MOST_CELLS, Cell, Grid, grid_of
from simulator.sweeping.record import Record, Row, Sweep, typed
from simulator.trials import summary_of

Told = Callable[[int, int], None]
"""Told how many of how many runs are done."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """One replication of one cell."""

    cell: int
    values: Mapping[str, str]
    replication: int
    scenario: Scenario
    engine: str


def sweep(
    source: str | Path | Scenario = DEFAULT,
    *,
    vary: Mapping[str, Sequence[object]] | Iterable[str] = (),
    policies: Sequence[str] = (),
    changes: Sequence[str] = (),
    engine: str = "model",
    replications: int = 20,
    max_cells: int = MOST_CELLS,
    out: Path | None = None,
    workers: int | None = None,
    dask: str | None = None,
    told: Told = lambda done, total: None,
) -> Sweep:
    """Run every combination of some settings with several seeds.

    What an earlier call with the same grid and directory has finished is not run again.

    Args:
        source: A scenario, a TOML file or the name of a built-in scenario.
        vary: Values by field (`{"n_clients": [1000, 10_000]}`), or texts as `--vary` takes them.
        policies: Policies by name, an axis of its own.
        changes: `FIELD=VALUE`, the same for all cells.
        engine: How time passes: "model", "virtual" or "live".
        replications: Runs of each cell, with the scenario's seed and those that follow.
        max_cells: The most cells that are meant.
        out: Where the rows go; a new directory below `herd-runs` unless given.
        workers: Processes; as many as there are cores unless given, and one for the live engine,
            whose runs would disturb each other.
        dask: Address of a Dask scheduler whose workers run the cells instead.
        told: Told of the progress.

    Returns:
        What is on disk then, with the replications that could not be run.

    Raises:
        InputError: A cell, the directory or the cluster does not allow it.
        KeyboardInterrupt: What was finished is on disk.
    """
    if isinstance(vary, Mapping):
        vary = [f"{field}={','.join(map(str, values))}" for field, values in vary.items()]
    grid = grid_of(
        source,
        vary=vary,
        policies=policies,
        changes=changes,
        engine=engine,
        replications=replications,
        max_cells=max_cells,
    )
    return conduct(grid, out=out, workers=workers, dask=dask, told=told)


def conduct(
    grid: Grid,
    *,
    out: Path | None = None,
    workers: int | None = None,
    dask: str | None = None,
    told: Told = lambda done, total: None,
) -> Sweep:
    """Run a grid that is laid out; see `sweep`."""
    with _crew(grid, workers, dask) as crew:
        directory = out or new_directory(grid.base, f"sweep-{grid.engine}")
        record = Record(directory, grid)
        tasks = [task for task in _tasks(grid) if not record.has(task.cell, task.replication)]
        total = len(grid.cells) * grid.replications
        done = total - len(tasks)
        try:
            told(done, total)
            for over in results(crew, run_task, tasks):
                if over.result is not None:
                    record.add(over.result)
                else:
                    record.fail(over.task.cell, over.task.replication, _why(over.error))
                done += 1
                told(done, total)
        finally:
            found = record.close()
    return found


@contextmanager
def _crew(grid: Grid, workers: int | None, dask: str | None) -> Iterator[Crew]:
    if workers is not None and workers < 1:
        raise InputError(f"--workers = {workers}: allowed: 1 or more")
    if grid.engine == "live" and (dask is not None or (workers or 1) > 1):
        given = f"--dask = {dask}" if dask is not None else f"--workers = {workers}"
        raise InputError(f"{given}: live runs side by side would disturb each other; allowed: 1")
    if dask is not None:
        if workers is not None:
            raise InputError(f"--workers = {workers}: contradicts --dask, which brings its own")
        with dask_crew(dask) as crew:
            yield crew
        return
    with local_crew(1 if grid.engine == "live" else workers or n_cores()) as crew:
        yield crew


def _tasks(grid: Grid) -> Iterator[Task]:
    """By replication first: what there is of every cell after an interruption is comparable."""
    for replication in range(grid.replications):
        for cell in grid.cells:
            yield _task(cell, replication, grid.engine)


def _task(cell: Cell, replication: int, engine: str) -> Task:
    seed = cell.scenario.seed + replication
    return Task(
        cell=cell.number,
        values=cell.values,
        replication=replication,
        scenario=cell.scenario.model_copy(update={"seed": seed}),
        engine=engine,
    )


def run_task(task: Task) -> Row:
    """The row of one replication; runs in a worker."""
    summary = summary_of(task.scenario, engine=task.engine)
    return {
        "cell": task.cell,
        "replication": task.replication,
        "seed": task.scenario.seed,
        **{axis: typed(value) for axis, value in task.values.items()},
        **_plain(summary),
    }


def _plain(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The metrics that are one value each."""
    return {
        name: value
        for name, value in summary.items()
        if value is None or isinstance(value, bool | int | float | str)
    }


def _why(error: Exception | None) -> str:
    known = isinstance(error, HerdError | WorkerDiedError)
    return str(error) if known else f"{type(error).__name__}: {error}"
