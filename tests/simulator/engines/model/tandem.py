"""Nodes and the stages behind them, one event at a time over a heap: what the arrays must equal.

At one instant: outages, departures, who joins a stage (by client), lost patience, a stage's lost
patience, arrivals (by client).
"""

import heapq
import math
from collections import Counter
from dataclasses import dataclass
from functools import partial

from server_stub.admission import Decision, Desk, Job
from server_stub.balancer import Balancer
from server_stub.draws import Purpose, uniform
from server_stub.outage import OutageKind
from server_stub.service import service_time
from server_stub.wire import Identity
from simulator.core.close_codes import Kind, disposition
from simulator.core.outcomes import Outcome
from simulator.engines.model.course import break_of, ramp_connects
from simulator.engines.model.instants import in_ns
from simulator.engines.model.reference_client import ModelClient

STARTS, ENDS, DEPARTS, JOINS, LEAVES, TOO_LATE, ARRIVES = range(7)


@dataclass(frozen=True)
class Rules:
    """Of a desk."""

    workers: int
    backlog: int
    abandoned: str = "serve"
    order: str = "fifo"


@dataclass(eq=False)
class Dial(Job):
    """An attempt at one station."""

    client: ModelClient = None
    whose: Identity = None
    node: int = 0


class Tandem:
    """One run; what happened is in `attempts`, `losses`, `counts` and `peaks`."""

    def __init__(self, scenario, cohort_of):
        """Everybody connected."""
        self.scenario, self.server = scenario, scenario.server
        self.attempts, self.losses = [], []
        self.counts, self.peaks, self.waited = Counter(), Counter(), Counter()
        self.events, self.n_events, self.now = [], 0, 0
        self.end = in_ns(scenario.horizon + scenario.grace)
        self.balancer = Balancer(self.server.balance, self.server.nodes, seed=scenario.seed)
        self.down = set()
        self.cohort_of = cohort_of
        connects = ramp_connects(scenario, cohort_of)
        self.clients = [
            ModelClient(n, scenario.cohorts[cohort_of[n]], scenario.seed, connected_at=int(at))
            for n, at in enumerate(connects)
        ]
        self.node_of = {}
        for client in sorted(self.clients, key=lambda client: (client.connected_at, client.number)):
            self.node_of[client.number] = self._choose(client, Identity(client.number, 0, 1), -1.0)
        self.under_way = {}
        self.desks = {}
        for number, rules in enumerate([self.server, *self.server.stages]):
            for group in range(1 if number and rules.shared else self.server.nodes):
                self.desks[number, group] = Desk(Rules(rules.workers, rules.backlog))

    def _choose(self, client, whose, at):
        return self.balancer.choose(
            self.scenario.plan.endpoints.at(at), whose, source=client.number
        )

    def run(self):
        """Let everything happen."""
        for window in self.scenario.windows:
            self._at(in_ns(window.starts_at), STARTS, window.index, partial(self._go_down, window))
            self._at(in_ns(window.ends_at), ENDS, window.index, partial(self._come_back, window))
        while self.events and self.events[0][0] <= self.end:
            self.now, rank, *_, happen = heapq.heappop(self.events)
            happen()
            if rank != DEPARTS:
                self._note_peaks()
        for dial in self.under_way.values():
            if dial.client.due_at + in_ns(dial.client.cohort.rtt) <= self.end:
                self._record(dial, self.end, Outcome.CANCELLED)
        return self

    def _at(self, at, rank, key, happen):
        self.n_events += 1
        heapq.heappush(self.events, (at, rank, key, self.n_events, happen))

    def _note_peaks(self):
        for key, desk in self.desks.items():
            for name, level in (("waiting", desk.backlog), ("busy", desk.busy_workers)):
                self.peaks[(*key, name)] = max(self.peaks[(*key, name)], level)

    def _count(self, what, number, group):
        self.counts[what, number, group, self.now // 10**7] += 1

    # Clients

    def _back_off(self, client, due_at, not_before):
        if due_at is None:
            return
        client.attempt += 1
        client.due_at = due_at = max(due_at, not_before, self.now)
        if due_at >= in_ns(self.scenario.horizon):
            return
        dial = Dial(arrived_at=0, service_time=0, client=client)
        dial.whose = Identity(client.number, client.episode, client.attempt)
        self.under_way[client.number] = dial
        rtt = in_ns(client.cohort.rtt)
        self._at(due_at + rtt, ARRIVES, client.number, partial(self._arrive, dial))
        self._at(client.patience, LEAVES, client.number, partial(self._time_out, dial))

    def _is_under_way(self, dial):
        return self.under_way.get(dial.client.number) is dial and not dial.abandoned

    def _record(self, dial, at, outcome):
        self.attempts.append((*dial.whose, dial.client.due_at, at, outcome, dial.node))

    def _fail(self, dial, outcome, retry_after=0):
        client = dial.client
        del self.under_way[client.number]
        self._record(dial, self.now, outcome)
        self._back_off(client, client.due_after_failure(self.now), self.now + retry_after)

    def _time_out(self, dial):
        if self.under_way.get(dial.client.number) is dial:
            dial.abandoned = True
            self._fail(dial, Outcome.TIMED_OUT)

    def _reject(self, dial, outcome=Outcome.REJECTED):
        dial.abandoned = True
        advice = self.server.retry_after
        obeyed = advice is not None and outcome is Outcome.REJECTED
        self._fail(dial, outcome, math.ceil(advice.at_least) * 10**9 if obeyed else 0)

    # Server

    def _arrive(self, dial):
        if not self._is_under_way(dial):
            return
        dial.node = self._choose(dial.client, dial.whose, self.now / 1e9)
        if dial.node in self.down:
            self._fail(dial, Outcome.REFUSED)
        else:
            self._join(dial, 0)

    def _join(self, dial, number):
        """A new job for this attempt, at the first station from here on that it needs."""
        if not self._is_under_way(dial):
            return
        stages = self.server.stages
        while number and number <= len(stages):
            draw = uniform(self.scenario.seed, Purpose.STAGE_NEED, *dial.whose, index=number)
            if draw < stages[number - 1].share:
                break
            number += 1
        if number > len(stages):
            self._connect(dial)
            return
        stage = stages[number - 1] if number else self.server
        purpose = Purpose.STAGE_SERVICE if number else Purpose.SERVICE
        draw = uniform(self.scenario.seed, purpose, *dial.whose, index=number)
        dial.arrived_at = self.now
        dial.service_time = max(1, in_ns(service_time(stage.service_time, draw)))
        group = 0 if number and stage.shared else dial.node
        self._count("arrivals", number, group)
        if self.desks[number, group].arrive(dial) is Decision.OVERFLOW:
            self._count("rejected", number, group)
            self._reject(
                dial, Outcome.RESET if self.server.overflow == "reset" else Outcome.REJECTED
            )
            return
        self._count("admitted", number, group)
        self._plan_departure(number, group)
        timeout = stage.timeout if number else None
        if timeout is not None:
            late = partial(self._too_late, dial, number)
            self._at(self.now + in_ns(timeout), TOO_LATE, dial.client.number, late)
        dial.station = number

    def _too_late(self, dial, number):
        if self._is_under_way(dial) and dial.station == number:
            self._reject(dial)

    def _plan_departure(self, number, group):
        due_at = self.desks[number, group].next_due()
        if due_at < math.inf:
            self._at(due_at, DEPARTS, number, partial(self._depart, number, group))

    def _depart(self, number, group):
        for dial in self.desks[number, group].finish(self.now):
            self._count("completed", number, group)
            self.waited[number, group] += dial.started_at - dial.arrived_at
            if dial.abandoned:
                self._count("wasted", number, group)
                continue
            following = Dial(arrived_at=0, service_time=0, client=dial.client)
            following.whose, following.node, following.station = dial.whose, dial.node, -1
            if number == len(self.server.stages):
                self._connect(dial)
            else:
                self.under_way[dial.client.number] = following
                self._at(
                    self._client_patience(dial),
                    LEAVES,
                    dial.client.number,
                    partial(self._time_out, following),
                )
                join = partial(self._join, following, number + 1)
                self._at(self.now, JOINS, dial.client.number + number * 10**6, join)
        self._plan_departure(number, group)

    def _client_patience(self, dial):
        return max(self.now, dial.client.patience)

    def _connect(self, dial):
        client = dial.client
        del self.under_way[client.number]
        client.is_connected = True
        client.opened(self.now)
        self.node_of[client.number] = dial.node
        self._record(dial, self.now, Outcome.CONNECTED)

    # Outages

    def _go_down(self, window):
        hit = set(range(self.server.nodes) if window.nodes is None else window.nodes)
        self.down |= hit
        goodbye = window.kind is OutageKind.GRACEFUL
        for (number, group), desk in self.desks.items():
            is_shared = number and self.server.stages[number - 1].shared
            if not is_shared and group in hit:
                for dial in desk.clear():
                    dial.is_cleared = True
        for dial in list(self.under_way.values()):
            if dial.arrived_at and dial.node in hit and dial.client.due_at < self.now:
                self._reject(dial, Outcome.REJECTED if goodbye else Outcome.RESET)
        for client in self.clients:
            if client.is_connected and self.node_of[client.number] in hit:
                self._lose(client, break_of(window, self.now))

    def _come_back(self, window):
        others = {
            node
            for other in self.scenario.windows
            if in_ns(other.starts_at) <= self.now < in_ns(other.ends_at)
            for node in (range(self.server.nodes) if other.nodes is None else other.nodes)
        }
        self.down = others

    def _lose(self, client, broken):
        client.is_connected = False
        client.episode += 1
        client.attempt = 0
        client.lost_at = self.now
        self.losses.append(
            (client.number, client.episode, broken.outage, self.now, self.node_of[client.number])
        )
        verdict = disposition(broken.close_code, "", client.cohort.close_codes)
        if verdict.kind is Kind.END:
            return
        due_at = self.now if verdict.kind is Kind.AT_ONCE else client.due_after_loss(self.now)
        self._back_off(client, due_at, self.now + in_ns(verdict.at_least))
