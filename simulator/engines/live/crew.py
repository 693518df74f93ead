"""The child processes of a live run: an executor, and a link to each of them."""

import multiprocessing
import signal
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Self

from simulator.engines.live.child import adopt, perform
from simulator.engines.live.messages import Stop
from simulator.errors import RunFailedError


class Crew:
    """A pool of processes that lives no longer than its context."""

    def __init__(self, n_workers: int, *, n_servers: int = 1) -> None:
        """Prepare a pool of processes; each starts with its first task.

        Args:
            n_workers: Those that drive clients.
            n_servers: Those that come before them, and are the last to be told to end.
        """
        size = n_servers + n_workers
        self._n_servers = n_servers
        context = multiprocessing.get_context("spawn")
        pairs = [context.Pipe() for _ in range(size)]
        self._links: list[Connection[object, object]] = [ours for ours, _ in pairs]
        self._theirs = [theirs for _, theirs in pairs]
        self._tasks: list[Future[None]] = []
        self._pool = ProcessPoolExecutor(
            size, mp_context=context, initializer=adopt, initargs=(self._theirs,)
        )

    def start(self, task: Callable[..., None], *arguments: object) -> int:
        """Run a task in a process of its own, which learns its index as the last argument."""
        index = len(self._tasks)
        with _anonymous_main(), _sheltered_from_ctrl_c():
            self._tasks.append(self._pool.submit(perform, task, *arguments, index))
        return index

    def messages(self, timeout: float) -> Iterator[tuple[int, object]]:
        """Whatever the children have said, by index; waits at most so many seconds for it.

        Raises:
            RunFailedError: A child has died.
            Exception: Whatever a child's task has raised.
        """
        started = self._links[: len(self._tasks)]
        for ready in wait(started, timeout):
            index = self._links.index(ready)  # type: ignore[arg-type] # only links were waited for
            with suppress(EOFError):
                yield index, self._links[index].recv()
        self._raise_failures()

    def tell(self, message: object) -> None:
        """Say something to every child that is still there."""
        for link in self._links[: len(self._tasks)]:
            with suppress(BrokenPipeError):
                link.send(message)

    def finish(self) -> None:
        """Have every child end, and wait until all have returned.

        Raises:
            RunFailedError: A child has died.
            Exception: Whatever a child's task has raised.
        """
        self._dismiss()
        self._raise_failures()

    def _dismiss(self) -> None:
        """Stop the workers before the server, or they would record how it goes."""
        started = list(zip(self._links, self._tasks, strict=False))
        for children in (started[self._n_servers :], started[: self._n_servers]):
            for link, _ in children:
                with suppress(OSError):
                    link.send(Stop())
            futures.wait([task for _, task in children])

    def _raise_failures(self) -> None:
        for index, task in enumerate(self._tasks):
            error = task.exception() if task.done() else None
            if isinstance(error, multiprocessing.ProcessError | RuntimeError):
                n_before = self._n_servers - 1  # Workers are numbered from 1.
                role = "the server" if index < self._n_servers else f"worker {index - n_before}"
                raise RunFailedError(f"{role} or a process beside it died: {error}") from error
            if error is not None:
                raise error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let no child outlive the run."""
        self._dismiss()
        for link in (*self._links, *self._theirs):
            link.close()
        self._pool.shutdown(wait=True, cancel_futures=True)


def share_of(n_clients: int, n_workers: int) -> Sequence[Sequence[int]]:
    """Client numbers dealt to workers like cards, so that each sees the whole ramp."""
    return [range(worker, n_clients, n_workers) for worker in range(n_workers)]


@contextmanager
def _anonymous_main() -> Iterator[None]:
    """Keep a child from running the user's script again.

    A spawned process imports the `__main__` of its parent, which recurses when that is a script
    without a guard. Our tasks need nothing from there.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextmanager
def _sheltered_from_ctrl_c() -> Iterator[None]:
    """Start children that Ctrl-C does not reach, not even before they can say so themselves.

    A process inherits the signals that its parent blocks. Our own comes through afterwards.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
