"""Plays a schedule: client, fleet and server as they are, on a virtual clock, in memory."""

import logging
from contextlib import contextmanager
from functools import partial

import trio
import trio.testing

from server_stub.cluster import Cluster
from server_stub.recorder import ServerRecorder
from simulator.core.cohorts import deal_cohorts
from simulator.core.lifecycle import Connected, Disconnected, State
from simulator.core.outbox import ANSWER_TIMEOUT
from simulator.core.outgoing import Offer
from simulator.engines.virtual.determinism import deterministic_scheduling
from simulator.fleet import Fleet
from simulator.recording import FleetRecorder
from simulator.transport import TRANSPORTS

from .invariants import check_downtime, check_lives, check_silence
from .wire import CountingPort, Wire
from .witness import Witness

PATIENCE = 60.0
"""Seconds after the last outage has healed within which everybody must be well again."""
LOOK_EVERY = 0.237
"""Seconds between two looks; unlike the period of anything, so that no look meets a message."""
IN_FLIGHT = 0.25
"""Seconds for which what has just happened may still be on its way."""
CLOSES_WITHIN = 1.5
"""Seconds: the second that a close frame gets to leave, and the way of the wire."""

RECOVERS = "everybody is well again, some time after the last outage"
PEACE = "no connection is lost in peace"
NO_LEAK = "no task, stream or port is left"
CLOSES = "a client that is closed ends quickly"
ARRIVES = "what is sent in peace arrives"
SENT_ONCE = "an operation is sent once on each connection"

_BIG = 40_000
"""Characters of a big text: two of them fill a stream."""


def play(schedule, *, until=None):
    """Play a schedule to its end, or as far as `until`; returns the witness."""
    world = _World(schedule, until)
    with _silent_log(), deterministic_scheduling(schedule.scenario.seed):
        trio.run(world.live, clock=world.clock)
    world.look_back()
    return world.witness


@contextmanager
def _silent_log():
    """Nothing is logged: a listener that raises is a violation, and shows as one."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


class _World:
    def __init__(self, schedule, until):
        self.clock = trio.testing.MockClock(autojump_threshold=0)
        self._schedule = schedule
        self._scenario = scenario = schedule.scenario
        self._until = until
        self.witness = Witness(scenario, self.clock.current_time)
        self._ports = [
            CountingPort(listen_backlog=scenario.server.listen_backlog)
            for _ in range(scenario.plan.n_places)
        ]
        self._wire = Wire(latency=schedule.latency, piece=schedule.piece, seed=scenario.seed)
        self._recorder = FleetRecorder(is_balanced=scenario.is_balanced)
        shares = [cohort.share for cohort in scenario.cohorts]
        self.cohort_of = deal_cohorts(scenario.seed, shares, scenario.n_clients)
        self._n_texts = 0

    async def live(self):
        """The main task."""
        scenario = self._scenario
        self._cluster = Cluster(
            scenario.server,
            scenario.plan,
            ports=self._ports,
            seed=scenario.seed,
            recorders=[ServerRecorder(node=node) for node in range(len(self._ports))],
            backend=self.witness.backend,
        )
        self._fleet = Fleet(
            scenario,
            range(scenario.n_clients),
            self.cohort_of,
            dials=[[self._wire.to(port) for port in self._ports]],
            transport=TRANSPORTS[scenario.transport],
            host="server.invalid",
            recorder=self._recorder,
            listeners=[self.witness],
        )
        n_tasks = trio.lowlevel.current_statistics().tasks_living
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._wire.carry)
            await nursery.start(self._cluster.run)
            nursery.start_soon(partial(self._fleet.run, ramp_starts_at=0.0))
            await trio.testing.wait_all_tasks_blocked()
            self._clients = self._fleet._clients
            self._fleet.begin(0.0)
            nursery.start_soon(partial(self._cluster.follow, origin=0.0))
            nursery.start_soon(self._perform, nursery)
            if self._until is None:
                await self._watch()
            else:
                await trio.sleep_until(self._until)
            nursery.cancel_scope.cancel()
        self._wire.deliver()
        if trio.lowlevel.current_statistics().tasks_living != n_tasks:
            self.witness.object(NO_LEAK, "tasks are left")

    # The acts

    async def _perform(self, nursery):
        for act in self._schedule.acts:
            await trio.sleep_until(act.at)
            client = self._clients[act.client]
            match act.what:
                case "text" | "big-text":
                    self._say(client, _BIG if act.what == "big-text" else 0)
                case "operation":
                    if client.conversation.outbox is not None:
                        client.conversation.outbox.enqueue("invalid:", act.at)
                case "offline" | "online":
                    client.signal_network(online=act.what == "online")
                case "hide" | "show":
                    client.set_visible(visible=act.what == "show")
                case "close":
                    nursery.start_soon(self._close, client)

    async def _close(self, client):
        told_at = trio.current_time()
        self.witness.closed_at.setdefault(client.number, told_at)
        await client.aclose()
        if trio.current_time() > told_at + CLOSES_WITHIN:
            self.witness.object(CLOSES, f"client {client.number}, told so at {told_at:.6g} s")
        if client._lifecycle.state not in (State.CLOSED, State.FAILED):
            self.witness.object(CLOSES, f"client {client.number} is not closed")

    def _say(self, client, size=0):
        number = self._n_texts
        self._n_texts += 1
        offered = client.send(f"text {number} " + "x" * size)
        return number if offered.offer is Offer.KEPT else None

    # Until all is well

    async def _watch(self):
        """Wait until everybody is well again, and see that it stays so."""
        calm_at = self._schedule.calm_at
        await trio.sleep_until(calm_at + self._aftermath() + LOOK_EVERY)
        if not await self._well_within(calm_at + PATIENCE):
            return
        well_at = trio.current_time()
        said = [(client.number, self._say(client)) for client in self._living()]
        await trio.sleep(self._settle())
        for number, life in sorted(self.witness.lives.items()):
            for event in life:
                if isinstance(event, Disconnected) and event.at > well_at:
                    self.witness.object(PEACE, f"client {number} lost one: {event}")
        for number, text in said:
            if text not in self.witness.echoes[number]:
                self.witness.object(ARRIVES, f"client {number} never heard the echo of {text}")
        await self._well_within(trio.current_time() + 5.0)

    def _aftermath(self):
        """Seconds for which a probe whose SYN was lost may still wait for an answer."""
        monitors = [cohort.network_monitor for cohort in self._scenario.cohorts]
        return max([0.0, *(monitor.timeout for monitor in monitors if monitor is not None)])

    async def _well_within(self, deadline):
        while trouble := self._trouble():
            if trio.current_time() > deadline:
                self.witness.object(RECOVERS, trouble)
                return False
            await trio.sleep(LOOK_EVERY)
        return True

    def _settle(self):
        """Seconds in which every heartbeat comes round, and everything that is due."""
        beats = [
            cohort.heartbeat.interval + cohort.heartbeat.timeout
            for cohort in self._scenario.cohorts
            if cohort.heartbeat is not None
        ]
        return max([1.0, *beats]) + 2 * self._schedule.latency

    def _living(self):
        """The clients that have not ended."""
        return [client for client in self._clients if not self._has_ended(client)]

    def _has_ended(self, client):
        return client.number in self.witness.closed_at or client._lifecycle.state is State.FAILED

    def _trouble(self):
        """What is not well yet, in words; empty when all is."""
        living = self._living()
        for client in living:
            if trouble := self._trouble_of(client):
                return f"client {client.number} {trouble}"
        return self._excess(living) or self._still_busy(living)

    def _excess(self, living):
        """What the two ends and the balancer do not agree on."""
        ghosts = self._n_ghosts()
        n_connected = sum(node.n_connected for node in self._cluster.nodes)
        if not 0 <= n_connected - len(living) <= ghosts:
            return f"the server has {n_connected} connections, not {len(living)}"
        n_ours, n_theirs = self._n_open()
        if n_ours != len(living) + ghosts or not 0 <= n_theirs - len(living) <= ghosts:
            return f"{self._n_open()} streams are open, for {len(living)} clients"
        if self._n_counted() not in (None, n_ours):
            return f"the balancer counts {self._n_counted()} connections of {n_ours}"
        return ""

    def _still_busy(self, living):
        """What has not come to rest."""
        if not all(node.is_idle for node in self._cluster.nodes):
            return "a desk is busy"
        n_tasks = trio.lowlevel.current_statistics().tasks_living
        if n_tasks > self._n_tasks_at_most(living):
            return f"{n_tasks} tasks live, for {len(living)} clients"
        return ""

    def _n_counted(self):
        """Connections that are open as the balancer counts; None if it does not."""
        balancing = self._fleet._balancing
        if balancing is None or not balancing._balancer.counts:
            return None
        return sum(balancing._balancer.n_open)

    def _n_open(self):
        """Connections that are open at the clients' end, and at the servers'."""
        return tuple(map(sum, zip(*(port.n_open() for port in self._ports), strict=True)))

    def _n_ghosts(self):
        """Connections that were forgotten on the way: their clients have left, and no one knows."""
        boxes = [box for box in self._fleet._boxes if box is not None]
        return sum(len(box._farewells) for box in boxes)

    def _trouble_of(self, client):
        now = trio.current_time()
        if not client.is_connected:
            return f"is {client.status}"
        if self.witness.statuses[client.number] != client.status:
            return f"is {client.status}, but said {self.witness.statuses[client.number]}"
        cursor, outbox = client.conversation.cursor, client.conversation.outbox
        if cursor is not None:
            due = [(e, i) for at, e, i in self.witness.published[-99:] if at < now - IN_FLIGHT]
            epoch = self.witness.backend.epoch
            latest = max([i for e, i in due if e == epoch], default=0)
            seen = self.witness.views.get(client.number, (None, 0))
            if not cursor.synced or seen[0] != epoch or seen[1] < latest:
                return f"has seen {seen} of {(epoch, latest)}"
        if outbox is not None:
            head = outbox._head
            if head is not None and head.enqueued_at < now - IN_FLIGHT - self._period(client):
                return f"has not delivered {head}"
            n_answered = outbox.n_acknowledged + outbox.n_set_aside
            if not 0 <= self.witness.handled[client.number] - n_answered <= 1:
                return f"counts {n_answered} of {self.witness.handled[client.number]} answers"
        return ""

    def _period(self, client):
        """Seconds within which a client looks after its outbox: operations from outside wait."""
        cohort = self._scenario.cohorts[self.cohort_of[client.number]]
        return 1 / cohort.operation_rate

    def _n_tasks_at_most(self, living):
        """Trio's own, those of this test, and a few for each client."""
        per_connection = 2 if self._scenario.transport == "wsproto" else 3
        monitored = sum(client.surroundings.probe is not None for client in living)
        publishing = 3 * (self._scenario.server.history.rate is not None)
        stages = self._scenario.server.stages
        n_shared = sum(stage.shared for stage in stages)
        n_own = len(stages) - n_shared
        server = (4 + n_own) * len(self._ports) + publishing + (1 + n_shared if n_shared else 0)
        fleet = 1 if living else 0
        # What was said to a ghost, and waits to be sent, has a task as well.
        ghosts = 2 * self._n_ghosts()
        return 3 + 1 + server + fleet + per_connection * len(living) + monitored + ghosts

    # Afterwards

    def look_back(self):
        """Check what shows only in the whole."""
        cohorts = [self._scenario.cohorts[index] for index in self.cohort_of]
        attempts = self._recorder.attempts.columns()
        keys = zip(attempts["client"].tolist(), attempts["episode"].tolist(), strict=True)
        # The last attempt of an episode is the one that got through, if any did.
        self.witness.nodes.update(zip(keys, attempts["node"].tolist(), strict=True))
        check_lives(self.witness, cohorts)
        did = [(act.client, act.what) for act in self._schedule.acts]
        hidden = {number for number, cohort in enumerate(cohorts) if cohort.visible_share < 1}
        check_silence(
            self.witness,
            cohorts,
            self._scenario.windows,
            self._schedule.latency,
            throttled=hidden | {number for number, what in did if what == "hide"},
            talkative={number for number, what in did if what == "big-text"},
            has_events=self._scenario.server.history.rate is not None,
        )
        check_downtime(
            self.witness,
            cohorts,
            self._scenario.windows,
            self._schedule.latency,
            talkative={number for number, what in did if what == "big-text"},
        )
        self._check_copies()
        if any(self._n_open()):
            self.witness.object(NO_LEAK, f"{self._n_open()} streams are open")
        if not all(port._is_closed for port in self._ports):
            self.witness.object(NO_LEAK, "a port is open")

    def _check_copies(self):
        """What a live connection was given got through, so that nobody had to run out of time."""
        if sum(outage.down_for for outage in self._scenario.outage) >= ANSWER_TIMEOUT:
            return
        for client in self._clients:
            outbox = client.conversation.outbox
            if outbox is not None:
                life = self.witness.lives[client.number]
                n_connections = sum(isinstance(event, Connected) for event in life)
                n_distinct = outbox.n_acknowledged + outbox.n_set_aside + outbox._head_was_sent
                n_copies = outbox.n_sent - n_distinct
                if n_copies > max(0, n_connections - 1):
                    what = f"client {client.number} sent {n_copies} copies"
                    self.witness.object(SENT_ONCE, f"{what} on {n_connections} connections")
