"""How a node that stops parts with everybody: in the kernel's queue, at the desk, connected.

What must happen to a peer reaches its task as the cancellation of the scope in which it waits, or
as the reset of its stream (RULES 14).
"""

import trio

from server_stub.advice import Adviser
from server_stub.clerk import Clerk
from server_stub.doorkeeper import Reason
from server_stub.draws import Purpose, uniform
from server_stub.messages import encode_hint
from server_stub.outage import OutageWindow
from server_stub.presence import Presence
from server_stub.recorder import ServerRecorder
from server_stub.session import Session
from server_stub.streams import Port


class Departure:
    """Empties a node, at once or little by little."""

    def __init__(
        self,
        *,
        seed: int,
        port: Port,
        presence: Presence,
        clerk: Clerk,
        recorder: ServerRecorder,
        adviser: Adviser,
    ) -> None:
        self._seed = seed
        self._port = port
        self._presence = presence
        self._clerk = clerk
        self._recorder = recorder
        self._adviser = adviser

    def lock_up(self, window: OutageWindow, *, now: float, back_at: float) -> None:
        """Let nobody in, and send away all those who are not connected yet.

        Args:
            window: The outage.
            now: The clock.
            back_at: When clients are served again, on that clock.
        """
        if window.refuse:
            self._port.refuse()
        else:
            self._port.hold()
        self._presence.reset_strangers()
        for visit in self._clerk.send_away():
            if window.kind.says_goodbye:
                self._recorder.turned_away(now, Reason.OUTAGE)
                visit.turned_away = True
                visit.retry_after = self._adviser.when_going_down(
                    visit.session.identity, now=now, back_at=back_at
                )
                visit.waiting.cancel()
            else:
                visit.session.stream.reset()

    def disconnect_everybody(self, window: OutageWindow, *, now: float, back_at: float) -> None:
        """Close every connection, or reset it; a freeze has broken them long before."""
        for session in self._presence.sessions:
            if window.kind.is_restart:
                self._recorder.loss(session.identity, window.index, now)
            if window.kind.says_goodbye:
                self._say_goodbye(session, window, now, back_at)
            else:
                session.stream.reset()
        self._presence.sessions.clear()

    async def drain(self, window: OutageWindow, starts_at: float, back_at: float) -> None:
        """Close one connection after the other, n of them at steps of `drain_over` / n.

        Whose turn comes when is drawn: by a client's number it would be unfair, and by the age of
        its connection everybody would come back in the order of the last storm. A connection that
        ends by itself leaves its turn empty.

        Args:
            window: The outage.
            starts_at: When it began, which is the first one's turn.
            back_at: When clients are served again.
        """
        with trio.move_on_at(starts_at + window.killed_at - window.starts_at):
            await self._drain(window, starts_at, back_at)
            return
        self.kill(window, trio.current_time())

    def kill(self, window: OutageWindow, now: float) -> None:
        """Reset whoever is left."""
        for session in self._presence.sessions:
            self._recorder.loss(session.identity, window.index, now)
            session.stream.reset()
        self._presence.sessions.clear()
        self._clerk.changed(now)

    async def _drain(self, window: OutageWindow, starts_at: float, back_at: float) -> None:
        leaving = sorted(
            self._presence.sessions, key=lambda session: self._rank(session, window.index)
        )
        for place, session in enumerate(leaving):
            await trio.sleep_until(starts_at + window.drain_over * place / len(leaving))
            if session in self._presence.sessions:
                now = trio.current_time()
                self._recorder.loss(session.identity, window.index, now)
                self._say_goodbye(session, window, now, back_at)
                del self._presence.sessions[session]
                self._clerk.changed(now)

    def _rank(self, session: Session, outage: int) -> float:
        who = session.identity
        return uniform(self._seed, Purpose.DRAIN, who.client, who.episode, index=outage)

    def _say_goodbye(
        self, session: Session, window: OutageWindow, now: float, back_at: float
    ) -> None:
        seconds = self._adviser.when_going_down(session.identity, now=now, back_at=back_at)
        session.close(window.close_code, "" if seconds is None else encode_hint(seconds))
