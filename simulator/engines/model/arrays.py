"""The rules of a connection attempt over whole arrays of clients, exactly.

Between the moments at which nodes go down or come back, time is cut into slices so short that no
attempt can follow from another of the same slice: one that fails at once is followed by one that
arrives a round trip later at the earliest. Within a slice, arrivals are put in order and taken in
at once; what becomes of each is known then, since nobody overtakes (see `queueing`). Who has been
served at one station joins the next at a known instant, and is taken in there when the slice has
come that far. While all nodes refuse, attempts have nothing to do with each other, and each client
goes through its own.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from server_stub.doorkeeper import Reason
from server_stub.outage import OutageWindow
from simulator.core.outcomes import Outcome
from simulator.engines.model.agenda import Agenda
from simulator.engines.model.book import Book
from simulator.engines.model.course import TURNED_AWAY, Course, break_of
from simulator.engines.model.dealing import Dealer, Nodes, ramp_keys
from simulator.engines.model.herd import Herd
from simulator.engines.model.in_hand import InHand
from simulator.engines.model.instants import NEVER, Instants, in_ns
from simulator.engines.model.keys import Clients, in_blocks
from simulator.engines.model.outlook import longest_slice
from simulator.engines.model.queueing import Served
from simulator.engines.model.schedule import Stretch, nodes_hit, stretches
from simulator.engines.model.stations import Station, stations_of
from simulator.scenario import Scenario

_SLICES_PER_BUCKET = 8
_BY_BACKLOG = TURNED_AWAY[Reason.BACKLOG]
_BY_STAGE = TURNED_AWAY[Reason.STAGE]
_BY_OUTAGE = TURNED_AWAY[Reason.OUTAGE]


class Arrays:
    """One run of a scenario."""

    def __init__(self, scenario: Scenario, cohort_of: NDArray[np.uint16]) -> None:
        """Everybody connected, as the ramp has left them.

        Args:
            scenario: What to run.
            cohort_of: Index of each client's cohort, shape (n_clients,).
        """
        self._seed = scenario.seed
        self._config = scenario.server
        self._end = in_ns(scenario.horizon + scenario.grace)
        self._stretches = stretches(scenario)
        self._stretch = next(self._stretches)
        self._stations = stations_of(scenario.server)
        self._book = Book(scenario, cohort_of, self._stations)
        self._herd = Herd(scenario, cohort_of, self._book)
        self._dealer = Dealer(scenario, cohort_of) if scenario.server.nodes > 1 else None
        self._n_held = self._ramp_up()
        self._bucket = _SLICES_PER_BUCKET * self._herd.shortest_rtt
        self._agendas = [Agenda(self._bucket) for _ in self._stations]
        """Who joins each station next."""
        self._in_hand = [InHand() for _ in self._stations]

    def _ramp_up(self) -> list[int]:
        """How many connections each node holds at first."""
        if self._dealer is None:
            return [self._herd.size]
        keys = ramp_keys(self._herd.connected_since)
        nodes = self._dealer.deal(keys, self._herd.connected_since[keys.client])
        self._herd.send_to(keys.client, nodes)
        held: list[int] = np.bincount(nodes, minlength=self._config.nodes).tolist()
        return held

    def run(self) -> Course:
        """Let everything happen until the end of the observation."""
        while True:
            self._pass_time(self._stretch)
            for window in self._stretch.then:
                self._go_down(window)
            following = next(self._stretches, None)
            if following is None:
                break
            self._stretch = following
        for agenda in self._agendas[1:]:
            self._herd.cut_off(agenda.rest(), self._end + 1)
        del self._herd, self._agendas  # They make room for what is put together now.
        return self._book.course(self._n_held)

    def _pass_time(self, stretch: Stretch) -> None:
        since, until = stretch.starts_at, min(stretch.ends_at, self._end + 1)
        if stretch.down.all() and (self._dealer is None or self._dealer.is_steady(since, until)):
            self._refuse_until(until)
        else:
            self._serve(since, until)

    # Down

    def _go_down(self, window: OutageWindow) -> None:
        """Everybody who is connected there loses the connection (RULES 14)."""
        start = in_ns(window.starts_at)
        hit = np.zeros(self._config.nodes, dtype=np.bool_)
        hit[nodes_hit(window, self._config.nodes)] = True
        self._clear_desks(hit, start)
        for block in in_blocks(self._herd.size):
            clients = self._herd.connected_before(block, start)
            if not hit.all():
                clients = clients[hit[self._herd.nodes_of(clients)]]
            at = np.broadcast_to(np.int64(start), clients.shape)
            self._herd.lose(clients, at, break_of(window, start))

    def _clear_desks(self, hit: NDArray[np.bool_], at: int) -> None:
        """Whoever waits or is served there is sent away; what nodes share goes on."""
        for station, in_hand in zip(self._stations, self._in_hand, strict=True):
            if station.is_shared:
                continue
            for node, left in in_hand.cleared(hit, at):
                self._book.cleared(station.number, node, at, left)
            station.desks.clear(np.flatnonzero(hit).tolist())

    def _refuse_until(self, end: int) -> None:
        """Every attempt that arrives before is refused, at whatever node (RULES 13)."""
        n_refused = 0
        for block in in_blocks(self._herd.size):
            clients = self._herd.dialling(block)
            while True:
                arrives_at = self._herd.arrival_of(clients)
                soon = arrives_at < end
                if not soon.any():
                    break
                clients = clients[soon]
                n_refused += clients.size
                self._herd.fail(clients, arrives_at[soon], Outcome.REFUSED)
                clients = self._herd.dialling(clients)
        if self._dealer is not None:
            self._dealer.skip(n_refused, end - 1)

    # Up

    def _serve(self, since: int, until: int) -> None:
        """Take in every attempt that arrives from one instant on and before another."""
        self._agendas[0] = Agenda(self._bucket)
        for block in in_blocks(self._herd.size):
            self._expect(block, not_before=since)
        while (first_at := min(agenda.next_at() for agenda in self._agendas)) < until:
            slice_end = min(first_at + self._step(first_at), until)
            for station, agenda in zip(self._stations, self._agendas, strict=True):
                clients, joins_at = agenda.take(slice_end)
                if clients.size and station.number == 0:
                    clients, joins_at = self._arrive(clients, joins_at)
                if clients.size:
                    self._join(station, clients, joins_at)

    def _expect(self, clients: Clients, *, not_before: int = -NEVER) -> None:
        """Await the next attempts of those who have any to make."""
        clients = self._herd.dialling(clients)
        arrives_at = self._herd.arrival_of(clients)
        if not_before > -NEVER:  # Who is on the way through the stations has arrived already.
            ahead = arrives_at >= not_before
            clients, arrives_at = clients[ahead], arrives_at[ahead]
        self._agendas[0].add(clients, arrives_at)

    def _step(self, first_at: int) -> int:
        """For how long nobody who arrives can be back."""
        if self._stretch.down.any():
            return self._herd.shortest_rtt
        bucket_ends_at = (first_at // self._bucket + 1) * self._bucket
        return longest_slice(
            self._herd,
            self._stations,
            self._agendas,
            first_at=first_at,
            until=bucket_ends_at,
            at_one_node=lambda n: n if self._dealer is None else self._dealer.most_at_one_node(n),
        )

    def _arrive(self, clients: Clients, arrives_at: Instants) -> tuple[Clients, Instants]:
        """Send attempts to nodes; those that find one which is up."""
        if self._dealer is None:
            return clients, arrives_at
        nodes = self._dealer.deal(self._herd.keys_of(clients), arrives_at)
        self._herd.send_to(clients, nodes)
        refused = self._stretch.down[nodes]
        if refused.any():
            self._herd.fail(clients[refused], arrives_at[refused], Outcome.REFUSED)
            self._expect(clients[refused])
            clients, arrives_at = clients[~refused], arrives_at[~refused]
        return clients, arrives_at

    # At a station

    def _join(self, station: Station, clients: Clients, joins_at: Instants) -> None:
        """Attempts come to a station within a slice, in order."""
        keys = self._herd.keys_of(clients)
        needed = station.needed_by(self._seed, keys)
        if needed is not None and not needed.all():
            self._move_on(station, clients[~needed], joins_at[~needed])
            keys, joins_at = keys.only(needed), joins_at[needed]
            clients = keys.client
        if not clients.size:
            return
        nodes = self._herd.nodes_of(clients)
        group = station.group_of(nodes)
        self._book.count(station.number, "arrivals", group, joins_at)
        served = station.desks.serve(group, joins_at, station.service_of(self._seed, keys))
        admitted = served.admitted
        if not admitted.all():
            self._turn_away(station, clients[~admitted], nodes[~admitted], joins_at[~admitted])
            served = served.only(admitted)
            clients, nodes, joins_at = clients[admitted], nodes[admitted], joins_at[admitted]
            group = station.group_of(nodes)
        self._book.count(station.number, "admitted", group, joins_at)
        self._book.waiting(station.number, group, joins_at, served.waiting)
        self._settle(station, _Guests(clients, nodes, group, joins_at), served)

    def _settle(self, station: Station, guests: "_Guests", served: Served) -> None:
        """What becomes of those who were let in, given what comes next for their nodes."""
        number, (clients, nodes, group, joins_at) = station.number, guests
        starts_at, departs_at = served.starts_at, served.departs_at
        patience = self._herd.patience_of(clients)
        limit = patience
        if station.timeout < NEVER:
            limit = np.minimum(patience, joins_at + station.timeout)
        down_at = self._of_nodes(self._stretch.next_down_at, nodes)
        cleared_at = np.int64(NEVER) if station.is_shared else down_at
        begun, completed = starts_at < cleared_at, departs_at < cleared_at
        goes_on = (departs_at <= limit) & (departs_at < down_at)
        self._book.starts(number, group[begun], starts_at[begun], served.busy[begun])
        self._book.count(number, "completed", group[completed], departs_at[completed])
        self._book.waited(
            number, group[completed], departs_at[completed], (starts_at - joins_at)[completed]
        )
        in_vain = completed & ~goes_on
        self._book.count(number, "wasted", group[in_vain], departs_at[in_vain])
        self._in_hand[number].add(nodes, starts_at, ~completed)
        self._move_on(station, clients[goes_on], departs_at[goes_on])
        if goes_on.all():
            return
        fails = ~goes_on & (limit < down_at)
        left = fails & (patience <= limit)
        self._herd.fail(clients[left], patience[left], Outcome.TIMED_OUT)
        too_late = fails & ~left
        if too_late.any():
            self._book.count(0, _BY_STAGE, nodes[too_late], limit[too_late])
            self._reject(clients[too_late], limit[too_late])
        self._cut_off(clients, nodes, ~goes_on & ~fails)
        self._expect(clients[~goes_on])

    def _cut_off(self, clients: Clients, nodes: Nodes, cut: NDArray[np.bool_]) -> None:
        """Some are still on their way in when their nodes go down."""
        if not cut.any():
            return
        says_goodbye = self._of_nodes(self._stretch.next_says_goodbye, nodes)
        at = np.broadcast_to(self._of_nodes(self._stretch.next_down_at, nodes), cut.shape)
        told, reset = cut & says_goodbye, cut & ~says_goodbye
        self._book.count(0, _BY_OUTAGE, nodes[told], at[told])
        self._reject(clients[told], at[told])
        self._herd.fail(clients[reset], at[reset], Outcome.RESET)

    def _move_on(self, station: Station, clients: Clients, at: Instants) -> None:
        """They have passed a station: to the next one, or they are in."""
        following = station.number + 1
        if following == len(self._stations):
            self._herd.open(clients, at)
        else:
            self._agendas[following].add(clients, at)

    def _turn_away(self, station: Station, clients: Clients, nodes: Nodes, at: Instants) -> None:
        """There is no place for them."""
        self._book.count(station.number, "rejected", station.group_of(nodes), at)
        self._book.count(0, _BY_STAGE if station.number else _BY_BACKLOG, nodes, at)
        if self._config.overflow == "reset":
            self._herd.fail(clients, at, Outcome.RESET)
        else:
            self._reject(clients, at)
        self._expect(clients)

    def _reject(self, clients: Clients, at: Instants) -> None:
        """They get an answer other than the 101; a header holds whole seconds."""
        advice = self._config.retry_after
        retry_after = 0 if advice is None else math.ceil(advice.at_least) * 10**9
        self._herd.fail(clients, at, Outcome.REJECTED, retry_after=retry_after)

    def _of_nodes(self, values: NDArray[Any], nodes: Nodes) -> Any:  # noqa: ANN401 - as the values
        """What holds for the node of each; of a single node one value for all."""
        return values[0] if values.size == 1 else values[nodes]


class _Guests(NamedTuple):
    """Who has been let in at a station, in order; arrays of shape (n,)."""

    clients: Clients
    nodes: Nodes
    group: Nodes
    joins_at: Instants
