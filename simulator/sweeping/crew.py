"""Has tasks done by worker processes, here or on a cluster, some of which die.

Theory of operation
-------------------
At most as many tasks are under way as there are workers. When a worker dies, the pool is lost with
all that was under way: these tasks are suspects, and run again in a fresh pool, one at a time. A
task that takes its worker with it while it is alone is given up.
"""

import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class WorkerDiedError(Exception):
    """The worker of a task died, each time it was tried."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Crew:
    """Where tasks are done."""

    n_workers: int
    hire: Callable[[int], Executor]
    """Makes an executor of so many workers, or of fewer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Done(Generic[T, R]):
    """A task that is over."""

    task: T
    result: R | None
    error: Exception | None
    """What it failed with, if it did."""


def local_crew(n_workers: int) -> Crew:
    """Processes on this machine."""
    return Crew(
        n_workers=n_workers,
        hire=lambda n: ProcessPoolExecutor(
            n, mp_context=get_context("spawn"), initializer=_die_quietly
        ),
    )


def _die_quietly() -> None:
    """Ctrl-C ends a worker without a word; whoever started it says what there is to say."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def results(crew: Crew, work: Callable[[T], R], tasks: Sequence[T]) -> Iterator[Done[T, R]]:
    """Do tasks, in any order; each is told as soon as it is over.

    Args:
        crew: Who does them.
        work: What is done; a function of a module, with values that can be pickled.
        tasks: With what.
    """
    left = deque(tasks)
    suspects: deque[T] = deque()
    while left or suspects:
        alone = bool(suspects)
        source, width = (suspects, 1) if alone else (left, crew.n_workers)
        under_way: dict[Future[R], T] = {}
        with _hired(crew, width, under_way) as executor:
            try:
                yield from _rounds(executor, work, source, width, under_way)
            except BrokenExecutor:
                lost = list(under_way.values())
                if alone:
                    error = WorkerDiedError("its worker process died, twice")
                    yield Done(task=lost[0], result=None, error=error)
                else:
                    suspects.extend(lost)


def _rounds(
    executor: Executor,
    work: Callable[[T], R],
    source: "deque[T]",
    width: int,
    under_way: "dict[Future[R], T]",
) -> Iterator[Done[T, R]]:
    """Keep so many tasks under way until there are none left.

    Raises:
        BrokenExecutor: A worker died; what is in `under_way` was not done.
    """
    while source or under_way:
        while source and len(under_way) < width:
            task = source[0]
            future = executor.submit(work, task)
            under_way[future] = source.popleft()
        finished, _ = wait(under_way, return_when=FIRST_COMPLETED)
        broken: BrokenExecutor | None = None
        for future in finished:
            error = future.exception()
            if isinstance(error, BrokenExecutor):
                broken = error
                continue
            task = under_way.pop(future)
            if error is None:
                yield Done(task=task, result=future.result(), error=None)
            elif isinstance(error, Exception):
                yield Done(task=task, result=None, error=error)
            else:
                raise error
        if broken is not None:
            raise broken


@contextmanager
def _hired(crew: Crew, n_workers: int, under_way: "dict[Future[R], T]") -> Iterator[Executor]:
    """An executor; whoever leaves in a hurry does not wait for what has not begun."""
    executor = crew.hire(n_workers)
    try:
        yield executor
    finally:
        for future in under_way:
            future.cancel()
        executor.shutdown(wait=True)
