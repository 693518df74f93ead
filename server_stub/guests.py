"""Which client is this? A book on who comes and goes, and who comes back; sans-IO.

A server does not see clients but connections. A mark that names a client (a query parameter or a
header) makes each of them known for certain. Where peers share a mark, as those behind one address
do, or have none, an arrival is taken for the one of them that has been away longest: it may well be
another, but whoever counts how many are back counts right, as long as no new ones join meanwhile.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

from server_stub.marks import Mark, Request
from server_stub.wire import Identity


class Answer(IntEnum):
    """What an arrival was answered."""

    CONNECTED = 0
    REJECTED = 1
    """With another HTTP status than 101."""
    RESET = 2
    LEFT = 3
    """Nothing: the peer left before."""
    PENDING = 4
    """Nothing yet when the book was closed."""


class Ending(IntEnum):
    """How a connection ended, as the server saw it."""

    TOLD = 0
    """The server said goodbye with a close frame."""
    CLOSED = 1
    """The peer did."""
    RESET = 2
    """Without a word, by either side."""
    EOF = 3
    """The peer closed its side without a word."""


class Guests(Protocol):
    """Keeps the book on who comes and goes."""

    def arrives(self, request: Request, ours: Identity | None, now: float) -> Identity:
        """A peer knocks: who is it?

        Args:
            request: What it says of itself.
            ours: Who it says it is, if it is a client of herd.
            now: The clock.
        """

    def answered(self, who: Identity, answer: Answer, now: float) -> None:
        """It got an answer; only the first one counts."""

    def ended(self, who: Identity, ending: Ending, code: int, now: float) -> None:
        """Its connection, if it got one, is over."""


class Unwatched:
    """Numbers foreign clients by arrival, and keeps no book."""

    def __init__(self) -> None:
        self._n_foreign = 0

    def arrives(
        self,
        request: Request,
        ours: Identity | None,
        now: float,
    ) -> Identity:
        """Who it says it is; else a client of its own, in its first attempt."""
        if ours is not None:
            return ours
        self._n_foreign += 1
        return Identity(client=self._n_foreign - 1, episode=1, attempt=1)

    def answered(self, who: Identity, answer: Answer, now: float) -> None:
        """Nobody wants to know."""

    def ended(self, who: Identity, ending: Ending, code: int, now: float) -> None:
        """Nobody wants to know."""


Row = Callable[..., None]
"""Takes the values of a row."""


_ABNORMAL = 1006
"""The close code of a connection that ended without one."""


@dataclass(slots=True, eq=False)
class _Bearers:
    """The clients that bear one mark."""

    is_one: bool
    """Does the mark belong to one client alone?"""
    clients: list["_Client"] = field(default_factory=list)
    away: deque["_Client"] = field(default_factory=deque)
    """Those neither connected nor knocking, the one longest away first."""


@dataclass(slots=True, eq=False)
class _Client:
    number: int
    bearers: _Bearers
    """It and those that cannot be told from it."""
    episode: int = 0
    attempt: int = 0
    open: Identity | None = None
    """Its connection, if it has one."""


class GuestBook:
    """Numbers clients by their first arrival, and follows each from one connection to the next."""

    def __init__(self, mark: Mark, *, visit: Row, departure: Row) -> None:
        """Open the book.

        Args:
            mark: What tells clients apart.
            visit: Takes the rows of the table `visits`.
            departure: Takes those of `departures`.
        """
        self._mark = mark
        self._visit = visit
        self._departure = departure
        self._bearers: dict[str | None, _Bearers] = {}
        self._clients: list[_Client] = []
        self._knocking: dict[Identity, float] = {}
        self._is_gone: set[int] = set()
        self._is_closed = False
        self.n_unmarked = 0
        """Arrivals without the mark."""

    @property
    def n_clients(self) -> int:
        """Clients seen so far."""
        return len(self._clients)

    @property
    def n_expected(self) -> int:
        """Those of them that have not said goodbye."""
        return len(self._clients) - len(self._is_gone)

    @property
    def tells_all_apart(self) -> bool:
        """Is there no mark that two clients bear?"""
        return self.n_clients == len(self._bearers)

    def arrives(
        self,
        request: Request,
        ours: Identity | None,
        now: float,
    ) -> Identity:
        """A peer knocks; the attempt is one of the client that it is, or is taken for."""
        mark = self._mark.of(request)
        if mark is None:
            self.n_unmarked += 1
        is_one = mark is not None and self._mark.names_clients
        client = self._one_of(self._bearers.setdefault(mark, _Bearers(is_one)))
        self._hang_up(client, now)
        self._is_gone.discard(client.number)
        client.attempt += 1
        who = Identity(client.number, client.episode, client.attempt)
        self._knocking[who] = now
        return who

    def _one_of(self, bearers: _Bearers) -> _Client:
        """The client that an arrival with their mark is one of."""
        if bearers.is_one and bearers.clients:
            return bearers.clients[0]
        if bearers.away:
            return bearers.away.popleft()
        client = _Client(len(self._clients), bearers)
        self._clients.append(client)
        bearers.clients.append(client)
        return client

    def _hang_up(self, client: _Client, now: float) -> None:
        """To a client that has another connection, or wants one, the old one is dead."""
        if client.open is not None:
            self.ended(client.open, Ending.EOF, _ABNORMAL, now)

    def answered(self, who: Identity, answer: Answer, now: float) -> None:
        """It got an answer; only the first one counts."""
        arrived_at = self._knocking.pop(who, None)
        if arrived_at is None or self._is_closed:
            return
        self._visit(*who, arrived_at, now, answer)
        client = self._clients[who.client]
        if answer is Answer.CONNECTED:
            self._hang_up(client, now)
            client.open = who
        else:
            self._goes_away(client)

    def ended(self, who: Identity, ending: Ending, code: int, now: float) -> None:
        """Its connection, if it got one, is over.

        Args:
            who: As told on arrival.
            ending: How it ended.
            code: Of the close frame; 1006 without one.
            now: The clock.
        """
        self.answered(who, Answer.RESET, now)
        client = self._clients[who.client]
        if client.open != who or self._is_closed:
            return
        self._departure(who.client, who.episode, now, ending, code)
        client.open = None
        client.episode += 1
        client.attempt = 0
        if ending is Ending.CLOSED:
            self._is_gone.add(client.number)
        self._goes_away(client)

    @staticmethod
    def _goes_away(client: _Client) -> None:
        if not client.bearers.is_one:
            client.bearers.away.append(client)

    def close(self, now: float) -> None:
        """Note who still waits for an answer; what happens from now on is no client's doing."""
        for who in list(self._knocking):
            self.answered(who, Answer.PENDING, now)
        self._is_closed = True
