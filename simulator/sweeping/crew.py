"""Has tasks done by worker processes, here or on a cluster, some of which die.

Theory of operation
-------------------
At most as many tasks are under way as there are workers. When a worker dies, the pool is lost with
all that was under way: these tasks are suspects, and run again by fresh workers, one at a time. A
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
from dataclasses import dataclass
from multiprocessing import get_context
from types import TracebackType
from typing import Generic, Self, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class WorkerDiedError(Exception):
    """The worker of a task died, each time it was tried."""


class Crew:
    """Where tasks are done: by workers that are hired for the first of them, and stay on."""

    def __init__(self, n_workers: int, hire: Callable[[int], Executor]) -> None:
        """Nobody is hired yet.

        Args:
            n_workers: How many there are to be.
            hire: Makes an executor of so many workers.
        """
        self.n_workers = n_workers
        self._hire = hire
        self._executor: Executor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.dismiss()

    @property
    def executor(self) -> Executor:
        """The workers, hired by now."""
        if self._executor is None:
            self._executor = self._hire(self.n_workers)
        return self._executor

    def dismiss(self) -> None:
        """Let them finish what they have begun, and go; whoever is needed later is hired anew."""
        if self._executor is not None:
            self._executor.shutdown(wait=True)
            self._executor = None


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
        n_workers,
        lambda n: ProcessPoolExecutor(n, mp_context=get_context("spawn"), initializer=_die_quietly),
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
        try:
            yield from _rounds(crew.executor, work, source, width, under_way)
        except BrokenExecutor:
            crew.dismiss()
            lost = list(under_way.values())
            if alone:
                error = WorkerDiedError("its worker process died, twice")
                yield Done(task=lost[0], result=None, error=error)
            else:
                suspects.extend(lost)
        finally:  # Whoever leaves in a hurry does not wait for what has not begun.
            for future in under_way:
                future.cancel()


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
