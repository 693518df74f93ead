"""What every child process of a live run has in common: its link to the engine and its end."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection

import trio

from server_stub.autoscaler import Joined
from simulator.collecting import collected_seldom
from simulator.engines.live.clock import SharedClock
from simulator.engines.live.messages import Begin, NodeAdded, Stop, received
from simulator.errors import input_error_in

_FLUSH_INTERVAL = 1.0
"""Seconds between two flushes: what a killed process can lose at most."""
_REPORT_INTERVAL = 0.1
"""Seconds between two reports to the engine."""
_links: "list[Connection[object, object]]" = []
_at_work = threading.Lock()


def adopt(links: "list[Connection[object, object]]") -> None:
    """Initialise a child process: keep the links, leave Ctrl-C to the engine, end when it ends."""
    _links.extend(links)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_engine, daemon=True).start()


def perform(task: Callable[..., None], *arguments: object) -> None:
    """Do what this process is for.

    Raises:
        InputError: A setting proved to be bad once it was used.
    """
    with _at_work:
        try:
            task(*arguments)
        except BaseExceptionGroup as group:
            if (error := input_error_in(group)) is None:
                raise
            raise error from None


def _end_with_engine() -> None:
    """The pool's own loop would wait for ever for the next task of an engine that was killed."""
    if (engine := multiprocessing.parent_process()) is not None:
        engine.join()
        with _at_work:  # What the task has recorded goes to disk first.
            os._exit(1)


def live(
    index: int,
    main: Callable[[], Awaitable[None]],
    *,
    begin: Callable[[float], None],
    report: Callable[[], object],
    flush: Callable[[], None],
    joined: Joined = lambda node, starts_at, ready_at: None,
) -> None:
    """Run a child until `main` returns, the engine says stop or goes away, or SIGTERM arrives.

    Args:
        index: Which of the links is this child's.
        main: What the child is for.
        begin: Told the origin of the run's clock.
        report: The progress to send to the engine.
        flush: Writes out what has been recorded.
        joined: Told of each node that the server adds.
    """
    with collected_seldom():
        trio.run(
            partial(
                _live,
                _links[index],
                main,
                begin=begin,
                report=report,
                flush=flush,
                joined=joined,
            ),
            clock=SharedClock(),
        )


def link_of(index: int) -> "Connection[object, object]":
    """The link of this child to the engine."""
    return _links[index]


async def _live(
    link: "Connection[object, object]",
    main: Callable[[], Awaitable[None]],
    *,
    begin: Callable[[float], None],
    report: Callable[[], object],
    flush: Callable[[], None],
    joined: Joined,
) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_obey, link, begin, joined, nursery.cancel_scope)
        nursery.start_soon(_end_on_sigterm, nursery.cancel_scope)
        nursery.start_soon(_every, _REPORT_INTERVAL, lambda: _tell(link, report()))
        nursery.start_soon(_every, _FLUSH_INTERVAL, flush)
        await main()
        _tell(link, report())
        nursery.cancel_scope.cancel()


def _tell(link: "Connection[object, object]", message: object) -> None:
    with suppress(OSError):  # The engine is gone, which ends this process by itself.
        link.send(message)


async def _obey(
    link: "Connection[object, object]",
    begin: Callable[[float], None],
    joined: Joined,
    scope: trio.CancelScope,
) -> None:
    async for message in received(link):
        match message:
            case Begin(origin=origin):
                begin(origin)
            case NodeAdded():
                joined(message.node, message.starts_at, message.ready_at)
            case Stop():
                break
    scope.cancel()


async def _end_on_sigterm(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()


async def _every(interval: float, action: Callable[[], None]) -> None:
    while True:
        await trio.sleep(interval)
        action()
