"""From the request to the open connection: queue a peer, tell it what came of it, stay with it."""

from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus

import trio

from server_stub.advice import Adviser, retry_after_header
from server_stub.attention import Attention
from server_stub.clerk import Clerk
from server_stub.config import ServerConfig
from server_stub.doorkeeper import Reason
from server_stub.draws import Purpose, uniform
from server_stub.gate import Gate
from server_stub.guests import Answer, Guests
from server_stub.handshake import Handshake
from server_stub.lifetime import most_seconds
from server_stub.presence import Presence
from server_stub.recorder import NO_OUTAGE, ServerRecorder
from server_stub.service import service_time
from server_stub.session import Session, Spawn
from server_stub.stage_desk import StageDesk
from server_stub.streams import Stream
from server_stub.talk import Talk
from server_stub.visit import Reply, Visit
from server_stub.wire import (
    EVENTS,
    OVERLOADED,
    RAMP_EPISODE,
    TOO_MANY,
    TOOK_TOO_LONG,
    Identity,
    address_of,
    identity_of,
    route_of,
)


class Welcome:
    """Lets those in who have asked, or turns them away."""

    def __init__(
        self,
        config: ServerConfig,
        *,
        seed: int,
        presence: Presence,
        clerk: Clerk,
        talk: Talk,
        stages: Sequence[StageDesk],
        attention: Attention,
        thawed: Gate,
        recorder: ServerRecorder,
        guests: Guests,
        adviser: Adviser,
    ) -> None:
        self._config = config
        self._seed = seed
        self._presence = presence
        self._clerk = clerk
        self._talk = talk
        self._stages = stages
        self._before = [desk for desk in stages if desk.stage.when == "before"]
        self._attention = attention
        self._thawed = thawed
        self._recorder = recorder
        self._guests = guests
        self._adviser = adviser

    async def answer(self, stream: Stream, handshake: Handshake, spawn: Spawn) -> bool:
        """Queue a peer and stay with it to the end; whether our last words are on their way."""
        now = trio.current_time()
        ours = identity_of(handshake.target)
        who = self._guests.arrives(handshake, ours, now)
        session = Session(who, stream, spawn, self._config.limits)
        if ours is None:
            session.route = route_of(handshake.target)
        # Herd's clients hear of events from the start, also those that never ask what they missed;
        # to a foreign client, which asks by a Sync or its path, such texts would be gibberish.
        session.is_subscribed = ours is not None or session.route == EVENTS
        self._recorder.count(now, "arrivals")
        self._clerk.counter.catch_up(now)
        address = address_of(handshake.headers, handshake.address)
        try:
            if ours is not None and ours.episode == RAMP_EPISODE:
                self._recorder.count(now, "admitted")
                self._clerk.door.enter(session, address)
                self._presence.sessions[session] = None
                for stage in self._stages:
                    stage.remember(session.identity.client)
            elif not await self._serve(session, handshake, address, now):
                return False
            await self._hold(session, handshake)
        finally:
            self._clerk.door.leave(session)
            self._presence.sessions.pop(session, None)
            now = trio.current_time()
            if session.offence is not None:
                self._recorder.count(now, "malformed")
            self._guests.ended(session.identity, *session.ending, now)
            self._clerk.changed(now)
        return session.has_last_words

    async def _serve(
        self, session: Session, handshake: Handshake, address: str, now: float
    ) -> bool:
        """Let a peer through the desk and the stages; False when it does not get in."""
        visit = Visit(
            session,
            [
                self._clerk.stop(self._seconds(session.identity)),
                *(stage.stop(session.identity) for stage in self._before),
            ],
            address=address,
            attention=self._attention,
            presence=self._presence,
        )
        if (reason := self._clerk.objection(address, now)) is not None:
            await self._turn_away(visit, handshake, reason, now)
            return False
        self._clerk.door.enter(session, address)
        visit.start(now)
        with visit.waiting:
            # Before the 101 a client has nothing to say: whatever arrives is its farewell.
            with suppress(trio.ClosedResourceError):
                with suppress(OSError):
                    await self._talk.hear(session.stream)
                self._guests.answered(session.identity, Answer.LEFT, trio.current_time())
            visit.leave(trio.current_time())
            return False
        return await self._tell(visit, handshake)

    def _seconds(self, whose: Identity) -> float:
        """How long the node's own workers are busy with this handshake."""
        return service_time(self._config.service_time, uniform(self._seed, Purpose.SERVICE, *whose))

    async def _tell(self, visit: Visit, handshake: Handshake) -> bool:
        """Tell a peer what came of its visit; whether it may come in."""
        now = trio.current_time()
        match visit.reply:
            case Reply.COME_IN:
                return True
            case Reply.GOING_DOWN:
                seconds = visit.retry_after
                if seconds is None:
                    seconds = self._retry_after(visit)
                await self._reject(visit, handshake, OVERLOADED, seconds)
            case Reply.TOO_LATE:
                self._recorder.turned_away(now, Reason.STAGE)
                await self._reject(visit, handshake, TOOK_TOO_LONG, self._retry_after(visit))
            case _:
                self._recorder.turned_away(now, Reason.STAGE)
                await self._turn_away(visit, handshake, Reason.STAGE, now)
        return False

    async def _turn_away(
        self, visit: Visit, handshake: Handshake, reason: Reason, now: float
    ) -> None:
        seconds = self._retry_after(visit)
        if reason is Reason.MAX_PER_ADDRESS:
            own = self._clerk.door.address_waits(visit.address, now)
            await self._reject(visit, handshake, TOO_MANY, max(seconds or 0.0, own) or seconds)
        elif self._config.overflow == "reset":
            visit.session.stream.reset()
        else:
            await self._reject(visit, handshake, OVERLOADED, seconds)

    def _retry_after(self, visit: Visit) -> float | None:
        return self._adviser.when_turned_away(
            visit.session.identity, n_waiting=self._clerk.counter.backlog
        )

    async def _reject(
        self, visit: Visit, handshake: Handshake, status: HTTPStatus, seconds: float | None
    ) -> None:
        headers = [] if seconds is None else [retry_after_header(seconds)]
        self._guests.answered(visit.session.identity, Answer.REJECTED, trio.current_time())
        await handshake.reject(status, headers)

    async def _hold(self, session: Session, handshake: Handshake) -> None:
        """Open a connection, and stay with it until it ends."""
        self._clerk.changed(trio.current_time())
        session.open(await handshake.accept())
        self._guests.answered(session.identity, Answer.CONNECTED, trio.current_time())
        limit = self._config.max_connection_age
        if limit is not None:
            session.lives_until(
                trio.current_time() + most_seconds(limit, session.identity, seed=self._seed)
            )
        with session.listening:
            await self._talk.converse(session)
        if limit is not None and session.listening.cancelled_caught:
            await self._thawed.passed()
            if session in self._presence.sessions and not session.is_over:
                await self._part_from(session, limit.close_code)

    async def _part_from(self, session: Session, code: int) -> None:
        """A connection has reached its age."""
        now = trio.current_time()
        del self._presence.sessions[session]
        self._recorder.loss(session.identity, NO_OUTAGE, now)
        self._clerk.changed(now)
        session.listening = trio.CancelScope()
        session.close(code)
        with session.listening:
            await self._talk.converse(session)
