"""Whether a node is there: it goes down and comes back as its agenda says (RULES 13 to 16)."""

import math

import trio

from server_stub.agenda import Agenda
from server_stub.attention import Attention
from server_stub.background import NodeLoad
from server_stub.backstage import Backstage
from server_stub.clerk import Clerk
from server_stub.commons import Commons
from server_stub.departure import Departure
from server_stub.gate import Gate
from server_stub.messages import Event
from server_stub.outage import OutageKind, OutageWindow
from server_stub.presence import Presence
from server_stub.reception import Reception
from server_stub.recorder import ServerRecorder
from server_stub.streams import Port


class Uptime:
    """Takes a node through its outages, and tells its clients of events while it is up."""

    def __init__(
        self,
        *,
        is_there: bool,
        port: Port,
        presence: Presence,
        clerk: Clerk,
        reception: Reception,
        departure: Departure,
        backstage: Backstage,
        commons: Commons,
        load: NodeLoad,
        attention: Attention,
        thawed: Gate,
        recorder: ServerRecorder,
    ) -> None:
        self._is_there = is_there
        self._port = port
        self._presence = presence
        self._clerk = clerk
        self._reception = reception
        self._departure = departure
        self._backstage = backstage
        self._commons = commons
        self._load = load
        self._attention = attention
        self._thawed = thawed
        self._recorder = recorder
        self._untold: list[Event] = []
        """What has happened while it was frozen."""
        commons.listen(self._hear_of)

    def begin(self, now: float) -> None:
        """Listen, or wait until it is the node's turn to be there."""
        if self._is_there:
            self._port.listen()
            self._commons.joined()
        else:
            self._reception.shut_doors()
            self._load.set_up(now, is_up=False)

    async def go_through(self, agenda: Agenda) -> None:
        """Live through what stands on the agenda, to its end."""
        while True:
            self._expect_outage(agenda.next_starts_at)
            window = await agenda.next()
            if window is None:
                return
            started_at = trio.current_time()
            ended_at = math.inf
            starts_at, back_at = (agenda.origin + at for at in (window.starts_at, window.ends_at))
            if window.others_serve:
                back_at = started_at
            self._go_down(window, started_at, back_at)
            try:
                async with trio.open_nursery() as nursery:
                    if window.kind is OutageKind.DRAIN:
                        nursery.start_soon(self._departure.drain, window, starts_at, back_at)
                    await agenda.over()
                    nursery.cancel_scope.cancel()
                ended_at = trio.current_time()
                if window.up_again_at == window.ends_at:
                    self._come_back(window, ended_at)
                else:
                    self._departure.kill(window, ended_at)
            finally:
                self._recorder.outage(window, started_at, ended_at)
            if window.ends_at < window.up_again_at == math.inf:
                return
            if window.up_again_at > window.ends_at:
                await trio.sleep_until(agenda.origin + window.up_again_at)
                self._come_back(window, trio.current_time())

    def _go_down(self, window: OutageWindow, now: float, back_at: float) -> None:
        self._backstage.catch_up(now)
        self._reception.shut_doors()
        if window.kind is OutageKind.FREEZE:
            for session in self._presence.sessions:
                self._recorder.loss(session.identity, window.index, now)
            self._thawed.set(is_open=False)
            self._attention.freeze()
            self._backstage.pause(now)
        else:
            self._departure.lock_up(window, now=now, back_at=back_at)
            if window.kind is not OutageKind.DRAIN:
                self._departure.disconnect_everybody(window, now=now, back_at=back_at)
            self._leave(now)
        self._expect_outage(math.inf)
        self._clerk.changed(now)

    def _expect_outage(self, at: float) -> None:
        """The next outage is known: what is due only after it began never is."""
        self._backstage.goes_down_at(at)
        self._attention.goes_down_at(at)

    def _come_back(self, window: OutageWindow, now: float) -> None:
        if window.kind is OutageKind.FREEZE:
            self._backstage.resume(now)
            self._thawed.set(is_open=True)
            if window.lost_at_thaw:
                self._departure.lock_up(window, now=now, back_at=now)
                self._departure.disconnect_everybody(window, now=now, back_at=now)
                self._leave(now)
                self._join(now)
            self._attention.thaw(now)
            self._catch_up()
        else:
            # A drain that was called off leaves some behind, whom the restart disconnects.
            self._departure.disconnect_everybody(window, now=now, back_at=now)
            self._join(now)
            if window.refuse:
                self._port.listen()
        self._reception.open_doors()
        self._clerk.changed(now)

    def _join(self, now: float) -> None:
        self._is_there = True
        self._commons.joined()
        self._backstage.restarted()
        self._load.set_up(now, is_up=True)

    def _leave(self, now: float) -> None:
        self._load.set_up(now, is_up=False)
        self._attention.lose()
        if self._is_there:
            self._is_there = False
            self._commons.left()

    def _catch_up(self) -> None:
        """Tell what has happened during a freeze."""
        events, self._untold = self._untold, []
        for event in events:
            self._hear_of(event)

    def _hear_of(self, event: Event) -> None:
        """Tell those who want to know; a frozen node gets round to it at the thaw."""
        if not self._thawed.is_open:
            self._untold.append(event)
            return
        for session in self._presence.sessions:
            if session.is_subscribed:
                session.tell(event)
