"""What a connected peer says, and what it is answered."""

import trio
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage

from server_stub.backend import Backend
from server_stub.gate import Gate
from server_stub.guests import Ending
from server_stub.messages import Operation, Sync, decode
from server_stub.session import Session
from server_stub.streams import Stream
from server_stub.topics import Topics
from server_stub.wire import APPLICATION_PING, APPLICATION_PONG, RouteKind


class Talk:
    """Conversations with everybody who is connected to a node."""

    def __init__(self, backend: Backend, thawed: Gate) -> None:
        """Set up a node's way of talking.

        Args:
            backend: What stands behind the node.
            thawed: Shut while the node is frozen.
        """
        self._backend = backend
        self._thawed = thawed
        self._topics: Topics[Session] = Topics()

    async def hear(self, stream: Stream) -> bytes:
        """What a peer says next; a frozen server hears nothing, not even that it has left."""
        try:
            return await stream.receive_some()
        finally:
            await self._thawed.passed()

    async def converse(self, session: Session) -> None:
        """Answer whatever the peer says, until one side closes."""
        if session.route.kind is not RouteKind.SUBSCRIBE:
            await self._listen(session)
            return
        self._topics.join(session.route.topic, session)
        try:
            await self._listen(session)
        finally:
            self._topics.leave(session.route.topic, session)

    async def _listen(self, session: Session) -> None:
        while data := await self.hear(session.stream):
            for event in session.hear(data):
                match event:
                    case CloseConnection(code=code):
                        session.ends(Ending.CLOSED, code)
                        session.say(event.response())
                        return
                    case Ping():
                        session.say(event.response())
                    case TextMessage() | BytesMessage():
                        self._answer(session, event)
        session.ends(Ending.EOF)

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
        match decode(text):
            case Sync() as sync:
                session.is_subscribed = True
                session.tell(self._backend.catch_up(sync, trio.current_time()))
            case Operation() as operation:
                session.tell(self._backend.apply(session.identity.client, operation))
            case _:
                answer = APPLICATION_PONG if text == APPLICATION_PING else text
                session.say(TextMessage(data=answer))
