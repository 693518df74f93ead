"""A stub node, clients and fleets that live beside it, and what they announce."""

import numpy as np
import pytest
import trio

from server_stub.config import ServerConfig, ServiceTime
from server_stub.outage import Outage, unfold
from server_stub.recorder import ServerRecorder
from server_stub.server import Server
from simulator.client import Client
from simulator.core.backoff import BASIC
from simulator.core.events import StatusChanged
from simulator.core.lifecycle import AttemptEnded
from simulator.fleet import Fleet
from simulator.network import MemoryPort
from simulator.recording import FleetRecorder
from simulator.scenario import ClientConfig
from simulator.transport import TRANSPORTS

RTT = 0.02
SEED = 5
FIXED = BASIC["fixed"]
"""One second after every failure."""


class Life:
    """A client, what it announces, and a way to end it."""

    def __init__(self):
        self.events = []
        self.scope = trio.CancelScope()
        self.ended_at = None

    def note(self, event):
        """Keep an event of the lifecycle; what users are shown has tests of its own."""
        if not isinstance(event, StatusChanged):
            self.events.append(event)

    async def live(self, client):
        """Run the client until it ends by itself or is cancelled."""
        with self.scope:
            await client.run()
        self.ended_at = trio.current_time()

    def of(self, kind):
        """The events of a kind."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def attempts(self):
        """Start, end and outcome of every attempt since the ramp."""
        return [
            (pytest.approx(event.started_at), pytest.approx(event.ended_at), event.outcome)
            for event in self.of(AttemptEnded)
            if event.episode > 0
        ]


class World:
    """A stub node in memory: one worker, half a second of service; t = 0 on Trio's clock."""

    def __init__(self, nursery, transport, outages, server):
        service_time = ServiceTime(kind="constant", mean=0.5)
        config = ServerConfig(**{"workers": 1, "service_time": service_time, **server})
        self.recorder = ServerRecorder()
        self.port = MemoryPort(listen_backlog=config.listen_backlog)
        self.transport = TRANSPORTS[transport](self.port.dial, "herd.test")
        self.scope = trio.CancelScope()
        self._nursery = nursery
        self._server = Server(config, port=self.port, seed=SEED, recorder=self.recorder)
        self._windows = unfold(Outage(**outage) for outage in outages)

    async def start(self):
        """Let the node listen and follow its schedule."""
        await self._nursery.start(self._live)

    async def _live(self, task_status):
        with self.scope:
            async with trio.open_nursery() as nursery:
                await nursery.start(self._server.run)
                task_status.started()
                await self._server.follow(self._windows, origin=0.0)

    def client(self, number=0, *, policy=FIXED, listeners=(), first_due_at=0.0, **settings):
        """Bring a client to life."""
        life = Life()
        options = {"may_dial": settings.pop("may_dial")} if "may_dial" in settings else {}
        settings = {"connect_timeout": 2.0, "rtt": RTT, "heartbeat": None, **settings}
        client = Client(
            number,
            ClientConfig(policy=policy, **settings),
            self.transport,
            seed=SEED,
            first_due_at=first_due_at,
            listeners=[life.note, *listeners],
            **options,
        )
        self._nursery.start_soon(life.live, client)
        return life

    def fleet(self, scenario, numbers=None, *, cohort_of=None, ramp_starts_at=0.0):
        """Bring a fleet to life; gives it and what its clients announce."""
        life = Life()
        if numbers is None:
            numbers = range(scenario.n_clients)
        if cohort_of is None:
            cohort_of = np.zeros(scenario.n_clients, dtype=np.uint16)
        fleet = Fleet(
            scenario,
            numbers,
            cohort_of,
            dials=[[None]],
            transport=lambda dial, host, **said: self.transport,
            host="server",
            recorder=FleetRecorder(),
            listeners=[life.note],
        )

        async def run():
            with life.scope:
                await fleet.run(ramp_starts_at=ramp_starts_at)
            life.ended_at = trio.current_time()

        self._nursery.start_soon(run)
        return fleet, life


def outage(kind="graceful", **settings):
    """Ten seconds after t = 0, for three seconds."""
    return {"kind": kind, "starts_at": 10.0, "down_for": 3.0, **settings}
