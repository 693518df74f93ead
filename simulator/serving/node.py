"""A stub node that anyone's clients connect to: its guests, its schedule, and orders beside it."""

from collections import Counter

import trio

from server_stub.agenda import Agenda, OrderRefusedError, Orders
from server_stub.guests import Answer, GuestBook
from server_stub.marks import Mark
from server_stub.outage import on_the_server
from server_stub.recorder import ServerRecorder
from server_stub.server import Server
from server_stub.status import Status
from server_stub.streams import Port
from server_stub.tables import TableWriter
from simulator.scenario import Scenario


class ServedNode:
    """One server, from its first guest to its last."""

    def __init__(
        self,
        scenario: Scenario,
        *,
        port: Port,
        recorder: ServerRecorder,
        visits: TableWriter,
        departures: TableWriter,
        mark: Mark,
        begin_after: int,
    ) -> None:
        """Set it up.

        Args:
            scenario: Its server and its outages.
            port: Where it listens.
            recorder: What the server writes down.
            visits: For the guest book; schema VISITS.
            departures: Likewise; schema DEPARTURES.
            mark: What tells its clients apart.
            begin_after: t = 0 is the moment at which so many clients are connected.
        """
        self._scenario = scenario
        self._recorder = recorder
        self._visits = visits
        self._begin_after = begin_after
        self.book = GuestBook(mark, visit=self._note_visit, departure=departures.append)
        self.server = Server(
            scenario.server,
            port=port,
            seed=scenario.seed,
            recorder=recorder,
            guests=self.book,
        )
        self._agenda: Agenda | None = None
        self._begun = trio.Event()
        self.origin: float | None = None
        """The clock reading that is t = 0; None before the schedule has begun."""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Listen and serve, and go through the schedule once it has begun, until cancelled."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self.server.run)
            if not self._begin_after:
                self.begin()
            task_status.started()
            await self._begun.wait()
            if self.origin is not None:
                await self.server.follow(
                    self._scenario.windows, origin=self.origin, agenda=self._agenda
                )

    async def begun(self) -> float:
        """Wait for t = 0; the clock reading at it."""
        await self._begun.wait()
        return self.origin or 0.0

    def begin(self) -> None:
        """Let the schedule begin, if it has not."""
        if self.origin is None:
            self.origin = trio.current_time()
            self._agenda = Agenda(
                on_the_server(self._scenario.windows), origin=self.origin, takes_orders=True
            )
            self._begun.set()

    def _note_visit(self, *row: float) -> None:
        self._visits.append(*row)
        if row[-1] == Answer.CONNECTED and self.server.n_connected >= self._begin_after:
            self.begin()

    def orders(self) -> Orders:
        """Where to give it orders.

        Raises:
            OrderRefusedError: Its schedule has not begun.
        """
        if self._agenda is None:
            raise OrderRefusedError("its schedule has not begun; POST /api/begin begins it")
        return self._agenda

    async def thawed(self) -> None:
        """Wait while it is frozen."""
        await self.server.thawed()

    def status(self) -> Status:
        """How it is now."""
        agenda = self._agenda
        n_connected, backlog, busy_workers = self._recorder.levels
        return Status(
            at=None if self.origin is None else trio.current_time() - self.origin,
            n_connected=n_connected,
            backlog=backlog,
            busy_workers=busy_workers,
            n_clients=self.book.n_clients,
            totals=self._recorder.totals,
            n_outages=Counter() if agenda is None else agenda.n_begun,
            now_on=None if agenda is None else agenda.now_on,
            planned=None if agenda is None else agenda.planned,
        )
