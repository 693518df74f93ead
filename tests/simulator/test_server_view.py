"""What a server can tell of clients that are not ours: a real one in memory, and what it saw."""

from functools import partial

import numpy as np
import pytest
import trio

from server_stub.config import ServerConfig, ServiceTime
from server_stub.guests import GuestBook
from server_stub.marks import Mark
from server_stub.outage import Outage
from server_stub.recorder import ServerRecorder
from server_stub.server import Server
from server_stub.tables import DEPARTURES, VISITS, TableWriter
from simulator.core.outcomes import Cause, NoticedBy, Outcome
from simulator.errors import InputError
from simulator.metrics import evaluate, summarise
from simulator.metrics.series import share_connected
from simulator.metrics.states import FleetState, fleet_states
from simulator.network import MemoryPort
from simulator.provenance import first_manifest
from simulator.raw_tables import RawTables
from simulator.run_directory import begin_run, load_run
from simulator.scenario import Scenario
from simulator.server_view import UNSEEN, UNSEEN_OF_THE_NAMELESS, NobodyCameError, assemble_seen
from simulator.transport import WsprotoTransport
from simulator.transport.seam import AttemptFailedError, ConnectionLostError

BOOK = (VISITS, DEPARTURES)


class Stage:
    """A server that keeps a guest book; t = 0 is when it begins to listen."""

    def __init__(self, nursery, *outages, horizon=100.0, mark="query:client", **config):
        config = {
            "workers": 100,
            "service_time": ServiceTime(kind="constant", mean=0.5),
            **config,
        }
        self.scenario = Scenario(
            horizon=horizon,
            server=ServerConfig(**config),
            outage=tuple(Outage(**outage) for outage in outages),
        )
        self.port = MemoryPort(listen_backlog=100, syn_retry_at=(1.0, 2.0))
        self.recorder = ServerRecorder()
        self.visits, self.departures = TableWriter(VISITS), TableWriter(DEPARTURES)
        self.book = GuestBook(
            Mark.parse(mark), visit=self.visits.append, departure=self.departures.append
        )
        self.server = Server(
            self.scenario.server,
            port=self.port,
            seed=1,
            recorder=self.recorder,
            guests=self.book,
        )
        self._nursery = nursery

    async def start(self):
        """Listen, and follow the schedule."""
        await self._nursery.start(self.server.run)
        self._nursery.start_soon(partial(self.server.follow, self.scenario.windows, origin=0.0))

    def client(self, path, **habits):
        """Somebody's client."""
        self._nursery.start_soon(partial(live, self.port.dial, path, **habits))

    async def seen(self, at, **manifest):
        """Everything, as seen by then."""
        await trio.sleep_until(at)
        self.book.close(at)
        self.recorder.close(at)
        recorded = ("losses", "outages", "server", "services")
        return assemble_seen(
            RawTables(
                visits=self.visits.columns(),
                departures=self.departures.columns(),
                **{name: getattr(self.recorder, name).columns() for name in recorded},
            ),
            manifest=first_manifest(
                self.scenario,
                "serve",
                origin=0.0,
                observed_until=at,
                unmeasured=UNSEEN
                if self.book.tells_all_apart
                else (*UNSEEN, *UNSEEN_OF_THE_NAMELESS),
                **manifest,
            ),
            scenario=self.scenario,
        )


async def live(dial, path, *, at=0.0, delay=1.0, patience=9.0, leaves_at=None):
    """Connect at an instant, and again a fixed delay after every failure and loss; then leave."""
    transport = WsprotoTransport(dial, "stub")
    await trio.sleep_until(at)
    while True:
        try:
            with trio.move_on_after(patience) as attempt:
                async with transport.connect(path) as connection:
                    attempt.deadline = float("inf") if leaves_at is None else leaves_at
                    await connection.receive()
            if leaves_at is not None and trio.current_time() >= leaves_at:
                return
        except (AttemptFailedError, ConnectionLostError):
            pass
        await trio.sleep(delay)


@pytest.fixture
def stage(nursery):
    """A call that starts a server, given its outages; needs `autojump_clock`."""

    async def start(*outages, **settings):
        made = Stage(nursery, *outages, **settings)
        await made.start()
        return made

    return start


RESTART = {"kind": "graceful", "starts_at": 5.0, "down_for": 2.2}


def rows(columns, *names):
    """Some columns, row by row, as plain numbers."""
    return list(zip(*(np.round(columns[name], 6).tolist() for name in names), strict=True))


async def test_a_restart_as_the_server_saw_it(autojump_clock, stage):
    """Attempts begin with their arrival; those at 6 s and 7 s were refused and left no trace."""
    stub = await stage(RESTART)
    for name in ("a", "b"):
        stub.client(f"/?client={name}")
    result = await stub.seen(20.0)
    names = ("client", "episode", "outage", "attempt", "due_at", "started_at", "ended_at")
    assert sorted(rows(result.attempts, *names)) == [
        (0, 0, -1, 1, 0.0, 0.0, 0.5),
        (0, 1, 0, 1, 8.0, 8.0, 8.5),
        (1, 0, -1, 1, 0.0, 0.0, 0.5),
        (1, 1, 0, 1, 8.0, 8.0, 8.5),
    ]
    assert set(result.attempts["outcome"]) == {Outcome.CONNECTED}
    names = ("client", "episode", "outage", "broke_at", "noticed_at", "cause", "close_code")
    assert rows(result.disconnects, *names) == [
        (0, 1, 0, 5.0, 5.0, Cause.GRACEFUL, 1012),
        (1, 1, 0, 5.0, 5.0, Cause.GRACEFUL, 1012),
    ]
    summary = summarise(result)
    assert summary["n_clients"] == summary["n_recovered"] == 2
    assert summary["time_to_recovery_p100"] == pytest.approx(1.3)
    assert summary["reconnect_time_max"] == pytest.approx(3.5)


async def test_what_a_server_cannot_see_is_unmeasured(autojump_clock, stage):
    """Not zero, and no condition can be put on it."""
    stub = await stage(RESTART)
    stub.client("/?client=a")
    summary = summarise(await stub.seen(20.0))
    assert set(UNSEEN) <= set(summary["unmeasured"])
    assert summary["n_attempts"] is None
    assert summary["outcomes"] == {
        "connected": 1,
        "rejected": 0,
        "timed_out": 0,
        "reset": 0,
        "eof": 0,
        "cancelled": 0,
    }
    assert summary["n_arrivals"] == 2
    for metric in ("amplification", "outcomes.refused"):
        with pytest.raises(InputError, match="not measured"):
            evaluate(f"{metric} > 1", summary)


async def test_each_answer_has_its_outcome(autojump_clock, stage):
    """Turned away, given up by its client, reset in the queue, and still waiting at the end."""
    stub = await stage(
        {"kind": "crash", "starts_at": 5.0, "down_for": 1.0},
        workers=1,
        backlog=1,
        service_time=ServiceTime(kind="constant", mean=4.0),
    )
    stub.client("/?client=served", delay=90)
    stub.client("/?client=gives-up", at=0.1, patience=2.0, delay=90)
    stub.client("/?client=turned-away", at=1.0, delay=90)
    stub.client("/?client=reset", at=4.1, delay=90)
    stub.client("/?client=waits", at=7.0)
    result = await stub.seen(9.0)
    assert rows(result.attempts, "client", "outcome", "started_at", "ended_at") == [
        (0, Outcome.CONNECTED, 0.0, 4.0),
        (1, Outcome.TIMED_OUT, 0.1, 2.1),
        (2, Outcome.REJECTED, 1.0, 1.0),
        (3, Outcome.RESET, 4.1, 5.0),
        (4, Outcome.CANCELLED, 7.0, 9.0),
    ]


async def test_who_leaves_a_frozen_server_was_lost_to_the_freeze(autojump_clock, stage):
    """It is found out at the thaw; who stays was never disconnected."""
    stub = await stage({"kind": "freeze", "starts_at": 5.0, "down_for": 4.0})
    stub.client("/?client=stays")
    stub.client("/?client=leaves", at=0.1, leaves_at=7.0)
    stub.client("/?client=outlasts", at=0.2, leaves_at=15.0)
    result = await stub.seen(20.0)
    names = ("client", "outage", "broke_at", "noticed_at", "cause", "noticed_by")
    assert rows(result.disconnects, *names) == [
        (1, 0, 5.0, 9.0, Cause.FREEZE, NoticedBy.EOF),
        (2, -1, 15.0, 15.0, Cause.SERVER_LOST, NoticedBy.EOF),
    ]


async def test_an_arrival_of_a_client_that_is_still_connected_ends_its_old_connection(
    autojump_clock, stage
):
    """A named client has one connection, whatever the server believes."""
    stub = await stage()
    stub.client("/?client=a")
    stub.client("/?client=a", at=3.0)
    result = await stub.seen(10.0)
    assert rows(result.disconnects, "client", "episode", "outage", "broke_at") == [(0, 1, -1, 3.0)]
    assert summarise(result)["n_clients"] == 1


@pytest.fixture
def goodbye():
    """A client that closes its connection with a close frame, and may come back."""

    async def run(dial, path, *, leaves_at, returns_at=None):
        transport = WsprotoTransport(dial, "stub")
        async with transport.connect(path) as connection:
            await trio.sleep_until(leaves_at)
            await connection.close(1000)
        if returns_at is not None:
            await trio.sleep_until(returns_at)
            async with transport.connect(path) as connection:
                await connection.receive()

    return run


async def test_who_says_goodbye_for_good_has_left_and_lost_nothing(
    autojump_clock, nursery, stage, goodbye
):
    """It is no episode, nor is it missed after a later outage."""
    stub = await stage(RESTART)
    stub.client("/?client=stays")
    await trio.sleep(0.1)
    nursery.start_soon(partial(goodbye, stub.port.dial, "/?client=leaves", leaves_at=3.0))
    result = await stub.seen(20.0)
    summary = summarise(result)
    assert rows(result.disconnects, "client", "cause") == [(1, Cause.CLIENT), (0, Cause.GRACEFUL)]
    assert (summary["n_episodes"], summary["recovered_share"]) == (1, 1.0)
    assert summary["time_to_recovery_p100"] == pytest.approx(1.3)
    assert share_connected(result).share[-1] == 0.5
    assert fleet_states(result).counts[:, -1].tolist() == [
        {FleetState.CONNECTED: 1, FleetState.GAVE_UP: 1}.get(state, 0) for state in FleetState
    ]


async def test_who_leaves_after_an_outage_had_come_back(autojump_clock, nursery, stage, goodbye):
    """When a test's clients are stopped before the server, that is no relapse."""
    stub = await stage({**RESTART, "starts_at": 1.0})

    async def comes_back_then_leaves(path):
        await trio.sleep_until(4.0)
        await goodbye(stub.port.dial, path, leaves_at=12.0)

    for name in ("a", "b"):
        nursery.start_soon(partial(live, stub.port.dial, f"/?client={name}", leaves_at=1.0))
        nursery.start_soon(comes_back_then_leaves, f"/?client={name}")
    summary = summarise(await stub.seen(20.0))
    assert summary["time_to_recovery_p100"] == pytest.approx(1.3)
    assert summary["recovered_share"] == 1.0


async def test_who_says_goodbye_and_comes_back_had_an_episode(
    autojump_clock, nursery, stage, goodbye
):
    """A client that gives a connection up because nothing is heard on it says goodbye, too."""
    stub = await stage()
    task = partial(goodbye, stub.port.dial, "/?client=a", leaves_at=3.0, returns_at=5.0)
    nursery.start_soon(task)
    result = await stub.seen(20.0)
    summary = summarise(result)
    assert rows(result.disconnects, "outage", "cause") == [(-1, Cause.CLIENT)]
    assert (summary["n_episodes"], summary["n_recovered"]) == (1, 1)
    assert summary["reconnect_time_max"] == pytest.approx(2.5)


async def test_who_comes_only_after_an_outage_was_not_lost_in_it(autojump_clock, stage):
    """However late it is."""
    stub = await stage(RESTART)
    stub.client("/?client=early")
    stub.client("/?client=late", at=15.0)
    summary = summarise(await stub.seen(30.0))
    assert summary["n_clients"] == 2
    assert summary["time_to_recovery_p100"] == pytest.approx(1.3)


async def test_clients_without_a_name_are_counted_right(autojump_clock, stage):
    """How many were back when is the same as if each had been known; who it was is not said."""
    summaries = []
    for path in ("/?client={}", "/"):
        stub = await stage({**RESTART, "starts_at": trio.current_time() + 5.0}, horizon=1000.0)
        begun = trio.current_time()
        for number in range(20):
            stub.client(path.format(number), at=begun, delay=1.0 + number / 10)
        summaries.append(summarise(await stub.seen(begun + 40.0)))
    named, nameless = summaries
    for metric in ("n_clients", "n_episodes", "n_recovered", "n_arrivals", "floor"):
        assert nameless[metric] == named[metric], metric
    for share in ("p50", "p95", "p99", "p100"):
        metric = f"time_to_recovery_{share}"
        assert nameless[metric] == pytest.approx(named[metric]), metric
    assert set(nameless["unmeasured"]) - set(named["unmeasured"]) == set(UNSEEN_OF_THE_NAMELESS)


async def test_if_nobody_came_there_is_nothing_to_look_at(autojump_clock, stage):
    """Rather than a fleet of none."""
    stub = await stage()
    with pytest.raises(NobodyCameError, match="nobody connected"):
        await stub.seen(10.0)


async def test_what_a_killed_server_had_written_can_be_looked_at(autojump_clock, stage, tmp_path):
    """However many came: the scenario on disk does not know."""
    stub = await stage(RESTART)
    for name in range(3):
        stub.client(f"/?client={name}")
    await trio.sleep_until(20.0)
    manifest = first_manifest(stub.scenario, "serve", origin=0.0)
    streams = begin_run(tmp_path, manifest=manifest, scenario=stub.scenario)
    written = [TableWriter(schema, streams / f"{schema.name}-0.arrows") for schema in BOOK]
    for table, kept in zip(written, (stub.visits, stub.departures), strict=True):
        for row in zip(*kept.columns().values(), strict=True):
            table.append(*(value.item() for value in row))
        table.close()
    result = load_run(tmp_path)
    assert result.manifest.failure is not None
    assert result.scenario.n_clients == summarise(result)["n_clients"] == 3
    assert result.attempts["client"].size == 6
