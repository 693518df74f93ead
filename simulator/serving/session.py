"""One session of `herd serve`, from the opened ports to the saved records."""

from dataclasses import dataclass
from pathlib import Path

import trio

from server_stub.problems import Problem
from simulator import machine
from simulator.collecting import collected_seldom
from simulator.engines.live.clock import SharedClock
from simulator.errors import ScenarioError
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
from simulator.serving.node import ServedNode
from simulator.serving.ports import open_ports
from simulator.serving.records import Records
from simulator.serving.shift import Shift, Teller
from simulator.serving.terms import Terms

_ON_THE_WAY = frozenset({"network", "idle_timeout"})
"""Kinds of outage that happen between clients and server."""
_LIMITS = Thresholds(ok=0.05, strained=0.15)
"""Seconds; those of the shortest delays there are, since nobody knows the clients' own."""


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
        ScenarioError: An outage happens on the way, or there are several nodes.
    """
    problems = [
        Problem(
            place=f"outage.{index}.kind",
            value=repr(outage.kind.value),
            allowed="outages of the server: herd serve has no hold on the network of its clients",
        )
        for index, outage in enumerate(scenario.outage)
        if outage.kind.value in _ON_THE_WAY
    ]
    if scenario.is_balanced:
        where = "deploy" if scenario.deploy else "server.nodes"
        if scenario.server.autoscale is not None:
            where = "server.autoscale"
        allowed = "herd serve is one node: start it several times behind a balancer of your own"
        problems.append(Problem(place=where, value="", allowed=allowed))
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
        backlog = self._scenario.server.listen_backlog
        ports = open_ports(self._terms, listen_backlog=backlog, directory=self._out)
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
            shift = Shift(
                self._scenario,
                self._terms,
                node,
                ports,
                tell=self._tell,
                report=self._report,
                begun=self._begun,
                flush=records.flush,
            )
            ended = trio.run(shift.work, clock=SharedClock())
        self.stopped_by_signal = ended.by_signal
        self._note(
            ended_because=ended.because,
            observed_until=ended.observed_until,
            interrupted=ended.by_signal and ended.is_cut_short,
        )
        return self._save(node)

    def _begun(self, origin: float) -> None:
        self._note(origin=origin)
        write_manifest(self._out, self._manifest)

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
