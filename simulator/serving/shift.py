"""A served node at work: from when it opens to when it is over, whatever ends it."""

import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import trio

from server_stub.access import Access
from simulator.scenario import Scenario
from simulator.serving.announcing import by_the_clock, news, schedule, whereabouts
from simulator.serving.closing import Closing, Look
from simulator.serving.node import ServedNode
from simulator.serving.ports import Ports
from simulator.serving.terms import Terms

_FLUSH_INTERVAL = 1.0
"""Seconds between two flushes: what a killed process can lose at most."""
_TICK = 0.1
"""Seconds between two looks at the node."""
_USUAL_DOWN_FOR = 5.0
"""Seconds; of an ordered restart, where the scenario has none to go by."""

Teller = Callable[[str], None]
"""Takes a line for the user."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """How it ended."""

    because: str
    by_signal: bool
    observed_until: float | None
    """Seconds on the run's clock; None if t = 0 never came."""
    is_cut_short: bool
    """Would more of the schedule have come?"""


class Shift:
    """The tasks around a served node."""

    def __init__(
        self,
        scenario: Scenario,
        terms: Terms,
        node: ServedNode,
        ports: Ports,
        *,
        tell: Teller,
        report: Teller,
        begun: Callable[[float], None],
        flush: Callable[[], None],
    ) -> None:
        """Prepare it.

        Args:
            scenario: Its schedule.
            terms: Say how long it lasts, and who may give orders.
            node: The node.
            ports: What is open.
            tell: Told where it listens and what will happen.
            report: Told what happens when it does.
            begun: Told the clock reading that is t = 0, once there is one.
            flush: Writes out what has been recorded.
        """
        self._scenario = scenario
        self._terms = terms
        self._node = node
        self._ports = ports
        self._tell = tell
        self._report = report
        self._begun = begun
        self._flush = flush
        self._closing = Closing(scenario)
        self._is_over = trio.Event()
        self._because = ""
        self._by_signal = False

    async def work(self) -> Ended:
        """Serve until it is over."""
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async with trio.open_nursery() as nursery:
                await nursery.start(self._node.run)
                if self._ports.http is not None:
                    await nursery.start(partial(self._serve_http, self._ports.http))
                self._announce(whereabouts(self._terms, self._ports, self._scenario))
                self._announce(schedule(self._terms, self._scenario))
                nursery.start_soon(self._flush_regularly)
                nursery.start_soon(self._watch)
                nursery.start_soon(self._heed, signals)
                if self._terms.run_for is not None:
                    nursery.start_soon(self._end_after, self._terms.run_for)
                await self._is_over.wait()
                ended = self._close_the_book()
                nursery.cancel_scope.cancel()
        return ended

    async def _serve_http(
        self, listening: socket.socket, *, task_status: trio.TaskStatus[None]
    ) -> None:
        from server_stub import http  # noqa: PLC0415 - an extra

        spans = [window.ends_at - window.starts_at for window in self._scenario.windows]
        await http.serve(
            self._node,
            listening,
            access=Access(host=self._terms.host, token=self._terms.token),
            down_for=next(iter(spans), _USUAL_DOWN_FOR),
            task_status=task_status,
        )

    async def _flush_regularly(self) -> None:
        while True:
            await trio.sleep(_FLUSH_INTERVAL)
            self._flush()

    async def _watch(self) -> None:
        """Tell what happens, and find out when it is over."""
        origin = await self._node.begun()
        self._begun(origin)
        self._tell(by_the_clock(self._terms, self._scenario, datetime.now().astimezone()))
        before = self._node.status()
        while True:
            await trio.sleep(_TICK)
            status = self._node.status()
            if status.is_up is not before.is_up:
                self._report(news(status, n_connected=before.n_connected))
            before = status
            look = Look(
                at=trio.current_time() - origin,
                n_connected=status.n_connected,
                n_expected=self._node.book.n_expected,
                is_up=status.is_up,
            )
            reason = self._closing.reason(look)
            if reason is not None and self._terms.run_for is None:
                self._end(reason)

    async def _heed(self, signals: AsyncIterator[int]) -> None:
        await anext(signals)
        self._by_signal = not self._is_over.is_set()
        self._end("stopped by a signal")

    async def _end_after(self, run_for: float) -> None:
        await trio.sleep(run_for)
        self._end(f"{run_for:g} s are over")

    def _end(self, reason: str) -> None:
        if not self._is_over.is_set():
            self._because = reason
            self._is_over.set()

    def _close_the_book(self) -> Ended:
        """Nobody leaves because we stop: what happens from now on is not recorded."""
        now = trio.current_time()
        self._node.book.close(now)
        at = None if self._node.origin is None else now - self._node.origin
        return Ended(
            because=self._because,
            by_signal=self._by_signal,
            observed_until=at,
            is_cut_short=self._closing.is_cut_short(at, is_up=self._node.status().is_up),
        )

    def _announce(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._tell(line)
