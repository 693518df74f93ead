"""The rules of a connection attempt, one event at a time: slow, and written to be read.

This is the oracle that the arrays are tested against, and what runs a scenario that they cannot
express. Events at one instant come in the order of RULES 3: an outage's start, its end, departures,
timeouts, arrivals; arrivals by the client's number.
"""

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from functools import partial

from server_stub.admission import Desk, Job
from server_stub.advice import Adviser
from server_stub.doorkeeper import Doorkeeper, Reason
from server_stub.draws import Purpose, uniform
from server_stub.messages import encode_hint
from server_stub.outage import OutageKind, OutageWindow, on_the_server
from server_stub.pace import Pace
from server_stub.service import service_time
from server_stub.wire import RAMP_EPISODE, Identity
from simulator.core.close_codes import Kind, disposition
from simulator.core.outcomes import NoticedBy, Outcome
from simulator.core.statuses import UNAVAILABLE
from simulator.engines.model.course import (
    TURNED_AWAY,
    Break,
    Course,
    CourseBook,
    Ended,
    GaveUp,
    Noticed,
    break_of,
    ramp_connects,
)
from simulator.engines.model.instants import NEVER, in_ns
from simulator.engines.model.reference_client import ModelClient
from simulator.network import SYN_RETRY_AT
from simulator.scenario import Scenario


class Rank(IntEnum):
    """What comes first at one instant."""

    OUTAGE_STARTS = 0
    OUTAGE_ENDS = 1
    DEPARTURE = 2
    TIMEOUT = 3
    ARRIVAL = 4


@dataclass(slots=True, eq=False, kw_only=True)
class _Dial(Job):
    """One attempt, as the network and the server see it."""

    client: ModelClient
    episode: int
    attempt: int
    first_syn_at: int
    n_syns: int = 0
    has_left: bool = False
    """The client has given this attempt up; the server may not know yet."""
    is_at_the_desk: bool = False

    @property
    def identity(self) -> Identity:
        """Keys the draws that are made for it."""
        return Identity(self.client.number, self.episode, self.attempt)


@dataclass(slots=True, eq=False)
class _Network:
    """Whose paths are cut, and until when."""

    names: list[str]
    cut_until: dict[int, int] = field(default_factory=dict)

    def hit(self, window: OutageWindow) -> list[int]:
        """Indices of the cohorts that an outage cuts off."""
        everybody = list(range(len(self.names)))
        return everybody if window.cohort is None else [self.names.index(window.cohort)]


class _Pace(Pace):
    """Of services that begin at an instant in nanoseconds."""

    def factor(self, at: float) -> float:
        """By what a service that begins then is multiplied (RULES 16)."""
        return super().factor(at / 1e9)


class Reference:
    """One run of a scenario."""

    def __init__(self, scenario: Scenario, cohort_of: list[int]) -> None:
        """Everybody connected, as the ramp has left them.

        Args:
            scenario: What to run.
            cohort_of: Index of each client's cohort.
        """
        self._scenario = scenario
        self._config = scenario.server
        self._book = CourseBook()
        self._events: list[tuple[int, int, int, int, Callable[[], None]]] = []
        self._n_events = 0
        self._now = 0
        self._desk: Desk[_Dial] = Desk(scenario.server, _Pace(scenario.windows))
        self._door = Doorkeeper(scenario.server)
        self._adviser = Adviser(scenario.server, seed=scenario.seed)
        self._departure: int = NEVER
        self._kernel: list[_Dial] = []
        self._unheard: list[_Dial] = []
        """Attempts given up while the server was frozen."""
        self._down: OutageWindow | None = None
        self._horizon = in_ns(scenario.horizon)
        self._end = in_ns(scenario.horizon + scenario.grace)
        self._cohort_of = cohort_of
        self._network = _Network([cohort.name for cohort in scenario.cohorts])
        connects = ramp_connects(scenario, cohort_of)
        self._clients = [
            ModelClient(
                number,
                scenario.cohorts[cohort_of[number]],
                scenario.seed,
                connected_at=int(connects[number]),
            )
            for number in range(scenario.n_clients)
        ]
        self._dials: list[_Dial | None] = [None] * scenario.n_clients
        """The attempt that each client has under way."""
        self._sessions: dict[tuple[int, int], ModelClient] = {
            (client.number, RAMP_EPISODE): client for client in self._clients
        }
        """Connections that the server has, by client and by the episode that they ended."""

    def run(self) -> Course:
        """Let everything happen until the end of the observation."""
        for window in self._scenario.windows:
            if window.kind is OutageKind.SLOW:  # Only the pace of services changes.
                continue
            start, end = in_ns(window.starts_at), in_ns(window.ends_at)
            if window in on_the_server((window,)):
                begin, finish = partial(self._go_down, window), partial(self._come_back, window)
            else:
                begin, finish = partial(self._cut, window, end), partial(self._heal, window)
            self._at(start, Rank.OUTAGE_STARTS, window.index, begin)
            self._at(end, Rank.OUTAGE_ENDS, window.index, finish)
        self._note_levels()
        while self._events and self._events[0][0] <= self._end:
            self._now, _, _, _, happen = heapq.heappop(self._events)
            happen()
            self._accept_more()
            if not self._events or self._events[0][:2] != (self._now, Rank.DEPARTURE):
                self._note_levels()
        self._now = self._end
        for dial in self._dials:
            if dial is not None and dial.first_syn_at <= self._end:
                self._ended(dial, Outcome.CANCELLED)
        return self._book.course()

    def _at(self, at: int, rank: Rank, key: int, happen: Callable[[], None]) -> None:
        self._n_events += 1
        heapq.heappush(self._events, (at, rank, key, self._n_events, happen))

    def _note_levels(self) -> None:
        self._book.level(
            self._now, len(self._sessions), self._desk.backlog, self._desk.busy_workers
        )

    # Dialling

    def _lose(self, client: ModelClient, broken: Break, reason: str = "") -> None:
        """A client notices that its connection is lost; a close frame may give a reason."""
        client.is_connected = False
        client.episode += 1
        client.attempt = 0
        client.lost_at = self._now
        self._book.loss(
            Noticed(
                client.number,
                client.episode,
                broken.outage,
                broken.at,
                self._now,
                broken.noticed_by,
                broken.close_code,
            )
        )
        verdict = disposition(broken.close_code, reason, client.cohort.close_codes)
        if verdict.kind is Kind.END:
            self._book.give_up(GaveUp(client.number, self._now))
            return
        due_at = self._now if verdict.kind is Kind.AT_ONCE else client.due_after_loss(self._now)
        self._back_off(client, due_at, self._now + in_ns(verdict.at_least))

    def _back_off(self, client: ModelClient, due_at: int | None, not_before: int) -> None:
        if due_at is None:
            self._book.give_up(GaveUp(client.number, self._now))
            return
        client.attempt += 1
        client.due_at = due_at = max(due_at, not_before, self._now)
        if due_at >= self._horizon:
            return
        arrives_at = due_at + in_ns(client.cohort.rtt)
        dial = _Dial(
            arrived_at=arrives_at,
            service_time=0,
            client=client,
            episode=client.episode,
            attempt=client.attempt,
            first_syn_at=arrives_at,
        )
        self._dials[client.number] = dial
        self._at(client.patience, Rank.TIMEOUT, client.number, partial(self._time_out, dial))
        self._at(arrives_at, Rank.ARRIVAL, client.number, partial(self._arrive, dial))

    def _fail(self, dial: _Dial, outcome: Outcome, retry_after: int = 0) -> None:
        """An attempt is over without a connection."""
        client = dial.client
        self._dials[client.number] = None
        self._ended(dial, outcome)
        obeys = client.cohort.retry_after == "obey"
        not_before = self._now + (retry_after if obeys else 0)
        is_final = outcome is Outcome.REJECTED and client.cohort.statuses.ends(UNAVAILABLE)
        due_at = None if is_final else client.due_after_failure(self._now)
        self._back_off(client, due_at, not_before)

    def _ended(self, dial: _Dial, outcome: Outcome) -> None:
        client = dial.client
        self._book.attempt(
            Ended(client.number, dial.episode, dial.attempt, client.due_at, self._now, outcome)
        )

    def _time_out(self, dial: _Dial) -> None:
        """Patience is over (RULES 9)."""
        if self._dials[dial.client.number] is not dial:
            return
        dial.has_left = True
        heals_at = self._network.cut_until.get(self._cohort_of[dial.client.number])
        if heals_at is not None:
            self._at(heals_at, Rank.OUTAGE_ENDS, NEVER, partial(self._leave, dial))
        else:
            self._leave(dial)
        self._fail(dial, Outcome.TIMED_OUT)

    def _leave(self, dial: _Dial) -> None:
        """The server hears that a client has left; a frozen one does so at the thaw."""
        if self._is_frozen:
            self._unheard.append(dial)
        elif dial.is_at_the_desk:
            self._desk.leave(dial, self._now)
            self._plan_departure()

    # On the way to the server

    def _arrive(self, dial: _Dial) -> None:
        """A SYN meets the path, the kernel's queue, or the server."""
        if self._dials[dial.client.number] is not dial:
            return
        cohort = self._cohort_of[dial.client.number]
        if cohort in self._network.cut_until:
            self._send_again(dial)
        elif self._down is not None and self._down.refuse:
            self._fail(dial, Outcome.REFUSED)
        elif self._accepts:
            self._request(dial)
        elif len(self._kernel) <= self._config.listen_backlog:
            self._kernel.append(dial)
        else:
            self._send_again(dial)

    def _send_again(self, dial: _Dial) -> None:
        """A SYN got no answer (RULES 8)."""
        if dial.n_syns == len(SYN_RETRY_AT):
            self._fail(dial, Outcome.TIMED_OUT)
            return
        again_at = dial.first_syn_at + in_ns(SYN_RETRY_AT[dial.n_syns])
        dial.n_syns += 1
        self._at(again_at, Rank.ARRIVAL, dial.client.number, partial(self._arrive, dial))

    @property
    def _is_frozen(self) -> bool:
        return self._down is not None and self._down.kind is OutageKind.FREEZE

    @property
    def _accepts(self) -> bool:
        """Does the server take in what the kernel's queue holds?"""
        return self._down is None and (self._config.overflow != "drop" or self._room > 0)

    @property
    def _room(self) -> float:
        room: float = self._desk.room
        rules = self._door.room(
            self._now / 1e9, n_present=self._n_present, n_waiting=self._desk.backlog
        )
        return min(room, rules)

    def _accept_more(self) -> None:
        """Take in what the kernel's queue holds, as far as there is room."""
        while self._kernel and self._accepts:
            self._request(self._kernel.pop(0))

    # At the server

    def _request(self, dial: _Dial) -> None:
        self._book.count(self._now, "arrivals")
        draw = uniform(
            self._scenario.seed,
            Purpose.SERVICE,
            dial.client.number,
            dial.episode,
            dial.attempt,
        )
        dial.arrived_at = self._now
        dial.service_time = max(1, in_ns(service_time(self._config.service_time, draw)))
        reason = self._objection(dial)
        if reason is not None:
            self._book.count(self._now, "rejected")
            self._book.count(self._now, TURNED_AWAY[reason])
            self._turn_away(dial)
            return
        self._book.count(self._now, "admitted")
        dial.is_at_the_desk = True
        if dial.has_left:
            self._leave(dial)
        self._plan_departure()

    def _objection(self, dial: _Dial) -> Reason | None:
        """Why an attempt is turned away; None if it now waits or is served."""
        reason = self._door.objection(
            self._now / 1e9,
            address="",
            n_present=self._n_present,
            n_waiting=self._desk.backlog,
            has_place=self._desk.room > 0,
        )
        if reason is None:
            self._desk.arrive(dial)
        return reason

    @property
    def _n_present(self) -> int:
        return len(self._sessions) + self._desk.backlog + self._desk.busy_workers

    def _turn_away(self, dial: _Dial) -> None:
        if dial.has_left:
            return
        if self._config.overflow == "reset":
            self._fail(dial, Outcome.RESET)
        else:
            self._fail(dial, Outcome.REJECTED, self._retry_after(dial))

    def _retry_after(self, dial: _Dial, window: OutageWindow | None = None) -> int:
        """Nanoseconds that a 503 asks for, also that of a node which goes down (RULES 10a)."""
        seconds = None if window is None else self._when_going_down(dial.identity, window)
        if seconds is None:
            seconds = self._adviser.when_turned_away(dial.identity, n_waiting=self._desk.backlog)
        return 0 if seconds is None else math.ceil(seconds) * 10**9  # HTTP knows whole seconds.

    def _when_going_down(self, who: Identity, window: OutageWindow) -> float | None:
        return self._adviser.when_going_down(
            who, now=self._now / 1e9, back_at=max(window.ends_at, self._now / 1e9)
        )

    def _plan_departure(self) -> None:
        due_at = self._desk.next_due()
        if due_at < math.inf and (at := math.ceil(due_at)) < self._departure:
            self._departure = at
            self._at(self._departure, Rank.DEPARTURE, 0, self._depart)

    def _depart(self) -> None:
        """Services end; unless they have been put off or cut short meanwhile."""
        if self._departure == self._now:
            self._departure = NEVER
        for dial in self._desk.finish(self._now):
            dial.is_at_the_desk = False
            self._book.count(self._now, "completed")
            if dial.abandoned:
                self._book.count(self._now, "wasted")
            else:
                self._sessions[dial.client.number, dial.episode] = dial.client
                self._answer(dial)
        self._plan_departure()

    def _answer(self, dial: _Dial) -> None:
        """The 101 travels; along a cut path it arrives when that has healed."""
        if self._dials[dial.client.number] is not dial:
            return
        heals_at = self._network.cut_until.get(self._cohort_of[dial.client.number])
        if heals_at is not None:
            self._at(heals_at, Rank.DEPARTURE, 1, partial(self._answer, dial))
            return
        client = dial.client
        self._dials[client.number] = None
        client.is_connected = True
        client.opened(self._now)
        self._ended(dial, Outcome.CONNECTED)

    # Outages of the server

    def _go_down(self, window: OutageWindow) -> None:
        self._down = window
        self._departure = NEVER
        if window.kind is OutageKind.FREEZE:
            self._desk.pause(self._now)
            for client in self._connected:
                self._await_notice(client, window, in_ns(window.ends_at))
        elif window.kind is OutageKind.DRAIN:
            self._lock_up(window)
            self._drain(window)
        else:
            self._disconnect_everybody(window, self._now)

    @property
    def _connected(self) -> list[ModelClient]:
        return [client for client in self._clients if client.is_connected]

    def _disconnect_everybody(self, window: OutageWindow, broke_at: int) -> None:
        """Leave nobody: not in the kernel's queue, at the desk, or connected (RULES 14)."""
        self._lock_up(window)
        self._sessions.clear()
        for client in self._connected:
            self._say_goodbye(client, window, broke_at)

    def _drain(self, window: OutageWindow) -> None:
        """Close one connection after the other, in an order that is drawn (RULES 14)."""
        leaving = sorted(self._sessions, key=lambda key: self._rank(key, window))
        for place, key in enumerate(leaving):
            at = window.starts_at + window.drain_over * place / len(leaving)
            self._at(in_ns(at), Rank.OUTAGE_STARTS, place, partial(self._part, key, window))

    def _rank(self, key: tuple[int, int], window: OutageWindow) -> float:
        return uniform(self._scenario.seed, Purpose.DRAIN, *key, index=window.index)

    def _part(self, key: tuple[int, int], window: OutageWindow) -> None:
        client = self._sessions.pop(key, None)
        if client is not None and client.is_connected and client.episode == key[1]:
            self._say_goodbye(client, window, self._now)

    def _say_goodbye(self, client: ModelClient, window: OutageWindow, broke_at: int) -> None:
        """Break a connection, with a close frame if there is time for one."""
        seconds = None
        if window.kind.says_goodbye:
            who = Identity(client.number, client.episode, client.opened_by)
            seconds = self._when_going_down(who, window)
        reason = "" if seconds is None else encode_hint(seconds)
        self._lose(client, break_of(window, broke_at), reason)

    def _lock_up(self, window: OutageWindow) -> None:
        """Send away those who are not connected yet."""
        in_the_kernel, self._kernel = self._kernel, []
        graceful = window.kind.says_goodbye
        at_the_desk = self._desk.clear()
        for dial in at_the_desk:
            dial.is_at_the_desk = False
        for dial in in_the_kernel:
            if not dial.has_left:
                self._fail(dial, Outcome.RESET)
        for dial in at_the_desk:
            if not dial.has_left and graceful:
                self._book.count(self._now, TURNED_AWAY[Reason.OUTAGE])
                self._fail(dial, Outcome.REJECTED, self._retry_after(dial, window))
            elif not dial.has_left:
                self._fail(dial, Outcome.RESET)

    def _come_back(self, window: OutageWindow) -> None:
        self._down = None
        if window.kind is OutageKind.FREEZE:
            self._desk.resume(self._now)
            if window.lost_at_thaw:
                self._disconnect_everybody(window, in_ns(window.starts_at))
            heard, self._unheard = self._unheard, []
            for dial in heard:
                self._leave(dial)
            self._sessions = {
                key: client
                for key, client in self._sessions.items()
                if client.is_connected and client.episode == key[1]
            }
        self._plan_departure()

    # Silence

    def _await_notice(self, client: ModelClient, window: OutageWindow, over_at: int) -> None:
        """A client notices a silence by its heartbeat, unless it is over before (RULES 15, 19)."""
        noticed_at = client.silence_noticed_at(self._now)
        if noticed_at < over_at:
            notice = partial(self._notice, client, client.episode, window, self._now)
            self._at(noticed_at, Rank.TIMEOUT, client.number, notice)

    def _notice(
        self, client: ModelClient, episode: int, window: OutageWindow, broke_at: int
    ) -> None:
        if client.is_connected and client.episode == episode:
            self._lose(client, Break(window.index, broke_at, NoticedBy.HEARTBEAT))

    def _cut(self, window: OutageWindow, heals_at: int) -> None:
        hit = self._network.hit(window)
        self._network.cut_until.update(dict.fromkeys(hit, heals_at))
        for client in self._connected:
            if self._cohort_of[client.number] in hit:
                self._await_notice(client, window, heals_at)

    def _heal(self, window: OutageWindow) -> None:
        hit = self._network.hit(window)
        for index in hit:
            self._network.cut_until.pop(index, None)
        self._sessions = {
            key: client
            for key, client in self._sessions.items()
            if self._cohort_of[client.number] not in hit
            or (client.is_connected and client.episode == key[1])
            or self._is_dialling(client, key[1])
        }

    def _is_dialling(self, client: ModelClient, episode: int) -> bool:
        dial = self._dials[client.number]
        return dial is not None and dial.episode == episode
