"""One session of `herd serve`, from the opened ports to the saved records."""

import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import trio

from server_stub.access import Access
from simulator import machine
from simulator.collecting import collected_seldom
from simulator.engines.live.clock import SharedClock
from simulator.errors import Problem, ScenarioError
from simulator.metrics import summarise
from simulator.provenance import first_manifest
from simulator.results import Manifest, RunResult, Thresholds
from simulator.run_directory import (
    SUMMARY,
    assemble_streams,
    begin_run,
    fresh_directory,
    save_run,
    write_json,
    write_manifest,
)
from simulator.scenario import Scenario
from simulator.server_view import UNSEEN, UNSEEN_OF_THE_NAMELESS, NobodyCameError, without_herd
from simulator.serving.announcing import by_the_clock, news, schedule, whereabouts
from simulator.serving.closing import Closing, Look
from simulator.serving.node import ServedNode
from simulator.serving.ports import Ports, open_ports
from simulator.serving.records import Records
from simulator.serving.terms import Terms

_FLUSH_INTERVAL = 1.0
"""Seconds between two flushes: what a killed process can lose at most."""
_TICK = 0.1
"""Seconds between two looks at the node."""
_LIMITS = Thresholds(ok=0.05, strained=0.15)
"""Seconds; those of the shortest delays there are, since nobody knows the clients' own."""
_USUAL_DOWN_FOR = 5.0
"""Seconds; of an ordered restart, where the scenario has none to go by."""

Teller = Callable[[str], None]
"""Takes a line for the user."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Served:
    """What came of it."""

    result: RunResult
    stopped_by_signal: bool
    n_unmarked: int
    """Arrivals that did not say who they were."""


def serve(
    scenario: Scenario,
    *,
    terms: Terms,
    out: Path,
    force: bool = False,
    tell: Teller = lambda line: None,
    report: Teller = lambda line: None,
) -> Served:
    """Run the server half of a scenario for whoever connects.

    Args:
        scenario: Its herd counts for nothing.
        terms: Where, for whom and how long.
        out: The run directory.
        force: Replace an earlier run there.
        tell: Told where it listens and what will happen.
        report: Told what happens when it does.

    Raises:
        InputError: The scenario, a port, a certificate or the directory does not allow it; or
            nobody came.
        KeyboardInterrupt: It was stopped by a signal, and nobody had come.
    """
    _check(scenario)
    session = _Session(without_herd(scenario), terms, out, tell, report)
    try:
        with fresh_directory(out, force=force):
            return session.conduct()
    except NobodyCameError:
        if session.stopped_by_signal:
            raise KeyboardInterrupt from None
        raise


def _check(scenario: Scenario) -> None:
    """Refuse what a server cannot do to others' clients.

    Raises:
        ScenarioError: An outage happens on the way.
    """
    problems = [
        Problem(
            place=f"outage.{index}.kind",
            value=repr(outage.kind.value),
            allowed="outages of the server: herd serve has no hold on the network of its clients",
        )
        for index, outage in enumerate(scenario.outage)
        if outage.kind.value == "network"
    ]
    if problems:
        raise ScenarioError(scenario.name, problems)


class _Session:
    def __init__(
        self, scenario: Scenario, terms: Terms, out: Path, tell: Teller, report: Teller
    ) -> None:
        self._scenario = scenario
        self._terms = terms
        self._out = out
        self._tell = tell
        self._report = report
        self._closing = Closing(scenario)
        self._is_over = trio.Event()
        self.stopped_by_signal = False
        here = machine.inspect()
        self._manifest: Manifest = first_manifest(
            scenario,
            "serve",
            transport=terms.scheme,
            kernel=here.settings(),
            verdict_thresholds=_LIMITS,
            notes=machine.prepare_to_serve(scenario.server, here),
            unmeasured=(*UNSEEN, *UNSEEN_OF_THE_NAMELESS),
        )

    def conduct(self) -> Served:
        """Listen, serve, save.

        Raises:
            InputError: A port or a certificate does not allow it; or nobody came.
        """
        ports = open_ports(
            self._terms,
            listen_backlog=self._scenario.server.listen_backlog,
            directory=self._out,
        )
        streams = begin_run(self._out, manifest=self._manifest, scenario=self._scenario)
        with Records(streams) as records, collected_seldom():
            node = ServedNode(
                self._scenario,
                port=ports.port,
                recorder=records.server,
                visits=records.visits,
                departures=records.departures,
                mark=self._terms.mark,
                begin_after=self._terms.begin_after,
            )
            trio.run(self._live, node, ports, records, clock=SharedClock())
        return self._save(node)

    async def _live(self, node: ServedNode, ports: Ports, records: Records) -> None:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async with trio.open_nursery() as nursery:
                await nursery.start(node.run)
                if ports.http is not None:
                    await nursery.start(partial(self._serve_http, node, ports.http))
                self._announce(whereabouts(self._terms, ports, self._scenario))
                self._announce(schedule(self._terms, self._scenario))
                nursery.start_soon(_every, _FLUSH_INTERVAL, records.flush)
                nursery.start_soon(self._watch, node)
                nursery.start_soon(self._heed, signals)
                if self._terms.run_for is not None:
                    nursery.start_soon(self._end_after, self._terms.run_for)
                await self._is_over.wait()
                self._close_the_book(node)
                nursery.cancel_scope.cancel()

    async def _serve_http(
        self,
        node: ServedNode,
        listening: socket.socket,
        *,
        task_status: trio.TaskStatus[None],
    ) -> None:
        from server_stub import http  # noqa: PLC0415 - an extra

        spans = [window.ends_at - window.starts_at for window in self._scenario.windows]
        await http.serve(
            node,
            listening,
            access=Access(host=self._terms.host, token=self._terms.token),
            down_for=next(iter(spans), _USUAL_DOWN_FOR),
            task_status=task_status,
        )

    async def _watch(self, node: ServedNode) -> None:
        """Tell what happens, and find out when it is over."""
        origin = await node.begun()
        zero = datetime.now().astimezone()
        self._note(origin=origin)
        write_manifest(self._out, self._manifest)
        self._tell(by_the_clock(self._terms, self._scenario, zero))
        before = node.status()
        while True:
            await trio.sleep(_TICK)
            status = node.status()
            at = trio.current_time() - origin
            if status.is_up is not before.is_up:
                self._report(news(status, n_connected=before.n_connected))
            before = status
            look = Look(
                at=at,
                n_connected=status.n_connected,
                n_expected=node.book.n_expected,
                is_up=status.is_up,
            )
            reason = self._closing.reason(look)
            if reason is not None and self._terms.run_for is None:
                self._end(reason)

    async def _heed(self, signals: AsyncIterator[int]) -> None:
        await anext(signals)
        self.stopped_by_signal = True
        self._end("stopped by a signal")

    async def _end_after(self, run_for: float) -> None:
        await trio.sleep(run_for)
        self._end(f"{run_for:g} s are over")

    def _end(self, reason: str) -> None:
        if not self._is_over.is_set():
            self._note(ended_because=reason)
            self._is_over.set()

    def _close_the_book(self, node: ServedNode) -> None:
        """Nobody leaves because we stop: what happens from now on is not recorded."""
        now = trio.current_time()
        node.book.close(now)
        at = None if node.origin is None else now - node.origin
        is_cut_short = self._closing.is_cut_short(at, is_up=node.status().is_up)
        self._note(observed_until=at, interrupted=self.stopped_by_signal and is_cut_short)

    def _announce(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._tell(line)

    def _note(self, **fields: object) -> None:
        self._manifest = self._manifest.model_copy(update=fields)

    def _save(self, node: ServedNode) -> Served:
        """Write what was seen.

        Raises:
            NobodyCameError: Nothing was.
        """
        if node.book.tells_all_apart:
            self._note(unmeasured=UNSEEN)
        # What was seen past the horizon, because nobody wanted an end, is not to be cut off.
        horizon = max(self._scenario.horizon, self._manifest.observed_until or 0.0)
        result = assemble_streams(
            self._out,
            manifest=self._manifest,
            scenario=self._scenario.model_copy(update={"horizon": horizon}),
        )
        saved = save_run(result, self._out)
        write_json(self._out / SUMMARY, summarise(saved))
        return Served(
            result=saved,
            stopped_by_signal=self.stopped_by_signal,
            n_unmarked=node.book.n_unmarked,
        )


async def _every(interval: float, action: Callable[[], None]) -> None:
    while True:
        await trio.sleep(interval)
        action()
