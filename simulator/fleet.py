"""A fleet: many clients in one nursery, assembled at a steady rate, along paths that can be cut."""

import math
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import numpy as np
import trio
from numpy.typing import NDArray

from server_stub.draws import Purpose, uniform
from server_stub.outage import OutageKind, of_kind, on_the_network
from server_stub.wire import Identity, own_path
from simulator.balancing import Balancing
from simulator.client import Client
from simulator.core.addresses import address_numbers, address_text
from simulator.core.events import Listener
from simulator.core.outbox import Outbox, Storage, keys_within
from simulator.middlebox import Forgotten, Middlebox
from simulator.network import SYN_RETRY_AT
from simulator.paths import Path
from simulator.probe import health_probe
from simulator.recording import FleetRecorder
from simulator.scenario import Cohort, Scenario
from simulator.storage import MemoryStorage
from simulator.transport.seam import Dial, Headers, Transport, TransportMaker

_HIDDEN_FOR_AT_MOST = 600.0
"""Seconds that a hidden page has been hidden when the run begins, at most: some of them are so for
long enough (five minutes) that browsers throttle them harder."""


class Fleet:
    """The clients with the given numbers; each connects when its turn in the ramp comes."""

    def __init__(
        self,
        scenario: Scenario,
        numbers: Sequence[int],
        cohort_of: NDArray[np.uint16],
        *,
        dials: Sequence[Sequence[Dial]],
        transport: TransportMaker,
        host: str,
        recorder: FleetRecorder,
        listeners: Sequence[Listener] = (),
        storage: Storage | None = None,
        syn_retry_at: Sequence[float] = SYN_RETRY_AT,
        hold: Callable[[], Awaitable[None]] | None = None,
        path_of: Callable[[Identity], str] = own_path,
        headers: Headers = (),
    ) -> None:
        """Gather a fleet.

        Args:
            scenario: What the clients are like.
            numbers: The client numbers of this fleet, a part of the whole.
            cohort_of: Index of the cohort of every client of the whole fleet.
            dials: Ways to the server, over which clients are spread; each leads to every node.
            transport: Makes a transport over a way to the server.
            host: For the Host header.
            recorder: Told of everything.
            storage: Where operations wait for their acknowledgement; in memory unless given.
            listeners: Others who want to know of every event in a client's life.
            syn_retry_at: Seconds after which a SYN that was lost on a cut path is sent again.
            hold: Returns when an attempt that is ready may leave; None holds nothing back.
            path_of: The request target of an attempt.
            headers: For every upgrade request.
        """
        self._scenario = scenario
        self._numbers = numbers
        self._cohort_of = cohort_of
        self._recorder = recorder
        self._listeners: Sequence[Listener] = (recorder, *listeners)
        self._storage = MemoryStorage() if storage is None else storage
        self._clients: list[Client] = []
        self._dialling_ends_at = math.inf
        self._begun = trio.Event()
        self._hold = hold
        self._path_of = path_of
        self._headers = headers
        self._origin = math.inf
        self._host = host
        self._paths = [Path(syn_retry_at) for _ in scenario.cohorts]
        self._is_ever_cut = bool(on_the_network(scenario.windows))
        self._raw_dials = dials
        self._balancing = Balancing(scenario) if scenario.is_balanced else None
        self._make_transport = transport
        # Those that clients share; a client that is told apart on the way has one of its own.
        self._dials = [[self._along(path, nodes[0]) for nodes in dials] for path in self._paths]
        self._transports = [
            [transport(dial, host, headers=headers) for dial in along] for along in self._dials
        ]
        self._boxes = [self._middlebox(cohort) for cohort in scenario.cohorts]
        self._addresses = (
            address_numbers(cohort_of, [cohort.clients_per_address for cohort in scenario.cohorts])
            if scenario.tells_addresses
            else None
        )

    def begin(self, origin: float) -> None:
        """The whole fleet is connected; t = 0 is at `origin` on Trio's clock."""
        self._origin = origin
        self._dialling_ends_at = origin + self._scenario.horizon
        for box in self._boxes:
            if box is not None:
                box.begin(origin)
        if self._balancing is not None:
            self._balancing.begin(origin)
        self._begun.set()

    def joined(self, node: int, starts_at: float, ready_at: float) -> None:
        """The server has one more node; instants in seconds after t = 0."""
        if self._balancing is not None:
            self._balancing.joined(node, starts_at, ready_at)

    async def run(self, *, ramp_starts_at: float) -> None:
        """Live until cancelled, or until every client has given up.

        Args:
            ramp_starts_at: When client 0 of the whole fleet connects, on Trio's clock.
        """
        try:
            async with trio.open_nursery() as cutting:
                cutting.start_soon(self._cut_paths)
                async with trio.open_nursery() as nursery:
                    for number in self._numbers:
                        due_at = ramp_starts_at + number / self._scenario.ramp_rate
                        client = self._client(number, due_at)
                        self._clients.append(client)
                        nursery.start_soon(client.run)
                cutting.cancel_scope.cancel()
        finally:
            for path in self._paths:
                path.heal()
            for box in self._boxes:
                if box is not None:
                    box.release()
            for client in self._clients:
                client.conversation.finish(trio.current_time())
                self._recorder.account(client.number, client.conversation)

    def _client(self, number: int, due_at: float) -> Client:
        index = self._cohort_of[number]
        cohort = self._scenario.cohorts[index]
        way = number % len(self._dials[index])
        client = Client(
            number,
            cohort,
            self._transport(number, index, way),
            seed=self._scenario.seed,
            first_due_at=due_at,
            listeners=self._listeners,
            may_dial=self._may_dial,
            hold=self._hold,
            path_of=self._path_of,
            outbox=self._outbox(number, cohort),
            probe=(
                None
                if cohort.network_monitor is None or cohort.network_monitor.interval is None
                else health_probe(self._probe_dial(number, index, way), self._host)
            ),
        )
        self._hide(client, cohort, due_at)
        return client

    def _middlebox(self, cohort: Cohort) -> Middlebox | None:
        """What stands between a cohort and the server, if anything ever does."""
        windows = [
            window
            for window in of_kind(self._scenario.windows, OutageKind.IDLE_TIMEOUT)
            if window.cohort in (None, cohort.name)
        ]
        return Middlebox(windows) if windows else None

    def _transport(self, number: int, index: int, way: int) -> Transport:
        box, balancing, dial = self._boxes[index], self._balancing, self._raw_dials[way][0]
        if box is None and balancing is None and self._addresses is None:
            return self._transports[index][way]
        if balancing is not None:
            dial = balancing.over(
                self._raw_dials[way],
                whose=partial(self._identity_at, len(self._clients)),
                source=self._source(number),
                sent_to=partial(self._recorder.sent_to, number),
            )
        if box is not None:
            dial = box.over(dial, partial(self._note_forgotten, len(self._clients)))
        headers = list(self._headers)
        if self._addresses is not None:  # As a proxy in between would tell it.
            headers.append(("X-Forwarded-For", address_text(int(self._addresses[number]))))
        along = self._along(self._paths[index], dial)
        return self._make_transport(along, self._host, headers=headers)

    def _probe_dial(self, number: int, index: int, way: int) -> Dial:
        """A client's way to the server beside those of its attempts."""
        if self._balancing is None:
            return self._dials[index][way]
        dial = self._balancing.over(
            self._raw_dials[way],
            whose=partial(self._identity_at, len(self._clients)),
            source=self._source(number),
        )
        return self._along(self._paths[index], dial)

    def _identity_at(self, place: int) -> Identity:
        """The attempt of the client at this place of the list."""
        return self._clients[place].identity

    def _source(self, number: int) -> int:
        """What a balancer takes a client for."""
        return number if self._addresses is None else int(self._addresses[number])

    def _note_forgotten(self, place: int, forgotten: Forgotten) -> None:
        """The connection of the client at this place of the list was; an attempt has no record."""
        client = self._clients[place]
        if client.is_connected:
            self._recorder.loss(client.number, client.episode, forgotten.outage, forgotten.at)

    def _along(self, path: Path, dial: Dial) -> Dial:
        """A path costs something on every read and write: only where one is ever cut."""
        return path.over(dial) if self._is_ever_cut else dial

    def _outbox(self, number: int, cohort: Cohort) -> Outbox | None:
        if cohort.operation_rate is None:
            return None
        return Outbox(number, self._storage, keys_within(f"herd-{self._scenario.seed}"))

    def _hide(self, client: Client, cohort: Cohort, now: float) -> None:
        """Put the page of a client that is not looked at out of view, some while ago."""
        if cohort.visible_share == 1.0:
            return
        seed = self._scenario.seed
        if uniform(seed, Purpose.HIDDEN, client.number) >= cohort.visible_share:
            since = uniform(seed, Purpose.HIDDEN, client.number, index=2) * _HIDDEN_FOR_AT_MOST
            client.set_visible(visible=False, since=now - since)

    def _may_dial(self, due_at: float) -> bool:
        return due_at < self._dialling_ends_at

    async def _cut_paths(self) -> None:
        """Go through the network outages of the schedule."""
        await self._begun.wait()
        names = [cohort.name for cohort in self._scenario.cohorts]
        for window in on_the_network(self._scenario.windows):
            hit = range(len(names)) if window.cohort is None else [names.index(window.cohort)]
            await trio.sleep_until(self._origin + window.starts_at)
            now = trio.current_time()
            for client in self._clients:
                if self._cohort_of[client.number] in hit and client.is_connected:
                    self._recorder.loss(client.number, client.episode, window.index, now)
            for index in hit:
                self._paths[index].cut(window.direction)
            await trio.sleep_until(self._origin + window.ends_at)
            for index in hit:
                self._paths[index].heal()
