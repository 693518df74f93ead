"""Background work: jobs that the world, or open connections, put on some workers."""

from collections.abc import Mapping

import trio

from server_stub.arrivals import Arrivals
from server_stub.config import ServerConfig
from server_stub.counter import Counter, Errand
from server_stub.draws import Purpose, uniform
from server_stub.gate import Gate
from server_stub.service import service_time
from server_stub.service_time import ServiceTime
from server_stub.work import Load


def _nobody_cares(_: float, __: float) -> None:
    return


class Background:
    """A Poisson stream of jobs for one counter."""

    def __init__(
        self,
        counter: Counter,
        spec: ServiceTime,
        *,
        seed: int,
        stream: int,
        may_arrive: Gate | None = None,
    ) -> None:
        """Set up a stream; it begins with a rate of zero, and `work` runs it.

        Args:
            counter: Whose workers do the jobs.
            spec: How long they take.
            seed: Keys the draws.
            stream: Tells the streams of one run apart.
            may_arrive: While it is shut, what is due waits in front of it.
        """
        self._counter = counter
        self._spec = spec
        self._seed = seed
        self._stream = stream
        self._may_arrive = may_arrive or Gate(is_open=True)
        self._arrivals = Arrivals(seed, stream)
        self._bell = trio.CancelScope()

    def set_rate(self, rate: float, now: float) -> None:
        """From now on there are so many jobs per second."""
        self._arrivals.set_rate(rate, now)
        self._bell.deadline = self._arrivals.next_at

    async def work(self) -> None:
        """Bring the jobs when they are due, until cancelled."""
        while True:
            with trio.CancelScope(deadline=self._arrivals.next_at) as self._bell:
                await trio.sleep_forever()
            await self._may_arrive.passed()
            now = trio.current_time()
            while self._arrivals.next_at <= now:
                self._put(self._arrivals.take(), now)

    def _put(self, number: int, now: float) -> None:
        u = uniform(self._seed, Purpose.LOAD, number % 2**32, self._stream, index=1)
        job = Errand(
            arrived_at=now,
            service_time=service_time(self._spec, u),
            done=_nobody_cares,
            failed=_nobody_cares,
        )
        self._counter.arrive([job], now)


class NodeLoad:
    """The background work of one node: it comes while the node is up, with its connections."""

    def __init__(self, background: Background, *, rate: float, per_connection: float) -> None:
        """Begin before t = 0.

        Args:
            background: The stream of jobs.
            rate: Jobs per second while the node is up.
            per_connection: Jobs per second for each open connection.
        """
        self._background = background
        self._rate = rate
        self._per_connection = per_connection
        self._has_begun = False
        self._is_up = True
        self._n_connected = 0

    async def follow(self, origin: float) -> None:
        """Bring the jobs from t = 0 on, until cancelled.

        Args:
            origin: The clock reading that is t = 0.
        """
        if not self._rate and not self._per_connection:
            return
        await trio.sleep_until(origin)
        self._has_begun = True
        self._adjust(trio.current_time())
        await self._background.work()

    def connected(self, n: int, now: float) -> None:
        """So many connections are open now."""
        if n != self._n_connected:
            self._n_connected = n
            self._adjust(now)

    def set_up(self, now: float, *, is_up: bool) -> None:
        """The node takes new work in, or does not; its connections bring theirs all the same."""
        self._is_up = is_up
        self._adjust(now)

    def _adjust(self, now: float) -> None:
        if self._has_begun:
            rate = self._rate * self._is_up + self._per_connection * self._n_connected
            self._background.set_rate(rate, now)


def node_load(
    load: Load,
    counters: Mapping[str, Counter],
    config: ServerConfig,
    *,
    seed: int,
    node: int,
    thawed: Gate,
) -> NodeLoad:
    """What background work a node brings, if any.

    Args:
        load: The settings.
        counters: By the name of the stage.
        config: Of the node.
        seed: Keys the draws.
        node: Its number.
        thawed: Shut while it is frozen.
    """
    named = {stage.name: stage for stage in config.stages}
    stage = named.get(load.stage)
    # The load of the world on a shared stage is nobody's in particular.
    rate = 0.0 if stage is not None and stage.shared else load.rate or 0.0
    spec = load.service_time or (stage or config).service_time
    background = Background(counters[load.stage], spec, seed=seed, stream=node, may_arrive=thawed)
    return NodeLoad(background, rate=rate, per_connection=load.per_connection or 0.0)
