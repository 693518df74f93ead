"""What connected peers want done that keeps workers busy, and what becomes of it.

The stages behind the 101, the answers to requests to sync, and the work that heartbeats and
operations are. What takes no time is done at once.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import trio

from server_stub.attention import Attention
from server_stub.backend import Backend
from server_stub.backstage import Backstage
from server_stub.config import ServerConfig
from server_stub.draws import Purpose, uniform
from server_stub.messages import Sync
from server_stub.passage import Failure, Passage, Stop
from server_stub.presence import Presence
from server_stub.recorder import NO_USE, ServerRecorder
from server_stub.service import service_time
from server_stub.session import Session
from server_stub.wire import RAMP_EPISODE, TRY_AGAIN_LATER
from server_stub.work import Work


@dataclass(slots=True, eq=False)
class _Books:
    """What one session has under way."""

    passages: dict[Passage, bool] = field(default_factory=dict)
    """With each, whether the session depends on it."""
    waiting: list[Sync] | None = None
    """Requests to sync that came before the stages behind the 101 were passed."""
    fewer: trio.Event | None = None
    """Set when there are fewer of either, or the session is over; None while nobody waits."""

    @property
    def n_pending(self) -> int:
        return len(self.passages) + len(self.waiting or ())

    def settle(self) -> None:
        """There are fewer."""
        if self.fewer is not None:
            self.fewer.set()
            self.fewer = None


class Errands:
    """Of all sessions of one node."""

    def __init__(
        self,
        config: ServerConfig,
        *,
        seed: int,
        backstage: Backstage,
        attention: Attention,
        backend: Backend,
        presence: Presence,
        recorder: ServerRecorder,
    ) -> None:
        self._work = config.work
        self._max_pending = config.limits.max_pending
        self._n_items = config.history.snapshot_items
        self._seed = seed
        self._after = [desk for desk in backstage.stages if desk.stage.when == "after"]
        self._for_syncs = [desk for desk in backstage.stages if desk.stage.is_for_syncs]
        self._counters = backstage.counters
        self._attention = attention
        self._backend = backend
        self._presence = presence
        self._recorder = recorder
        self._books: dict[Session, _Books] = {}

    def opened(self, session: Session, now: float) -> None:
        """The 101 has been sent: the stages behind it are next."""
        if self._is_exempt(session) or not self._after:
            return
        self._of(session).waiting = []
        stops = [desk.stop(session.identity) for desk in self._after]
        self._set_out(session, stops, lambda at: self._is_ready(session, at), now, vital=True)

    def sync(self, session: Session, sync: Sync, now: float) -> None:
        """Tell a peer what it missed, once the stages for that are passed."""
        books = self._books.get(session)
        if books is not None and books.waiting is not None:
            books.waiting.append(sync)
        elif self._is_exempt(session) or not self._for_syncs:
            self._tell(session, sync, now)
        else:
            n_events = self._backend.n_missed(sync, now)
            session.n_requests += 1
            stops = [
                desk.stop(
                    session.identity,
                    nth=session.n_requests,
                    extra=(
                        self._n_items * desk.stage.per_item
                        if n_events is None
                        else n_events * desk.stage.per_event
                    ),
                )
                for desk in self._for_syncs
                if desk.stage.is_for(full=n_events is None)
            ]
            self._set_out(session, stops, lambda at: self._tell(session, sync, at), now, vital=True)

    async def room(self, session: Session) -> None:
        """Wait until a peer may ask for more; no checkpoint when it may."""
        while (books := self._books.get(session)) and books.n_pending >= self._max_pending:
            books.fewer = trio.Event()
            await books.fewer.wait()

    def heartbeat(self, session: Session, answer: Callable[[], None], now: float) -> None:
        """Answer a ping, when a worker has got round to it."""
        self._do(self._work.heartbeats, session, answer, now)

    def operation(self, session: Session, apply: Callable[[], None], now: float) -> None:
        """Apply an operation and answer it, when a worker has got round to it."""
        self._do(self._work.operations, session, apply, now)

    def end(self, session: Session, now: float) -> None:
        """The session is over: nobody waits any more for what it has under way."""
        books = self._books.pop(session, None)
        if books is not None:
            books.settle()
            for passage, is_vital in books.passages.items():
                self._recorder.n_unsettled -= is_vital
                passage.end(now)

    def _is_exempt(self, session: Session) -> bool:
        return session.identity.episode == RAMP_EPISODE  # RULES 17

    def _do(
        self, work: Work | None, session: Session, action: Callable[[], None], now: float
    ) -> None:
        if work is None:
            action()
            return
        session.n_requests += 1
        key = session.n_requests % 2**32
        u = uniform(self._seed, Purpose.WORK, *session.identity, index=key)
        seconds = service_time(work.service_time, u)
        stop = Stop(self._counters[work.stage], lambda: (seconds,), lambda: None)
        self._set_out(session, [stop], lambda _: action(), now, vital=False)

    def _set_out(
        self,
        session: Session,
        stops: Iterable[Stop],
        through: Callable[[float], None],
        now: float,
        *,
        vital: bool,
    ) -> None:
        """Send something on its way; if it is vital, the session ends with its failure."""

        def done(at: float) -> None:
            if self._is_known(session, passage):
                through(at)

        def failed(_: Failure, at: float) -> None:
            if self._is_known(session, passage) and vital:
                self._give_up(session, at)

        passage = Passage(stops, attention=self._attention, through=done, failed=failed)
        self._of(session).passages[passage] = vital
        self._recorder.n_unsettled += vital
        passage.start(now)

    def _is_ready(self, session: Session, now: float) -> None:
        """The stages behind the 101 are passed; now those for what was asked meanwhile are next."""
        books = self._of(session)
        asked, books.waiting = books.waiting or [], None
        books.settle()
        for sync in asked:
            self.sync(session, sync, now)

    def _tell(self, session: Session, sync: Sync, now: float) -> None:
        session.tell(self._backend.catch_up(sync, now))

    def _give_up(self, session: Session, now: float) -> None:
        """Send a peer away whose connection is no use to it; its client will come back."""
        self._recorder.loss(session.identity, NO_USE, now)
        self.end(session, now)
        self._presence.sessions.pop(session, None)
        session.close(TRY_AGAIN_LATER)

    def _of(self, session: Session) -> _Books:
        return self._books.setdefault(session, _Books())

    def _is_known(self, session: Session, passage: Passage) -> bool:
        """Whether the session still had this under way, which is over now."""
        books = self._books.get(session)
        if books is None or passage not in books.passages:
            return False
        self._recorder.n_unsettled -= books.passages.pop(passage)
        books.settle()
        if not books.passages and books.waiting is None:
            del self._books[session]
        return True
