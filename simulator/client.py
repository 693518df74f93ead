"""One reconnecting client: its lifecycle, an injected transport, and what it says while connected.

A client is one task (two with a network monitor). It knows neither sockets nor the kind of clock it
lives on, so that the live and the virtual engine run the very same code.
"""

import logging
import math
from collections.abc import Awaitable, Callable, Iterable

import trio

from server_stub.draws import Purpose, uniform
from server_stub.wire import Identity
from simulator.conversation import Conversation, operation_phase
from simulator.core.brake import Brake
from simulator.core.close_codes import Kind, disposition, is_restart
from simulator.core.connectivity import Change, Monitor, sooner
from simulator.core.cursor import Update
from simulator.core.events import ClientEvent, Listener, StatusChanged, TextReceived, Updated
from simulator.core.heartbeat import Heartbeat
from simulator.core.lifecycle import Failed, Lifecycle, Reconnecting, State
from simulator.core.outbox import Outbox
from simulator.core.outcomes import Outcome
from simulator.core.outgoing import Offered
from simulator.core.status import Status, status_of
from simulator.core.visibility import throttled
from simulator.scenario import ClientConfig
from simulator.transport.seam import (
    AttemptFailedError,
    Connection,
    ConnectionLostError,
    Transport,
)

_LOG = logging.getLogger(__name__)
_GOODBYE_TIMEOUT = 1.0
"""Seconds that a client which is told to close gives its close frame to leave."""
NORMAL_CLOSURE = 1000


Probe = Callable[[], Awaitable[bool]]
"""Asks the network for a sign of life; whether one came."""


class Client:
    """Connects, notices losses, backs off and comes back, until it is closed or gives up."""

    __slots__ = (
        "_brake",
        "_config",
        "_ended",
        "_hidden_since",
        "_is_waiting",
        "_life",
        "_lifecycle",
        "_listener_errors",
        "_listeners",
        "_may_dial",
        "_monitor",
        "_probe",
        "_restarting",
        "_seed",
        "_status",
        "_transport",
        "_waiting",
        "_wake_ups",
        "conversation",
        "number",
    )

    def __init__(
        self,
        number: int,
        config: ClientConfig,
        transport: Transport,
        *,
        seed: int,
        first_due_at: float,
        listeners: Iterable[Listener] = (),
        may_dial: Callable[[float], bool] = lambda due_at: True,  # noqa: ARG005
        outbox: Outbox | None = None,
        probe: Probe | None = None,
    ) -> None:
        """Prepare a client; `run` brings it to life.

        Args:
            number: Its number in the fleet.
            config: What it does around a lost connection.
            transport: How it reaches the server.
            seed: Keys its random draws, together with its number.
            first_due_at: When its first attempt is due, on Trio's clock.
            listeners: Told of every event of its life, in order. One that raises does not harm the
                client: the error is logged, and raised when `run` ends.
            may_dial: Whether an attempt due at that instant is still made.
            outbox: Where its operations wait; None for a client without.
            probe: How its network monitor probes; None leaves it to the signals.
        """
        self.number = number
        self._config = config
        self._transport = transport
        self._seed = seed
        self._listeners = tuple(listeners)
        self._listener_errors: list[Exception] = []
        self._may_dial = may_dial
        self._probe = probe
        self._lifecycle = Lifecycle(number, config.policy, self._backoff_draw, due_at=first_due_at)
        self.conversation = Conversation(
            config,
            outbox=outbox,
            first_operation_at=first_due_at + operation_phase(seed, number, config.operation_rate),
            on_text=self._on_text,
            on_update=self._on_update,
        )
        self._brake = None if config.brake is None else Brake()
        self._monitor = None
        if config.network_monitor is not None:
            phase = uniform(seed, Purpose.PROBE, number)
            self._monitor = Monitor(config.network_monitor, now=first_due_at, u=phase)
        self._hidden_since: float | None = None
        self._restarting = False
        self._wake_ups = 0
        self._is_waiting = False
        self._status: Status | None = None
        self._life = trio.CancelScope()
        self._waiting = trio.CancelScope()
        self._ended: trio.Event | None = None

    @property
    def is_connected(self) -> bool:
        """Does it believe to have a connection?"""
        return self._lifecycle.state is State.CONNECTED

    @property
    def episode(self) -> int:
        """How many connections it has lost so far."""
        return self._lifecycle.episode

    @property
    def status(self) -> Status:
        """How things stand, to a user."""
        return status_of(
            self._lifecycle.state,
            episode=self._lifecycle.episode,
            attempt=self._lifecycle.attempt,
            online=self._is_online,
            restarting=self._restarting,
        )

    # What others may ask of a client, at any moment

    def send(self, text: str) -> Offered:
        """Send a text now, or as soon as there is a connection."""
        return self.conversation.send(text)

    def signal_network(self, *, online: bool) -> None:
        """The operating system says that there is a network, or that there is none.

        A client without a network monitor does not listen.
        """
        if self._monitor is not None:
            self._network_changed(self._monitor.signal(online, trio.current_time()))

    def set_visible(self, *, visible: bool, since: float | None = None) -> None:
        """Its page comes into view, or is hidden (since an instant in the past, if given)."""
        now = trio.current_time()
        if not visible:
            self._hidden_since = now if since is None else since
        elif self._hidden_since is not None:
            self._hidden_since = None
            self._dial_sooner()

    async def aclose(self) -> None:
        """End the client, at any moment, once; returns when it has ended."""
        if self._ended is None:
            self._life.cancel()
            await trio.lowlevel.checkpoint()
            return
        self._life.cancel()
        await self._ended.wait()

    # Its life

    async def run(self) -> None:
        """Live until closed, cancelled or given up.

        Raises:
            ExceptionGroup: What its listeners have raised.
        """
        self._ended = trio.Event()
        try:
            with self._life:
                if self._monitor is None or self._probe is None:
                    await self._live()
                else:
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(self._watch_network, self._monitor, self._probe)
                        await self._live()
                        nursery.cancel_scope.cancel()
            if self._life.cancelled_caught:
                self._lifecycle.close()
                self._announce_status()
        finally:
            self._ended.set()
        if self._listener_errors:
            raise ExceptionGroup(f"listeners of client {self.number}", self._listener_errors)

    async def _live(self) -> None:
        while True:
            started_at = await self._wait_for_attempt()
            next_step = await self._attempt(started_at)
            if isinstance(next_step, Failed):
                return

    async def _wait_for_attempt(self) -> float:
        """Sleep until the attempt is due and its round trip is over; returns when it started.

        The round trip is slept before the dial (RULES 4), in one piece with the wait, and the
        start is counted back from the dial: whatever this machine was late, the record shows.
        """
        rtt = self._config.rtt
        self._is_waiting = True
        while True:
            with trio.CancelScope(deadline=self._due_at() + rtt) as self._waiting:
                await trio.sleep_forever()
            now = trio.current_time()
            if now >= self._due_at() + rtt:
                break
        self._is_waiting = False
        self._lifecycle.due_at = self._due_at()
        if self._lifecycle.state is not State.CONNECTING:
            self._lifecycle.dial()
        self._announce_status()
        return now - rtt

    def _due_at(self) -> float:
        """When the attempt that is waited for really leaves: never, while there is no use in it."""
        due_at = self._lifecycle.due_at
        if self._hidden_since is not None:
            phase = uniform(self._seed, Purpose.HIDDEN, self.number, index=1)
            due_at = throttled(due_at, self._hidden_since, phase=phase, chained=False)
        if self._brake is not None:
            due_at = self._brake.dial_at(due_at)
        return due_at if self._is_online and self._may_dial(due_at) else math.inf

    async def _attempt(self, started_at: float) -> Reconnecting | Failed:
        """Dial, stay connected for as long as it lasts, and say how it goes on."""
        timeout = self._config.connect_timeout
        opened = False
        with trio.CancelScope(
            deadline=math.inf if timeout is None else started_at + timeout
        ) as patience:
            try:
                async with self._transport.connect(self._identity().path) as connection:
                    if patience.cancel_called:  # The answer came with the end of patience.
                        await trio.lowlevel.checkpoint()
                    patience.deadline = math.inf
                    opened = True
                    self._open(started_at)
                    await self._stay_connected(connection)
            except AttemptFailedError as failure:
                return self._fail(started_at, failure.outcome, failure.retry_after)
            except ConnectionLostError as loss:
                return self._lose(loss, started_at)
            except trio.Cancelled:
                # Recorded here rather than below, where a run that ends in the same breath as
                # the client's patience would never get to.
                if patience.cancel_called:
                    next_step = self._fail(started_at, Outcome.TIMED_OUT)
                elif not opened:
                    ended = self._lifecycle.cancelled(started_at, trio.current_time())
                    self._tell((ended,))
                raise
        return next_step

    async def _stay_connected(self, connection: Connection) -> None:
        """Talk until the connection is lost, or until the client is told to close.

        Raises:
            ConnectionLostError: The connection is lost.
        """
        try:
            await self.conversation.hold(
                connection,
                heartbeat=self._heartbeat(),
                is_reconnect=self._lifecycle.episode > 0,
            )
        except trio.Cancelled:
            if self._life.cancel_called:
                await self._say_goodbye(connection)
            raise

    async def _say_goodbye(self, connection: Connection) -> None:
        """Send a close frame, if the peer takes it in time."""
        with trio.move_on_after(_GOODBYE_TIMEOUT, shield=True):
            try:
                await connection.close(NORMAL_CLOSURE)
            except ConnectionLostError:
                return

    def _heartbeat(self) -> Heartbeat | None:
        config = self._config.heartbeat
        if config is None:
            return None
        phase = uniform(self._seed, Purpose.HEARTBEAT, self.number, self._lifecycle.episode)
        return Heartbeat(config.interval, config.timeout, now=trio.current_time(), phase=phase)

    # Its network

    @property
    def _is_online(self) -> bool:
        return self._monitor is None or self._monitor.online

    async def _watch_network(self, monitor: Monitor, probe: Probe) -> None:
        """Probe the network again and again, and act on what that shows."""
        config = self._config.network_monitor
        patience = math.inf if config is None else config.timeout
        while True:
            await trio.sleep_until(monitor.probe_due_at)
            started_at = trio.current_time()
            monitor.begin_probe(started_at)
            answered = False
            with trio.move_on_after(patience):
                answered = await probe()
            self._network_changed(monitor.probed(answered, started_at))

    def _network_changed(self, change: Change) -> None:
        if change is Change.WENT_OFFLINE:
            self.conversation.go_offline()
            self._waiting.cancel()
        elif change is Change.CAME_ONLINE:
            self._dial_sooner()
        self._announce_status()

    def _dial_sooner(self) -> None:
        """An outside event says that now is a good time; so it says to many others."""
        if not self._is_waiting:
            return
        self._wake_ups += 1
        now = trio.current_time()
        config = self._config.network_monitor
        due_at = sooner(
            self._lifecycle.due_at,
            now,
            uniform(self._seed, Purpose.WAKE_UP, self.number, index=self._wake_ups),
            0.0 if config is None else config.window,
            not_before=self._lifecycle.not_before,
        )
        self._tell((self._lifecycle.reschedule(due_at, now),))
        self._waiting.cancel()

    # What happens to it

    def _open(self, started_at: float) -> None:
        self._restarting = False
        if self._brake is not None:
            self._brake.opened()
        self._tell(self._lifecycle.opened(started_at, trio.current_time()))
        self._announce_status()

    def _fail(
        self, started_at: float, outcome: Outcome, retry_after: float = 0.0
    ) -> Reconnecting | Failed:
        now = trio.current_time()
        self._step_on_brake(started_at, now, given_up=outcome is Outcome.TIMED_OUT)
        ended, next_step = self._lifecycle.attempt_failed(started_at, now, outcome, retry_after)
        self._tell((ended, next_step))
        self._announce_status()
        return next_step

    def _lose(self, loss: ConnectionLostError, started_at: float) -> Reconnecting | Failed:
        now = trio.current_time()
        verdict = disposition(loss.close_code, loss.reason, self._config.close_codes)
        self._restarting = is_restart(loss.close_code)
        disconnected, next_step = self._lifecycle.lost(
            now,
            loss.noticed_by,
            loss.close_code,
            loss.reason,
            at_least=verdict.at_least,
            for_good=verdict.kind is Kind.END,
        )
        if not disconnected.was_clean:
            self._step_on_brake(started_at, now)
        self._tell((disconnected, next_step))
        self._announce_status()
        return next_step

    def _step_on_brake(self, started_at: float, now: float, *, given_up: bool = False) -> None:
        if self._brake is not None:
            draw = uniform(
                self._seed,
                Purpose.BRAKE,
                self.number,
                self._lifecycle.episode,
                self._lifecycle.attempt,
            )
            self._brake.failed(started_at, now, draw, given_up=given_up)

    def _on_text(self, text: str) -> None:
        self._tell((TextReceived(self.number, trio.current_time(), text),))

    def _on_update(self, update: Update) -> None:
        self._tell((Updated(self.number, trio.current_time(), update),))

    def _announce_status(self) -> None:
        status = self.status
        if status != self._status:
            self._status = status
            self._tell((StatusChanged(self.number, trio.current_time(), status),))

    def _tell(self, events: Iterable[ClientEvent]) -> None:
        for event in events:
            for listener in self._listeners:
                try:
                    listener(event)
                except Exception as error:
                    # Any: what a listener raises is its own affair, the client goes on.
                    _LOG.exception("a listener of client %d failed", self.number)
                    self._listener_errors.append(error)

    def _identity(self) -> Identity:
        return Identity(self.number, self._lifecycle.episode, self._lifecycle.attempt)

    def _backoff_draw(self, episode: int, attempt: int) -> float:
        return uniform(self._seed, Purpose.BACKOFF, self.number, episode, attempt)
