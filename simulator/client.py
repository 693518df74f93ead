"""One reconnecting client: its lifecycle over an injected transport.

A client is one task (two with a network monitor that probes). It knows neither sockets nor the kind
of clock it lives on, so that the live and the virtual engine run the very same code.
"""

import math
from collections.abc import Awaitable, Callable, Iterable

import trio

from server_stub.draws import Purpose, uniform
from server_stub.wire import Identity, own_path
from simulator.announcing import Announcer
from simulator.conversation import Conversation, operation_phase
from simulator.core.close_codes import Kind, disposition, is_restart
from simulator.core.connectivity import Change
from simulator.core.events import Listener
from simulator.core.lifecycle import Failed, Lifecycle, Reconnecting, State
from simulator.core.outbox import Outbox
from simulator.core.outcomes import Outcome
from simulator.core.outgoing import Offer, Offered
from simulator.core.status import Status, status_of
from simulator.scenario import ClientConfig
from simulator.surroundings import Probe, Surroundings
from simulator.transport.seam import (
    NORMAL_CLOSURE,
    AttemptFailedError,
    Connection,
    ConnectionLostError,
    Transport,
)

_GOODBYE_TIMEOUT = 1.0
"""Seconds that a client which is told to close gives its close frame to leave."""


class Client:
    """Connects, notices losses, backs off and comes back, until it is closed or gives up."""

    __slots__ = (
        "_announcer",
        "_attempting",
        "_config",
        "_ended",
        "_hold",
        "_is_closing",
        "_is_running",
        "_lifecycle",
        "_may_dial",
        "_path_of",
        "_restarting",
        "_seed",
        "_transport",
        "_waiting",
        "conversation",
        "number",
        "surroundings",
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
        may_dial: Callable[[float], bool] = lambda due_at: True,
        hold: Callable[[], Awaitable[None]] | None = None,
        path_of: Callable[[Identity], str] = own_path,
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
            hold: Returns when an attempt that is ready may leave; None holds nothing back.
            path_of: The request target of an attempt.
            outbox: Where its operations wait; None for a client without.
            probe: How its network monitor probes; None leaves it to the signals.
        """
        self.number = number
        self._config = config
        self._transport = transport
        self._seed = seed
        self._announcer = Announcer(number, listeners)
        self._may_dial = may_dial
        self._hold = hold
        self._path_of = path_of
        self._lifecycle = Lifecycle(
            number,
            config.policy,
            self._backoff_draw,
            due_at=first_due_at,
            own=uniform(seed, Purpose.OWN, number),
        )
        self.conversation = Conversation(
            config,
            outbox=outbox,
            first_operation_at=first_due_at + operation_phase(seed, number, config.operation_rate),
            on_text=self._announcer.text,
            on_update=self._announcer.update,
            on_synced=self._answered,
        )
        self.surroundings = Surroundings(number, config, seed=seed, now=first_due_at, probe=probe)
        self._restarting = False
        self._is_closing = False
        self._is_running = False
        self._waiting: trio.CancelScope | None = None
        self._attempting: trio.CancelScope | None = None
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
            online=self.surroundings.is_online,
            restarting=self._restarting,
        )

    # What others may ask of a client, at any moment

    def send(self, text: str) -> Offered:
        """Send a text now, or as soon as there is a connection; a client that has ended refuses."""
        if self._has_ended:
            return Offered(Offer.REFUSED, text)
        return self.conversation.send(text)

    def signal_network(self, *, online: bool) -> None:
        """The operating system says that there is a network, or that there is none.

        A client without a network monitor does not listen.
        """
        if self.surroundings.monitor is not None:
            now = trio.current_time()
            self._network_changed(self.surroundings.monitor.signal(online, now))

    def set_visible(self, *, visible: bool, since: float | None = None) -> None:
        """Its page comes into view, or is hidden (since an instant in the past, if given)."""
        if visible is (self.surroundings.page is None):
            return
        now = trio.current_time()
        hidden_due_at = self._made_at()
        if not visible:
            self.surroundings.hide(now if since is None else since)
        else:
            self.surroundings.show()
            if hidden_due_at <= now and self._waiting is not None:
                self._lifecycle.due_at = hidden_due_at  # The attempt is leaving just now.
            elif self._waits_to_dial:
                due_at = self.surroundings.shown_at(
                    self._lifecycle.due_at,
                    now,
                    hidden_due_at=hidden_due_at,
                    not_before=self._lifecycle.not_before,
                )
                self._dial_at(due_at, now)
        self.conversation.set_page(self.surroundings.page)

    async def aclose(self) -> None:
        """End the client, at any moment, once; returns when it has ended."""
        self._is_closing = True
        for scope in (self._waiting, self._attempting):
            if scope is not None:
                scope.cancel()
        if self._is_running:
            if self._ended is None:
                self._ended = trio.Event()
            await self._ended.wait()
        else:
            await trio.lowlevel.checkpoint()
        self._close()  # For one whose life has not begun, or that has given up.

    # Its life

    async def run(self) -> None:
        """Live until closed, cancelled or given up.

        Raises:
            ExceptionGroup: What its listeners have raised.
        """
        self._is_running = True
        try:
            if self.surroundings.probe is None:
                await self._live()
            else:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self.surroundings.watch, self._network_changed)
                    await self._live()
                    nursery.cancel_scope.cancel()
        except BaseException as error:
            self._end(error)
            raise
        self._end()

    def _end(self, *errors: BaseException) -> None:
        """It is over; what its listeners have raised joins what has ended it, if anything has."""
        self._is_running = False
        if not self._has_ended:
            self._close()
        if self._ended is not None:
            self._ended.set()
        self._announcer.raise_errors(*errors)

    def _close(self) -> None:
        if self._lifecycle.state is not State.CLOSED:
            self._lifecycle.close()
            self._announcer.status(self.status)

    @property
    def _has_ended(self) -> bool:
        return self._lifecycle.state in (State.FAILED, State.CLOSED)

    async def _live(self) -> None:
        while not self._is_closing:
            started_at = await self._wait_for_attempt()
            if started_at is None:
                return
            next_step = await self._attempt(started_at)
            if not isinstance(next_step, Reconnecting):
                return

    async def _wait_for_attempt(self) -> float | None:
        """Sleep until the attempt is due and its round trip is over.

        The round trip is slept before the dial (RULES 4), in one piece with the wait, and the
        start is counted back from the dial: whatever this machine was late, the record shows.

        Returns:
            When the attempt started; None when the client is told to close.
        """
        rtt = self._config.rtt
        while True:
            with trio.CancelScope(deadline=self._due_at() + rtt) as self._waiting:
                await trio.sleep_forever()
            self._waiting = None
            if self._is_closing:
                return None
            now = trio.current_time()
            if now >= self._due_at() + rtt:
                break
        if self._hold is not None:
            with trio.CancelScope() as self._attempting:
                await self._hold()
            if self._attempting.cancel_called:  # Nobody but `aclose` does.
                return None
            now = trio.current_time()
        self._lifecycle.due_at = self._due_at()
        if self._lifecycle.state is not State.CONNECTING:
            self._lifecycle.dial()
        self._announcer.status(self.status)
        return now - rtt

    def _due_at(self) -> float:
        """When the attempt that is waited for really leaves: never, while there is no use in it."""
        due_at = self._made_at()
        return due_at if self._may_dial(due_at) else math.inf

    def _made_at(self) -> float:
        """When the client's surroundings let it make the attempt that it waits for."""
        is_retry = self._lifecycle.state is State.BACKING_OFF
        return self.surroundings.due_at(self._lifecycle.due_at, is_retry=is_retry)

    async def _attempt(self, started_at: float) -> Reconnecting | Failed | None:
        """Dial, and stay connected for as long as it lasts.

        Returns:
            How it goes on; None when the client is told to close.
        """
        opened = False
        next_step = None
        with trio.CancelScope(deadline=self._patience_ends_at(started_at)) as self._attempting:
            patience = self._attempting
            try:
                if self.surroundings.brake is not None:
                    # To the page it looks as if it were connecting, so its patience is running.
                    released_at = self.surroundings.brake.dial_at(started_at)
                    await trio.sleep_until(released_at + self._config.rtt)
                async with self._transport.connect(self._path_of(self.identity)) as connection:
                    if patience.cancel_called:  # The answer came with the end of patience.
                        await trio.lowlevel.checkpoint()
                    patience.deadline = math.inf
                    opened = True
                    self._open(started_at)
                    await self._stay_connected(connection)
            except AttemptFailedError as failure:
                return self._fail(
                    started_at, failure.outcome, failure.retry_after, status=failure.status
                )
            except ConnectionLostError as loss:
                return self._lose(loss, started_at)
            except trio.Cancelled:
                # Recorded here rather than below, where a run that ends in the same breath as
                # the client's patience would never get to.
                if patience.cancel_called and not self._is_closing:
                    next_step = self._fail(started_at, Outcome.TIMED_OUT, given_up=True)
                elif not opened:
                    ended = self._lifecycle.cancelled(started_at, trio.current_time())
                    self._announcer.tell(ended)
                raise
        return next_step

    def _patience_ends_at(self, started_at: float) -> float:
        return self._lifecycle.patience_ends_at(started_at, self._config.connect_timeout)

    async def _stay_connected(self, connection: Connection) -> None:
        """Talk until the connection is lost, or until the client is told to close.

        Raises:
            ConnectionLostError: The connection is lost.
        """
        try:
            episode = self._lifecycle.episode
            phase = uniform(self._seed, Purpose.HEARTBEAT, self.number, episode)
            await self.conversation.hold(connection, phase=phase, is_reconnect=episode > 0)
        except trio.Cancelled:
            if self._is_closing:
                await self._say_goodbye(connection)
            raise

    async def _say_goodbye(self, connection: Connection) -> None:
        """Send a close frame, if the peer takes it in time."""
        with trio.move_on_after(_GOODBYE_TIMEOUT, shield=True):
            try:
                await connection.close(NORMAL_CLOSURE)
            except ConnectionLostError:
                return

    # What wakes it

    def _network_changed(self, change: Change) -> None:
        if change is Change.WENT_OFFLINE:
            self.conversation.go_offline()
            if self._waiting is not None:
                self._waiting.cancel()
        elif change is Change.CAME_ONLINE and self._waits_to_dial:
            now = trio.current_time()
            due_at = self.surroundings.online_at(
                self._lifecycle.due_at, now, not_before=self._lifecycle.not_before
            )
            self._dial_at(due_at, now)
        if change is not Change.NONE:
            self._announcer.status(self.status)

    @property
    def _waits_to_dial(self) -> bool:
        """Is there an attempt that could be made sooner?"""
        return self._waiting is not None and self.surroundings.is_online

    def _dial_at(self, due_at: float, now: float) -> None:
        """Make the attempt that is waited for at another instant."""
        if self._lifecycle.state is State.BACKING_OFF:
            self._announcer.tell(self._lifecycle.reschedule(due_at, now))
        else:
            self._lifecycle.due_at = due_at
        if self._waiting is not None:
            self._waiting.cancel()

    # What happens to it

    def _open(self, started_at: float) -> None:
        if self.surroundings.brake is not None:
            self.surroundings.brake.opened()
        now = trio.current_time()
        self._announcer.tell(*self._lifecycle.opened(started_at, now))
        if self._config.sync == "none":  # Then the 101 is all that the application ever answers.
            self._answered(now)
        self._announcer.status(self.status)

    def _answered(self, now: float) -> None:
        """The server's application has answered on the connection."""
        self._lifecycle.answered(now)

    def _fail(
        self,
        started_at: float,
        outcome: Outcome,
        retry_after: float = 0.0,
        *,
        status: int | None = None,
        given_up: bool = False,
    ) -> Reconnecting | Failed:
        now = trio.current_time()
        if self._config.retry_after == "ignore":
            retry_after = 0.0
        self.surroundings.failed(self.identity, started_at, now, given_up=given_up)
        ended, next_step = self._lifecycle.attempt_failed(
            started_at,
            now,
            outcome,
            retry_after,
            final_status=status if self._config.statuses.ends(status) else None,
        )
        self._announcer.tell(ended, next_step)
        self._announcer.status(self.status)
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
            at_once=verdict.kind is Kind.AT_ONCE,
            for_good=verdict.kind is Kind.END,
        )
        if not disconnected.was_clean:
            self.surroundings.failed(self.identity, started_at, now)
        self._announcer.tell(disconnected, next_step)
        self._announcer.status(self.status)
        return next_step

    @property
    def identity(self) -> Identity:
        """Which attempt it is at."""
        return Identity(self.number, self._lifecycle.episode, self._lifecycle.attempt)

    def _backoff_draw(self, episode: int, attempt: int) -> float:
        return uniform(self._seed, Purpose.BACKOFF, self.number, episode, attempt)
