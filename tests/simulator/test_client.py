"""One client against the stub server, in memory and on a virtual clock, so that times are exact."""

import itertools

import numpy as np
import pytest
import trio

from server_stub.config import ServerConfig, ServiceTime
from server_stub.draws import Purpose, uniform
from server_stub.outage import Outage, unfold
from server_stub.recorder import ServerRecorder
from server_stub.server import Server
from simulator.client import Client
from simulator.core.backoff import BASIC, Policy, delay
from simulator.core.events import StatusChanged
from simulator.core.lifecycle import AttemptEnded, Connected, Disconnected, Failed, Reconnecting
from simulator.core.outcomes import NoticedBy, Outcome
from simulator.fleet import Fleet
from simulator.network import MemoryPort
from simulator.recording import FleetRecorder
from simulator.scenario import ClientConfig, Cohort, HeartbeatConfig, Scenario
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
            transport=lambda dial, host: self.transport,
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


@pytest.fixture(params=sorted(TRANSPORTS))
def world(request, nursery):
    """Begins a world with the given outages and server settings; needs `autojump_clock`."""

    async def begin(*outages, **server):
        begun = World(nursery, request.param, outages, server)
        await begun.start()
        return begun

    return begin


def outage(kind="graceful", **settings):
    """Ten seconds after t = 0, for three seconds."""
    return {"kind": kind, "starts_at": 10.0, "down_for": 3.0, **settings}


async def test_the_first_connection_is_made_when_it_is_due(world, autojump_clock):
    """It costs a round trip, and no service in the ramp (RULES 4 and 17)."""
    life = (await world()).client(first_due_at=1.0)
    await trio.sleep_until(9)
    ended, connected = life.events
    assert ended == AttemptEnded(0, 0, 1, 1.0, pytest.approx(1.0), 1.0 + RTT, Outcome.CONNECTED)
    assert connected == Connected(0, 1.0 + RTT, was_reconnect=False, attempt=1, downtime=0.0)


async def test_a_client_follows_its_policy_through_an_outage(world, autojump_clock):
    """Noticed at once, refused twice, then served: every instant is that of the policy."""
    life = (await world(outage())).client()
    await trio.sleep_until(20)
    (disconnected,) = life.of(Disconnected)
    assert disconnected == Disconnected(0, 10.0, 1, NoticedBy.CLOSE_FRAME, 1012, "")
    assert life.attempts == [
        (11.0, 11.0 + RTT, Outcome.REFUSED),
        (12.0 + RTT, 12.0 + 2 * RTT, Outcome.REFUSED),
        (13.0 + 2 * RTT, 13.5 + 3 * RTT, Outcome.CONNECTED),
    ]
    connected = life.of(Connected)[-1]
    assert (connected.was_reconnect, connected.attempt) == (True, 3)
    assert connected.downtime == pytest.approx(3.5 + 3 * RTT)


LOST_AT_THAW = {"kind": "freeze", "lost_at_thaw": True, "starts_at": 9.0, "down_for": 1.0}


@pytest.mark.parametrize(
    ("settings", "noticed_by", "close_code"),
    [
        ({"kind": "graceful", "close_code": 4001}, NoticedBy.CLOSE_FRAME, 4001),
        ({"kind": "crash"}, NoticedBy.RESET, 1006),
        (LOST_AT_THAW, NoticedBy.RESET, 1006),
    ],
)
async def test_a_loss_that_shows_is_noticed_at_once(
    world, settings, noticed_by, close_code, autojump_clock
):
    """By the close frame, or by the reset of a crash or of a restart after a freeze."""
    life = (await world(outage(**settings))).client()
    await trio.sleep_until(20)
    (disconnected,) = life.of(Disconnected)
    assert (disconnected.at, disconnected.noticed_by) == (10.0, noticed_by)
    assert disconnected.close_code == close_code


async def test_a_server_that_just_ends_is_noticed_at_once(world, autojump_clock):
    """The end of the stream is a loss like any other, and the port then refuses."""
    begun = await world()
    life = begun.client()
    await trio.sleep_until(10)
    begun.scope.cancel()
    await trio.sleep_until(11.5)
    (disconnected,) = life.of(Disconnected)
    assert (disconnected.at, disconnected.noticed_by) == (10.0, NoticedBy.EOF)
    assert life.attempts == [(11.0, 11.0 + RTT, Outcome.REFUSED)]


# The heartbeat


@pytest.mark.parametrize("number", range(4))
async def test_a_freeze_is_noticed_by_the_heartbeat(world, number, autojump_clock):
    """`timeout` after the first ping that met silence, at the phase of this client (RULES 19)."""
    begun = await world(outage("freeze", down_for=50.0))
    life = begun.client(number, heartbeat=HeartbeatConfig(interval=4.0, timeout=3.0))
    await trio.sleep_until(20)
    phase = uniform(SEED, Purpose.HEARTBEAT, number, 0)
    pings = (RTT + (phase + turn) * 4.0 for turn in itertools.count())
    (disconnected,) = life.of(Disconnected)
    assert disconnected.at == pytest.approx(next(at for at in pings if at > 10.0) + 3.0)
    assert (disconnected.noticed_by, disconnected.close_code) == (NoticedBy.HEARTBEAT, 1006)


async def test_without_a_heartbeat_a_freeze_goes_unnoticed(world, autojump_clock):
    """At the thaw the connection goes on (RULES 15)."""
    life = (await world(outage("freeze"))).client()
    await trio.sleep_until(1000)
    assert life.of(Disconnected) == []


async def test_a_freeze_shorter_than_the_timeout_goes_unnoticed(world, autojump_clock):
    """The pong comes late, but in time."""
    begun = await world(outage("freeze"))
    life = begun.client(heartbeat=HeartbeatConfig(interval=1.0, timeout=3.5))
    await trio.sleep_until(1000)
    assert life.of(Disconnected) == []


async def test_a_heartbeat_keeps_a_healthy_connection(world, autojump_clock):
    """Its pings are answered, with several of them under way or one."""
    begun = await world()
    lives = [
        begun.client(number, heartbeat=HeartbeatConfig(interval=1.0, timeout=timeout))
        for number, timeout in enumerate([0.1, 1.0, 3.0])
    ]
    await trio.sleep_until(100)
    assert [len(life.events) for life in lives] == [2, 2, 2]


async def test_a_frozen_server_lets_attempts_run_into_their_timeout(world, autojump_clock):
    """Nobody accepts: each ends exactly `connect_timeout` after it started, until the thaw."""
    begun = await world(outage("freeze", down_for=8.0, lost_at_thaw=True))
    life = begun.client(heartbeat=HeartbeatConfig(interval=0.5, timeout=1.0))
    await trio.sleep_until(17.9)
    lost_at = life.of(Disconnected)[0].at
    assert life.attempts == [
        (lost_at + 1.0, lost_at + 3.0, Outcome.TIMED_OUT),
        (lost_at + 4.0, lost_at + 6.0, Outcome.TIMED_OUT),
    ]


# Attempts that fail


async def test_an_attempt_is_given_up_at_its_timeout(world, autojump_clock):
    """The server works for longer than the client waits; the next delay counts from the end."""
    begun = await world(outage(), service_time=ServiceTime(kind="constant", mean=5.0))
    life = begun.client()
    await trio.sleep_until(17)
    assert life.attempts[2:] == [(13.0 + 2 * RTT, 15.0 + 2 * RTT, Outcome.TIMED_OUT)]
    assert life.of(Reconnecting)[-1].due_at == pytest.approx(16.0 + 2 * RTT)


async def test_without_a_timeout_an_attempt_waits_for_ever(world, autojump_clock):
    """`connect_timeout = "none"`."""
    begun = await world(outage(), service_time=ServiceTime(kind="constant", mean=500.0))
    life = begun.client(connect_timeout=None)
    await trio.sleep_until(1000)
    assert life.attempts[2:] == [(13.0 + 2 * RTT, 513.0 + 3 * RTT, Outcome.CONNECTED)]


async def test_a_rejected_client_waits_as_long_as_the_server_asks(world, autojump_clock):
    """Two clients, one worker, no backlog: one is served, the other comes back in five seconds."""
    begun = await world(outage(down_for=0.5), backlog=0, retry_after=5)
    lives = [begun.client(0), begun.client(1)]
    await trio.sleep_until(20)
    served, rejected = sorted(lives, key=lambda life: len(life.attempts))
    assert served.attempts == [(11.0, 11.5 + RTT, Outcome.CONNECTED)]
    assert rejected.attempts == [
        (11.0, 11.0 + RTT, Outcome.REJECTED),
        (16.0 + RTT, 16.5 + 2 * RTT, Outcome.CONNECTED),
    ]


async def test_an_overflow_may_be_a_reset(world, autojump_clock):
    """The client cannot tell it from a crash, and retries as its policy says."""
    begun = await world(outage(down_for=0.5), backlog=0, overflow="reset")
    lives = [begun.client(0), begun.client(1)]
    await trio.sleep_until(20)
    outcomes = sorted([outcome for _, _, outcome in life.attempts] for life in lives)
    assert outcomes == [[Outcome.CONNECTED], [Outcome.RESET, Outcome.CONNECTED]]


async def test_a_delay_may_count_from_the_start_of_the_failed_attempt(world, autojump_clock):
    """An attempt that timed out after two seconds is followed at once by the next."""
    begun = await world(outage(), service_time=ServiceTime(kind="constant", mean=5.0))
    life = begun.client(policy=FIXED.model_copy(update={"count_from": "start"}))
    await trio.sleep_until(16)
    starts = [event.started_at for event in life.of(AttemptEnded)[1:]]
    assert starts == pytest.approx([11.0, 12.0, 13.0])
    assert life.of(Reconnecting)[-1].due_at == pytest.approx(15.0)


async def test_jitter_comes_from_the_seed(world, autojump_clock):
    """Keyed by client, episode and attempt: the delays can be told in advance."""
    policy = BASIC["exponential-full-jitter"]
    life = (await world(outage(down_for=60.0))).client(7, policy=policy)
    await trio.sleep_until(60)
    waits = [event.delay for event in life.of(Reconnecting)]
    assert len(waits) > 5
    assert waits == pytest.approx(
        [
            delay(policy, step, uniform(SEED, Purpose.BACKOFF, 7, 1, step))
            for step in range(1, len(waits) + 1)
        ]
    )


async def test_losing_short_connections_again_and_again_grows_the_delay(world, autojump_clock):
    """With `reset_after` the counter lives on; without it every loss begins at the first delay."""
    outages = {"starts_at": 10.0, "down_for": 0.1, "every": 20.0, "count": 3}
    begun = await world(outages)
    doubling = Policy(cap=10.0)
    patient = begun.client(0, policy=doubling.model_copy(update={"reset_after": 60.0}))
    hasty = begun.client(1, policy=doubling)
    await trio.sleep_until(100)
    assert [event.delay for event in patient.of(Reconnecting)] == pytest.approx([1, 2, 4])
    assert [event.delay for event in hasty.of(Reconnecting)] == pytest.approx([1, 1, 1])
    assert [event.episode for event in patient.of(Disconnected)] == [1, 2, 3]


# The end


async def test_a_client_that_gives_up_is_done(world, autojump_clock):
    """After `max_attempts` retries it says so and ends by itself."""
    begun = await world(outage(down_for=50.0))
    life = begun.client(policy=FIXED.model_copy(update={"max_attempts": 2}))
    await trio.sleep_until(100)
    assert [outcome for _, _, outcome in life.attempts] == [Outcome.REFUSED] * 2
    assert life.events[-1] == Failed(
        client=0, at=life.ended_at, attempts=2, reason="max_attempts = 2 are used up"
    )
    assert life.ended_at == pytest.approx(12.0 + 2 * RTT)


async def test_nobody_dials_once_dialling_has_ended(world, autojump_clock):
    """An attempt due too late is not made; the client stays where it is until it is cancelled."""
    begun = await world(outage(down_for=50.0))
    life = begun.client(may_dial=lambda due_at: due_at < 12.5)
    await trio.sleep_until(1000)
    assert [outcome for _, _, outcome in life.attempts] == [Outcome.REFUSED] * 2
    assert life.ended_at is None


async def test_dialling_that_has_ended_does_not_touch_a_connection(world, autojump_clock):
    """Who is connected stays connected."""
    life = (await world()).client(may_dial=lambda due_at: due_at < 1.0)
    await trio.sleep_until(1000)
    assert life.of(Disconnected) == []


async def test_an_attempt_under_way_is_recorded_as_cancelled(world, autojump_clock):
    """Every attempt that started has an outcome."""
    begun = await world(outage(), service_time=ServiceTime(kind="constant", mean=50.0))
    life = begun.client(connect_timeout=None)
    await trio.sleep_until(20)
    life.scope.cancel()
    await trio.sleep_until(21)
    assert life.attempts[-1] == (13.0 + 2 * RTT, 20.0, Outcome.CANCELLED)
    assert life.ended_at == 20.0


async def test_an_attempt_cancelled_at_its_very_timeout_has_timed_out(world, autojump_clock):
    """It is not lost from the record when both come in one breath."""
    begun = await world(outage(down_for=0.5), service_time=ServiceTime(kind="constant", mean=50.0))
    life = begun.client()
    life.scope.deadline = 13.0
    await trio.sleep_until(14)
    assert life.attempts == [(11.0, 13.0, Outcome.TIMED_OUT)]
    assert life.ended_at == 13.0


@pytest.mark.parametrize("at", [5.0, 10.5], ids=["connected", "backing off"])
async def test_a_client_that_is_cancelled_ends_at_once(world, at, autojump_clock):
    """Connected or backing off, it has nothing more to say and waits for nobody."""
    life = (await world(outage())).client(heartbeat=HeartbeatConfig(interval=1.0, timeout=1.0))
    await trio.sleep_until(at)
    said = len(life.events)
    life.scope.cancel()
    await trio.sleep_until(at + 1)
    assert life.ended_at == at
    assert len(life.events) == said


async def test_a_client_of_a_frozen_server_ends_at_once(world, autojump_clock):
    """No close handshake is waited for."""
    life = (await world(outage("freeze", down_for=50.0))).client()
    await trio.sleep_until(20)
    life.scope.cancel()
    await trio.sleep_until(21)
    assert life.ended_at == 20.0


async def test_all_listeners_hear_the_same(world, autojump_clock):
    """Every event, in order, each of them."""
    heard = []
    life = (await world(outage())).client(listeners=[heard.append])
    await trio.sleep_until(20)
    heard = [event for event in heard if not isinstance(event, StatusChanged)]
    assert heard == life.events
    assert [type(event) for event in heard] == [
        AttemptEnded,
        Connected,
        Disconnected,
        Reconnecting,
        *(AttemptEnded, Reconnecting),
        *(AttemptEnded, Reconnecting),
        *(AttemptEnded, Connected),
    ]


async def test_the_server_knows_whom_it_loses(world, autojump_clock):
    """The request says which client it is, and in which episode."""
    begun = await world(outage(every=20.0, count=2))
    begun.client(7)
    await trio.sleep_until(50)
    losses = begun.recorder.losses.columns()
    assert losses["client"].tolist() == [7, 7]
    assert losses["episode"].tolist() == [0, 1]
    assert losses["broke_at"].tolist() == [10.0, 30.0]


# Fleets


def herd(n_clients, **settings):
    """A scenario for a fleet; what the server does is the world's affair."""
    client = ClientConfig(policy=FIXED, connect_timeout=2.0, rtt=RTT, heartbeat=None)
    return Scenario(
        **{"n_clients": n_clients, "horizon": 100.0, "ramp_rate": 10.0, "client": client}
        | {"seed": SEED, **settings}
    )


async def test_a_fleet_assembles_at_the_ramp_rate(world, autojump_clock):
    """A client's turn comes by its number in the whole fleet, whoever else is in its part."""
    _, life = (await world()).fleet(herd(20), range(1, 20, 2), ramp_starts_at=3.0)
    await trio.sleep_until(10)
    due = {event.client: event.due_at for event in life.of(AttemptEnded)}
    assert due == {number: pytest.approx(3.0 + number / 10) for number in range(1, 20, 2)}
    assert len(life.of(Connected)) == 10


async def test_a_fleet_comes_back_after_an_outage(world, autojump_clock):
    """In lockstep, at the rate of the only worker; both sides agree on every number."""
    begun = await world(outage(), backlog=5, service_time=ServiceTime(kind="constant", mean=0.1))
    _, life = begun.fleet(herd(20))
    await trio.sleep_until(50)
    begun.scope.cancel()
    await trio.sleep_until(50.1)
    attempts = life.of(AttemptEnded)
    reconnects = [event for event in life.of(Connected) if event.was_reconnect]
    assert sorted(event.client for event in reconnects) == list(range(20))
    for client in range(20):
        numbers = [e.attempt for e in attempts if (e.client, e.episode) == (client, 1)]
        assert numbers == list(range(1, len(numbers) + 1))
    outcomes = [event.outcome for event in attempts if event.ended_at < 50]
    totals = begun.recorder.totals
    assert totals["rejected"] == outcomes.count(Outcome.REJECTED) > 0
    assert totals["arrivals"] == totals["rejected"] + outcomes.count(Outcome.CONNECTED)
    assert totals["completed"] == len(reconnects)
    assert totals["wasted"] == 0


async def test_every_client_has_the_settings_of_its_cohort(world, autojump_clock):
    """Two policies side by side in one fleet."""
    hasty, patient = FIXED, FIXED.model_copy(update={"name": "", "base": 5.0})
    scenario = herd(
        10,
        cohort=(
            Cohort(name="hasty", share=0.5, policy=hasty),
            Cohort(name="patient", share=0.5, policy=patient),
        ),
    )
    cohort_of = np.arange(10, dtype=np.uint16) % 2
    _, life = (await world(outage())).fleet(scenario, cohort_of=cohort_of)
    await trio.sleep_until(10.5)
    waits = {event.client: event.delay for event in life.of(Reconnecting)}
    assert waits == {number: 5.0 if number % 2 else 1.0 for number in range(10)}


async def test_a_fleet_stops_dialling_at_the_horizon(world, autojump_clock):
    """Which counts from t = 0; attempts due before it are made."""
    begun = await world(outage(down_for=500.0))
    fleet, life = begun.fleet(herd(5, horizon=20.0))
    fleet.begin(4.0)
    await trio.sleep_until(200)
    due = [event.due_at for event in life.of(AttemptEnded)]
    assert 22.9 < max(due) < 24.0
    assert life.ended_at is None


async def test_a_fleet_that_has_given_up_is_done(world, autojump_clock):
    """Once its last client has."""
    client = ClientConfig(policy=FIXED.model_copy(update={"max_attempts": 1}), rtt=RTT)
    _, life = (await world(outage(down_for=500.0))).fleet(herd(5, client=client))
    await trio.sleep_until(200)
    assert len(life.of(Failed)) == 5
    assert life.ended_at == pytest.approx(11.0 + RTT)


async def test_a_fleet_is_spread_over_the_ways_to_the_server(world, autojump_clock, nursery):
    """Client n takes way n, counted round."""
    begun = await world()
    used = []

    class Way:
        def __init__(self, name):
            self.name = name

        def connect(self, path):
            used.append((path.split("client=")[1].split("&")[0], self.name))
            return begun.transport.connect(path)

    fleet = Fleet(
        herd(6),
        range(6),
        np.zeros(6, dtype=np.uint16),
        dials=[["a"], ["b"]],
        transport=lambda dial, host: Way(dial),
        host="server",
        recorder=FleetRecorder(),
    )
    with trio.move_on_after(5):
        await fleet.run(ramp_starts_at=0.0)
    assert used == [(str(number), "ab"[number % 2]) for number in range(6)]
