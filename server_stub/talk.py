"""What a connected peer says, and what it is answered."""

import math
from functools import partial

import trio
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.frame_protocol import CloseReason

from server_stub.backend import Backend
from server_stub.errands import Errands
from server_stub.gate import Gate
from server_stub.guests import Ending
from server_stub.incoming import ViolationError
from server_stub.messages import Operation, Sync, decode
from server_stub.session import Session
from server_stub.streams import Stream
from server_stub.topics import Topics
from server_stub.wire import APPLICATION_PING, APPLICATION_PONG, RouteKind

FRAMES_PER_TURN = 16
"""Frames of one peer that are dealt with before the others get a turn: a flood of pings or of tiny
messages, thousands of which arrive in one piece, delays them no more than that."""


class Talk:
    """Conversations with everybody who is connected to a node."""

    def __init__(self, backend: Backend, errands: Errands, thawed: Gate) -> None:
        """Set up a node's way of talking.

        Args:
            backend: What stands behind the node.
            errands: Sees to what keeps workers busy.
            thawed: Shut while the node is frozen.
        """
        self._backend = backend
        self._errands = errands
        self._thawed = thawed
        self._topics: Topics[Session] = Topics()

    async def hear(self, stream: Stream) -> bytes:
        """What a peer says next; a frozen server hears nothing, not even that it has left."""
        try:
            return await stream.receive_some()
        finally:
            await self._thawed.passed()

    async def converse(self, session: Session) -> None:
        """Answer whatever the peer says, until one side closes.

        A peer that breaks the protocol or a limit is told so, and that is the end of it.
        """
        self._errands.opened(session, trio.current_time())
        try:
            await self._converse(session)
        except ViolationError as violation:
            session.cut_off(violation)
        finally:
            self._errands.end(session, trio.current_time())
        await session.finish()

    async def _converse(self, session: Session) -> None:
        if session.route.kind is not RouteKind.SUBSCRIBE:
            await self._listen(session)
            return
        self._topics.join(session.route.topic, session)
        try:
            await self._listen(session)
        finally:
            self._topics.leave(session.route.topic, session)

    async def _listen(self, session: Session) -> None:
        while data := await self._hear_in_time(session):
            for number, event in enumerate(session.hear(data), start=1):
                if number % FRAMES_PER_TURN == 0:
                    await trio.lowlevel.checkpoint()
                match event:
                    case CloseConnection(code=code):
                        session.ends(Ending.CLOSED, code)
                        session.say(event.response())
                        return
                    case Ping():
                        pong = partial(session.say, event.response())
                        self._errands.heartbeat(session, pong, trio.current_time())
                    case TextMessage() | BytesMessage():
                        self._answer(session, event)
                await session.caught_up()  # Who does not listen is not listened to.
                await self._errands.room(session)
                await self._thawed.passed()
        session.ends(Ending.EOF)

    async def _hear_in_time(self, session: Session) -> bytes:
        """What the peer says next; a message that it has begun must not take for ever."""
        if math.isinf(session.patient_until):
            return await self.hear(session.stream)
        data = None
        with trio.move_on_at(session.patient_until):
            data = await session.stream.receive_some()
        await self._thawed.passed()
        if data is None:
            raise ViolationError(CloseReason.POLICY_VIOLATION, "a message takes too long")
        return data

    def _answer(self, session: Session, message: TextMessage | BytesMessage) -> None:
        """Do with a message what the connection is for."""
        match session.route.kind:
            case RouteKind.PUBLISH:
                for listener in self._topics.listeners(session.route.topic):
                    listener.say(message)
            case RouteKind.SUBSCRIBE:
                pass  # Whoever listens is not listened to.
            case RouteKind.HERD if isinstance(message, TextMessage):
                self._answer_text(session, message.data)
            case _:
                session.say(message)

    def _answer_text(self, session: Session, text: str) -> None:
        now = trio.current_time()
        match decode(text):
            case Sync() as sync:
                session.is_subscribed = True
                self._errands.sync(session, sync, now)
            case Operation() as operation:
                apply = partial(self._apply, session, operation)
                self._errands.operation(session, apply, now)
            case _ if text == APPLICATION_PING:
                pong = partial(session.say, TextMessage(data=APPLICATION_PONG))
                self._errands.heartbeat(session, pong, now)
            case _:
                session.say(TextMessage(data=text))

    def _apply(self, session: Session, operation: Operation) -> None:
        session.tell(self._backend.apply(session.identity.client, operation))
