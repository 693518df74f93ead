"""Draws schedules: a seed gives a fleet, a server, a wire, and outages at the worst of moments.

Most outages are aimed. A pilot run of what is drawn so far shows when things happen (a handshake,
a sync, an acknowledgement, a retry ...), and the next outage begins at one of these instants, or a
hair before or after it.
"""

import random
from dataclasses import replace

from server_stub.config import ServerConfig, ServiceTime
from server_stub.deploy import Deploy
from server_stub.history import HistoryConfig
from server_stub.ledger import LedgerConfig
from server_stub.outage import Outage, OutageKind
from simulator.core.backoff import BASIC, Policy
from simulator.core.connectivity import MonitorConfig
from simulator.core.outgoing import OutgoingConfig
from simulator.scenario import Cohort, HeartbeatConfig, Scenario

from .schedule import Act, Schedule
from .world import play

HORIZON = 1e6
"""Nobody stops dialling."""
_RAMP_RATE = 20.0
_LOOK_AHEAD = 1.5
"""Seconds after the last outage in which the next may begin."""


def watchful(scenario):
    """Names of the cohorts whose clients notice a connection that is dead for good, and soon.

    Before it is open only their patience with the attempt does that, afterwards the heartbeat.
    """
    return [
        cohort.name
        for cohort in scenario.cohorts
        if cohort.heartbeat is not None
        and cohort.connect_timeout is not None
        and cohort.visible_share == 1.0
    ]


def _share(some, others):
    """Do two outages have a node in common? None stands for all."""
    return some is None or others is None or not set(some).isdisjoint(others)


def draw(seed):
    """The schedule of a seed; the same one every time."""
    return _Draw(random.Random(seed), seed).schedule()


class _Draw:
    def __init__(self, rng, seed):
        self._rng = rng
        self._seed = seed

    def schedule(self):
        """A whole schedule."""
        schedule = Schedule(scenario=self._scenario(), **self._wire())
        n_outages = self._rng.choice([1, 1, 2, 2, 2, 3, 3])
        for _ in range(n_outages):
            schedule = self._with_outage(schedule)
        if self._odds(0.15):
            schedule = self._with_deploy(schedule)
        return self._with_acts(schedule)

    def _odds(self, share):
        return self._rng.random() < share

    # The herd and the server

    def _scenario(self):
        rng = self._rng
        n_clients = rng.choice([1, 1, 2, 2, 2, 3, 3, 4, 5, 8])
        n_cohorts = rng.randint(1, min(3, n_clients))
        cohorts = tuple(self._cohort(name, 1 / n_cohorts) for name in "abc"[:n_cohorts])
        return Scenario(
            name="faults",
            seed=self._seed,
            n_clients=n_clients,
            horizon=HORIZON,
            ramp_rate=_RAMP_RATE,
            transport="trio-websocket" if self._odds(0.15) else "wsproto",
            server=self._server(n_clients, cohorts),
            cohort=cohorts,
        )

    def _cohort(self, name, share):
        rng = self._rng
        sync = rng.choice(["delta", "delta", "delta", "delta", "full", "none"])
        return Cohort(
            name=name,
            share=share,
            policy=self._policy(),
            connect_timeout=rng.choice([0.3, 0.5, 1.0, 1.0, 3.0, None]),
            rtt=rng.choice([0.001, 0.02, 0.02, 0.1]),
            heartbeat=self._heartbeat(),
            clients_per_address=rng.choice([1, 1, 2, 8]),
            outgoing=OutgoingConfig(
                limit=rng.choice([1, 3, 100]), overflow=rng.choice(["refuse", "drop_oldest"])
            ),
            sync=sync,
            operation_rate=rng.choice([None, 0.7, 1.3, 3.0]),
            visible_share=0.5 if self._odds(0.15) else 1.0,
            network_monitor=self._monitor(),
            brake="firefox" if self._odds(0.1) else None,
        )

    def _policy(self):
        rng = self._rng
        basic = rng.choice(sorted(BASIC))
        settings = BASIC[basic].model_dump(exclude={"name"}, exclude_unset=True)
        if basic != "immediate":
            settings["base"] = rng.choice([0.05, 0.2, 0.5])
        else:
            settings["base"] = 0.05
        if "cap" in settings:
            settings["cap"] = rng.choice([0.5, 1.0, 2.0])
        settings["reset_after"] = rng.choice([None, 0.5, 5.0])
        settings["immediate_first"] = self._odds(0.2)
        settings["max_attempts"] = rng.choice([None, None, None, None, None, 0, 2, 6])
        settings["count_from"] = rng.choice(["failure", "failure", "start"])
        return Policy(**settings)

    def _heartbeat(self):
        if self._odds(0.2):
            return None
        rng = self._rng
        return HeartbeatConfig(
            interval=rng.choice([0.3, 0.7, 1.5]),
            timeout=rng.choice([0.2, 0.4, 0.9]),
            kind=rng.choice(["protocol", "application"]),
        )

    def _monitor(self):
        if self._odds(0.7):
            return None
        rng = self._rng
        return MonitorConfig(
            interval=rng.choice([None, 0.6, 2.0]),
            timeout=rng.choice([0.2, 0.5]),
            window=rng.choice([0.0, 0.3]),
        )

    def _server(self, n_clients, cohorts):
        rng = self._rng
        workers = rng.choice([1, 1, 2])
        patience = min(cohort.connect_timeout or 1.0 for cohort in cohorts)
        # Twice as fast as the fleet can ask, or the herd would keep it down for ever.
        mean = min(rng.choice([0.002, 0.05, 0.2]), 0.3 * workers * patience / n_clients)
        return ServerConfig(
            nodes=rng.choice([1, 1, 1, 2, 3]),
            balance=rng.choice(["round_robin", "least_connections", "random", "hash"]),
            health_check=rng.choice([None, {}, {"unhealthy_after": 0.1, "healthy_after": 0.2}]),
            workers=workers,
            service_time=ServiceTime(
                kind=rng.choice(["constant", "exponential", "lognormal"]), mean=mean
            ),
            backlog=(backlog := rng.choice([0, 1, 2, 400])),
            listen_backlog=rng.choice([1, 2, 4096]),
            overflow=rng.choice(["reject", "reset", "drop"]),
            abandoned=rng.choice(["serve", "skip"]),
            order=rng.choice(["fifo", "fifo", "lifo"]),
            retry_after=rng.choice([None, None, 0.0, 1.0, {"spread": 2.0, "per_waiting": 0.1}]),
            reconnect_window=rng.choice([None, None, 0.0, 2.0]),
            admission=rng.choice(
                [
                    None,
                    None,
                    {"kind": "queue", "limit": 1},
                    {"kind": "token_bucket", "rate": rng.choice([5.0, 50.0]), "burst": 2},
                ]
            ),
            max_per_address=rng.choice(
                [None, None, {"rate": 5.0}, {"rate": 20.0, "burst": 2, "connections": n_clients}]
            ),
            # A server that is full does not answer probes: leave them a place.
            max_connections=rng.choice([None, None, 2 * n_clients]),
            request_timeout=rng.choice([0.5, 10.0]),
            history=HistoryConfig(
                rate=rng.choice([None, 1.1, 2.3, 4.0, 4.0]),
                survives_restart=self._odds(0.6),
                event_size=rng.choice([0, 0, 100, 20_000]),
                snapshot_size=rng.choice([0, 0, 100, 150_000]),
                max_events=rng.choice([None, 1, 3, 10_000]),
                max_age=rng.choice([None, 0.5, 300.0]),
            ),
            ledger=LedgerConfig(remembered=rng.choice([8, 64]), survives_restart=self._odds(0.7)),
            **self._backstage(mean, backlog),
        )

    def _backstage(self, mean, backlog):
        """What stands behind the handshake; it is wide enough not to matter for long.

        Where few may wait, an operation now and then finds no place even when all is well.
        """
        rng = random.Random(f"{self._seed} backstage")  # Its own: others' draws stay as they were.
        if rng.random() < 0.6:
            return {}
        stages = [self._stage(rng, name, mean) for name in "abc"[: rng.choice([1, 2, 3])]]
        quick = {"kind": "constant", "mean": 1e-4}
        where = rng.choice(["handshake"] * (backlog > 2) + [stage["name"] for stage in stages])
        work = {"stage": where, "service_time": quick}
        return {
            "stages": stages,
            "work": {
                "heartbeats": rng.choice([None, work]),
                "operations": rng.choice([None, work]),
            },
        }

    def _stage(self, rng, name, mean):
        stage = {
            "name": name,
            "when": rng.choice(["before", "before", "after", "sync", "delta", "full"]),
            "workers": rng.choice([2, 5]),
            "service_time": {"kind": rng.choice(["constant", "exponential"]), "mean": 0.3 * mean},
            "share": rng.choice([0.5, 1.0]),
            "shared": rng.random() < 0.5,
            "timeout": rng.choice([None, None, 3.0]),
            "abandoned": rng.choice([None, "serve", "skip"]),
            "order": rng.choice(["fifo", "fifo", "lifo"]),
        }
        if not stage["shared"] and rng.random() < 0.5:
            stage["cold"] = {"share": rng.choice([0.0, 1.0])}
        if stage["when"] in ("before", "after"):
            stage["per_connect"] = rng.choice([1, 1, 2])
        return stage

    def _wire(self):
        if self._odds(0.5):
            return {}
        return {
            "latency": self._rng.choice([0.001, 0.01, 0.04]),
            "piece": self._rng.choice([None, None, 7, 60]),
        }

    # What goes wrong

    def _with_outage(self, schedule):
        rng = self._rng
        down_for = rng.choice(
            [rng.uniform(1e-3, 0.05), rng.uniform(0.1, 1.0), rng.uniform(1.0, 2.5)]
        )
        kind = self._kind(schedule.scenario)
        settings = {"kind": kind, "down_for": down_for, **self._settings(kind, down_for)}
        if kind.is_on_the_way:
            settings["cohort"] = self._whose(kind, schedule.scenario)
        else:
            settings["nodes"] = nodes = self._which(schedule.scenario.server.nodes)
        same_place = [
            outage
            for outage in schedule.scenario.outage
            if (outage.kind is kind or (outage.kind.stops_the_node and kind.stops_the_node))
            and (kind.is_on_the_way or _share(outage.nodes, nodes))
        ]
        free_from = max((o.starts_at + o.down_for for o in same_place), default=0.0)
        starts_at = max(free_from, self._moment(schedule))
        outage = Outage(starts_at=starts_at, **settings)
        return schedule.with_scenario(outage=(*schedule.scenario.outage, outage))

    def _which(self, n_nodes):
        """Which nodes are hit; None for all of them."""
        if n_nodes == 1 or self._odds(0.3):
            return None
        return tuple(sorted(self._rng.sample(range(n_nodes), self._rng.randint(1, n_nodes))))

    def _with_deploy(self, schedule):
        """With nodes replaced soon after the last outage: an orchestrator knows of none."""
        rng = self._rng
        surge = rng.choice([0, 1, "100%"])
        deploy = Deploy(
            starts_at=schedule.scenario.last_outage_end + rng.random(),
            max_surge=surge,
            max_unavailable=rng.choice([1, "100%"]) if surge == 0 else rng.choice([0, 1]),
            ready_after=rng.choice([0.1, 0.7]),
            endpoint_removal_lag=rng.choice([0.0, 0.3]),
            pre_stop=rng.choice([0.0, 0.2, 0.5]),
            drain_over=rng.choice([0.0, 0.3, 1.5]),
            grace=rng.choice([0.6, 30.0]),
            close_code=rng.choice([None, None, 1001, 4001]),
        )
        return schedule.with_scenario(deploy=(deploy,))

    def _kind(self, scenario):
        """Cuts more often than the rest; nothing is forgotten that would never be noticed."""
        kinds = [kind for kind in OutageKind if kind.can_be_staged]
        kind = self._rng.choice([*kinds, OutageKind.NETWORK, OutageKind.NETWORK])
        if kind is not OutageKind.IDLE_TIMEOUT:
            return kind
        # A connection that was forgotten stays with the server, and takes somebody's place there.
        limit = scenario.server.max_per_address
        is_limited = scenario.server.max_connections is not None or (
            limit is not None and limit.connections is not None
        )
        return kind if watchful(scenario) and not is_limited else OutageKind.NETWORK

    def _settings(self, kind, down_for):
        """What else there is to say of an outage of this kind."""
        rng = self._rng
        settings = {}
        if kind.says_goodbye:
            settings["close_code"] = rng.choice([None, None, 1001, 1011, 4001, 1000, 1008])
        if kind.is_restart:
            settings["refuse"] = rng.choice([None, False])
        if kind is OutageKind.FREEZE:
            settings["lost_at_thaw"] = self._odds(0.5)
        if kind is OutageKind.NETWORK:
            settings["direction"] = rng.choice([None, "up", "down"])
        if kind is OutageKind.DRAIN:
            settings["drain_over"] = down_for * rng.choice([1.0, rng.random()])
        if kind in (OutageKind.SLOW, OutageKind.COLD):
            settings["slow_factor"] = rng.choice([1.5, 4.0, 20.0])
        if kind is OutageKind.COLD:
            settings["cold_for"] = rng.choice([0.01, 0.5, 2.0])
        if kind is OutageKind.IDLE_TIMEOUT:
            settings["idle_for"] = rng.choice([0.1, 0.4, 1.0])
        return settings

    def _whose(self, kind, scenario):
        """Whose path is hit; None for everybody's."""
        names = [cohort.name for cohort in scenario.cohorts]
        if kind is OutageKind.IDLE_TIMEOUT:
            return self._rng.choice(watchful(scenario))
        return self._rng.choice([None, *names])

    def _moment(self, schedule):
        """When to strike: while or soon after what is already wrong, and rarely just anywhere."""
        outages = schedule.scenario.outage
        assembled_at = 0.0 if self._odds(0.2) else schedule.scenario.n_clients / _RAMP_RATE
        begins = outages[-1].starts_at if outages else assembled_at
        ends = max(begins, schedule.scenario.last_outage_end) + _LOOK_AHEAD
        if self._odds(0.4):
            return self._rng.uniform(begins, ends)
        return self._aim(self._pilot(schedule, begins, ends), schedule.latency)

    def _pilot(self, schedule, begins, ends):
        """What happens when in this stretch of time, by kind of thing."""
        witness = play(schedule, until=ends)
        kinds = {
            kind: [at for at in instants if begins <= at <= ends]
            for kind, instants in sorted(witness.instants.items())
        }
        return [instants for instants in kinds.values() if instants] or [[begins]]

    def _aim(self, instants, latency):
        """One of these instants, or close to it; what is rare is hit as often as what is not."""
        rng = self._rng
        at = rng.choice(rng.choice(instants))
        # While bytes are on their way, or in the same breath as they are sent.
        way = [share * latency for share in (0.5, 1.0, 2.0)] if latency else []
        return max(0.0, at + rng.choice([0.0, 0.0, 1e-9, -1e-9, 1e-4, -1e-4, *way]))

    def _with_acts(self, schedule):
        """With what users do; often while something is wrong."""
        rng = self._rng
        if self._odds(0.3):
            return schedule
        ends = schedule.scenario.last_outage_end + 1.0
        instants = self._pilot(schedule, 0.0, ends) if self._odds(0.4) else [[0.0, ends]]
        acts = []
        for _ in range(rng.randint(1, 6)):
            outage = rng.choice(schedule.scenario.outage)
            at = rng.choice(
                [
                    rng.uniform(0.0, ends),
                    outage.starts_at + rng.random() * outage.down_for,
                    self._aim(instants, schedule.latency),
                ]
            )
            acts += self._acts(at, rng.randrange(schedule.scenario.n_clients))
        return replace(schedule, acts=tuple(sorted(acts)))

    def _acts(self, at, client):
        rng = self._rng
        back = at + rng.choice([0.0, 0.1, 1.0])
        match rng.choice(["text", "text", "big-text", "operation", "network", "page", "close"]):
            case "network":
                return [Act(at, client, "offline"), Act(back, client, "online")]
            case "page":
                return [Act(at, client, "hide"), Act(back, client, "show")]
            case "big-text":
                return [Act(at + 0.01 * turn, client, "big-text") for turn in range(3)]
            case "close" if self._odds(0.5):
                return []
            case what:
                return [Act(at, client, what)]
