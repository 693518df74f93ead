"""The rules of a connection attempt over whole arrays of clients, exactly.

Between two outages time is cut into slices so short that no attempt can follow from another of the
same slice: an attempt that fails at once is followed by one that arrives a round trip later at the
earliest. Within a slice, arrivals are put in order and taken in at once; what becomes of each is
known then, since nobody overtakes (see `queueing`). While the server refuses, attempts have nothing
to do with each other, and each client goes through its own.
"""

import math
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from server_stub.doorkeeper import Reason
from server_stub.draws import Purpose, uniforms
from server_stub.outage import OutageKind, OutageWindow, on_the_server
from server_stub.service import service_times
from simulator.core.outcomes import Outcome
from simulator.engines.model.agenda import Agenda, Clients
from simulator.engines.model.book import Book
from simulator.engines.model.course import TURNED_AWAY, Course, break_of
from simulator.engines.model.herd import Herd, in_blocks
from simulator.engines.model.instants import NEVER, Instants, all_in_ns, in_ns
from simulator.engines.model.queueing import Fifo
from simulator.scenario import Scenario

_SLICES_PER_BUCKET = 16


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
        self._windows = on_the_server(scenario.windows)
        self._book = Book(scenario, cohort_of)
        self._herd = Herd(scenario, cohort_of, self._book)
        self._desk = Fifo(scenario.server.workers, scenario.server.backlog)
        self._in_hand: list[tuple[Instants, Instants]] = []
        """Starts and departures that may still be cut short by the next outage."""

    def run(self) -> Course:
        """Let everything happen until the end of the observation."""
        for window, following in zip_longest(self._windows, self._windows[1:]):
            self._go_down(window)
            self._refuse_until(min(in_ns(window.ends_at), self._end + 1))
            self._serve_until(following)
        del self._herd  # It makes room for what is put together now.
        return self._book.course()

    # Down

    def _go_down(self, window: OutageWindow) -> None:
        """Everybody loses the connection (RULES 14)."""
        start = in_ns(window.starts_at)
        for block in in_blocks(self._herd.size):
            clients = self._herd.connected_before(block, start)
            at = np.broadcast_to(np.int64(start), clients.shape)
            self._herd.lose(clients, at, break_of(window, start))

    def _refuse_until(self, end: int) -> None:
        """Every attempt that arrives before is refused (RULES 13)."""
        for block in in_blocks(self._herd.size):
            clients = self._herd.dialling(block)
            while True:
                arrives_at = self._herd.arrival_of(clients)
                soon = arrives_at < end
                if not soon.any():
                    break
                clients = clients[soon]
                self._herd.fail(clients, arrives_at[soon], Outcome.REFUSED)
                clients = self._herd.dialling(clients)

    # Up

    def _serve_until(self, window: OutageWindow | None) -> None:
        """Take in every attempt that arrives before the next outage."""
        end = _start_of(window)
        agenda = Agenda(_SLICES_PER_BUCKET * self._herd.shortest_rtt)
        for block in in_blocks(self._herd.size):
            pending = self._herd.dialling(block)
            agenda.add(pending, self._herd.arrival_of(pending))
        while (first_at := agenda.next_at()) < min(end, self._end + 1):
            until = min(first_at + self._step(agenda, first_at), end, self._end + 1)
            clients, arrives_at = agenda.take(until)
            self._take_in(clients, arrives_at, before=window)
            again = self._herd.dialling(clients)
            agenda.add(again, self._herd.arrival_of(again))
        self._clear_the_desk(end)

    def _step(self, agenda: Agenda, first_at: int) -> int:
        """For how long nobody who arrives can be back.

        Who is turned away at once can arrive again a round trip later. Where there is room for all
        nobody is, and only lost patience brings them back.
        """
        patient = min(self._herd.shortest_wait + self._herd.shortest_rtt, NEVER - first_at)
        patient = min(patient, agenda.ends_at - first_at)
        if agenda.n_until(first_at + patient) <= self._desk.n_places:
            return max(patient, self._herd.shortest_rtt)
        return self._herd.shortest_rtt

    def _take_in(
        self, clients: Clients, arrives_at: Instants, *, before: OutageWindow | None
    ) -> None:
        """Arrivals of one slice, in order."""
        end = _start_of(before)
        self._book.count("arrivals", arrives_at)
        served = self._desk.serve(arrives_at, self._service_of(clients))
        turned_away = ~served.admitted
        if turned_away.any():
            self._book.count("rejected", arrives_at[turned_away])
            self._book.count(TURNED_AWAY[Reason.BACKLOG], arrives_at[turned_away])
            self._turn_away(clients[turned_away], arrives_at[turned_away])
        clients, arrives_at = clients[served.admitted], arrives_at[served.admitted]
        self._book.count("admitted", arrives_at)
        self._book.waiting(arrives_at, served.waiting[served.admitted])
        starts_at = served.starts_at[served.admitted]
        begun = starts_at < end
        self._book.starts(starts_at[begun], served.busy[served.admitted][begun])
        self._settle(clients, starts_at, served.departs_at[served.admitted], before=before)

    def _settle(
        self,
        clients: Clients,
        starts_at: Instants,
        departs_at: Instants,
        *,
        before: OutageWindow | None,
    ) -> None:
        """What becomes of those who were let in, given the outage that comes next."""
        end = _start_of(before)
        patience = self._herd.patience_of(clients)
        completed = departs_at < end
        self._book.count("completed", departs_at[completed])
        self._book.count("wasted", departs_at[completed & (patience < departs_at)])
        if before is not None and before.kind is OutageKind.GRACEFUL:
            sent_away = np.full(np.count_nonzero(~completed), end)
            self._book.count(TURNED_AWAY[Reason.OUTAGE], sent_away)
        if before is not None:
            self._in_hand.append((starts_at[~completed], departs_at[~completed]))
        connected = completed & (departs_at <= patience)
        self._herd.open(clients[connected], departs_at[connected])
        impatient = ~connected & (patience < end)
        self._herd.fail(clients[impatient], patience[impatient], Outcome.TIMED_OUT)
        cut_off = ~connected & ~impatient
        if before is None or not cut_off.any():
            return
        at = np.full(np.count_nonzero(cut_off), end)
        if before.kind is OutageKind.GRACEFUL:
            self._herd.fail(clients[cut_off], at, Outcome.REJECTED)
        else:
            self._herd.fail(clients[cut_off], at, Outcome.RESET)

    def _clear_the_desk(self, at: int) -> None:
        """Whoever waits or is served when the outage starts is sent away."""
        if not self._in_hand:
            return
        starts_at = np.concatenate([starts for starts, _ in self._in_hand])
        served = int(np.count_nonzero(starts_at < at))
        if at <= self._end:
            self._book.cleared(at, starts_at.size - served, served)
        self._in_hand.clear()
        self._desk.clear()

    def _turn_away(self, clients: Clients, at: Instants) -> None:
        if self._config.overflow == "reset":
            self._herd.fail(clients, at, Outcome.RESET)
        else:
            self._herd.fail(clients, at, Outcome.REJECTED, retry_after=self._retry_after)

    @property
    def _retry_after(self) -> int:
        """Nanoseconds; a header holds whole seconds."""
        advice = self._config.retry_after
        return 0 if advice is None else math.ceil(advice.at_least) * 10**9

    def _service_of(self, clients: Clients) -> Instants:
        episode, attempt = self._herd.keys_of(clients)
        draws = uniforms(self._seed, Purpose.SERVICE, clients, episode, attempt)
        return np.maximum(all_in_ns(service_times(self._config.service_time, draws)), 1)


def _start_of(window: OutageWindow | None) -> int:
    return NEVER if window is None else in_ns(window.starts_at)
