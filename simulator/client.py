"""One reconnecting client: a lifecycle, an injected transport, and the heartbeat between them.

A client is one task. It knows neither sockets nor the kind of clock it lives on, so that the live
and the virtual engine run the very same code.
"""

import math
from collections.abc import Callable, Iterable

import trio

from server_stub.draws import Purpose, uniform
from server_stub.wire import Identity
from simulator.core.heartbeat import Heartbeat, Verdict
from simulator.core.lifecycle import Failed, Lifecycle, LifecycleEvent, Reconnecting
from simulator.core.outcomes import NoticedBy, Outcome
from simulator.scenario import ClientConfig
from simulator.transport.seam import (
    AttemptFailedError,
    Connection,
    ConnectionLostError,
    Transport,
)

Listener = Callable[[LifecycleEvent], None]


class Client:
    """Connects, notices losses, backs off and comes back, until it is cancelled or gives up."""

    __slots__ = ("_config", "_lifecycle", "_listeners", "_may_dial", "_number", "_seed", "_transport")

    def __init__(
        self,
        number: int,
        config: ClientConfig,
        transport: Transport,
        *,
        seed: int,
        first_due_at: float,
        listeners: Iterable[Listener],
        may_dial: Callable[[float], bool] = lambda due_at: True,  # noqa: ARG005
    ) -> None:
        """Prepare a client; `run` brings it to life.

        Args:
            number: Its number in the fleet.
            config: What it does around a lost connection.
            transport: How it reaches the server.
            seed: Keys its random draws, together with its number.
            first_due_at: When its first attempt is due, on Trio's clock.
            listeners: Told of every event of its life, in order.
            may_dial: Whether an attempt due at that instant is still made.
        """
        self._number = number
        self._config = config
        self._transport = transport
        self._seed = seed
        self._listeners = tuple(listeners)
        self._may_dial = may_dial
        self._lifecycle = Lifecycle(number, config.policy, self._backoff_draw, due_at=first_due_at)

    async def run(self) -> None:
        """Live until cancelled, or until the policy gives up."""
        while True:
            started_at = await self._wait_for_attempt()
            next_step = await self._attempt(started_at)
            if isinstance(next_step, Failed):
                return
            self._lifecycle.dial()

    async def _wait_for_attempt(self) -> float:
        """Sleep until the attempt is due and its round trip is over; returns when it started.

        The round trip is slept before the dial (RULES 4), in one piece with the wait, and the
        start is counted back from the dial: whatever this machine was late, the record shows.
        """
        due_at = self._lifecycle.due_at
        if not self._may_dial(due_at):
            await trio.sleep_forever()
        await trio.sleep_until(due_at + self._config.rtt)
        return trio.current_time() - self._config.rtt

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
                    now = trio.current_time()
                    patience.deadline = math.inf
                    opened = True
                    self._tell(self._lifecycle.opened(started_at, now))
                    await self._stay_connected(connection, now)
            except AttemptFailedError as failure:
                return self._fail(started_at, failure.outcome, failure.retry_after)
            except ConnectionLostError as loss:
                return self._lose(loss)
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

    async def _stay_connected(self, connection: Connection, now: float) -> None:
        """Listen, and keep the heartbeat.

        Raises:
            ConnectionLostError: Always, in the end.
        """
        heartbeat = self._heartbeat(now)
        while True:
            with trio.CancelScope(deadline=heartbeat.deadline if heartbeat else math.inf):
                while True:
                    await connection.receive()
            if heartbeat is None:
                continue
            match heartbeat.verdict(trio.current_time(), connection.heard_at):
                case Verdict.PING:
                    await connection.ping()
                case Verdict.DEAD:
                    raise ConnectionLostError(NoticedBy.HEARTBEAT, reason="no answer to a ping")
                case Verdict.WAIT:
                    pass

    def _heartbeat(self, now: float) -> Heartbeat | None:
        config = self._config.heartbeat
        if config is None:
            return None
        phase = uniform(self._seed, Purpose.HEARTBEAT, self._number, self._lifecycle.episode)
        return Heartbeat(config.interval, config.timeout, now=now, phase=phase)

    def _fail(
        self, started_at: float, outcome: Outcome, retry_after: float = 0.0
    ) -> Reconnecting | Failed:
        ended, next_step = self._lifecycle.attempt_failed(
            started_at, trio.current_time(), outcome, retry_after
        )
        self._tell((ended, next_step))
        return next_step

    def _lose(self, loss: ConnectionLostError) -> Reconnecting | Failed:
        disconnected, next_step = self._lifecycle.lost(
            trio.current_time(), loss.noticed_by, loss.close_code, loss.reason
        )
        self._tell((disconnected, next_step))
        return next_step

    def _tell(self, events: Iterable[LifecycleEvent]) -> None:
        for event in events:
            for listener in self._listeners:
                listener(event)

    def _identity(self) -> Identity:
        return Identity(self._number, self._lifecycle.episode, self._lifecycle.attempt)

    def _backoff_draw(self, episode: int, attempt: int) -> float:
        return uniform(self._seed, Purpose.BACKOFF, self._number, episode, attempt)
