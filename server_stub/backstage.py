"""What stands behind a node: the stages that are its own, and those it shares with others."""

from collections.abc import Iterator, Mapping

import trio

from server_stub.background import Background
from server_stub.config import ServerConfig
from server_stub.counter import Counter
from server_stub.pace import Pace
from server_stub.recorder import ServerRecorder
from server_stub.stage_desk import StageDesk
from server_stub.stages import HANDSHAKE, Stage
from server_stub.work import Load

_THE_WORLD = 2**32 - 1
"""The stream of background work that no node stands for; those of nodes have their numbers."""


class SharedStages:
    """The stages that all nodes share; they live as long as the run.

    Run them with `work`, in a task of its own, and let `follow` bring the load of the world.
    """

    def __init__(
        self, config: ServerConfig, *, seed: int, recorder: ServerRecorder, load: Load | None = None
    ) -> None:
        """Set them up.

        Args:
            config: Of any node: all have the same stages.
            seed: Keys the draws.
            recorder: In whose books they stand.
            load: Background work; what part of it the nodes bring is theirs.
        """
        self.desks = dict(_desks(config, seed, recorder, shared=True))
        """By number, from 1."""
        self._seed = seed
        self._load = load or Load()

    async def work(self) -> None:
        """Serve until cancelled."""
        async with trio.open_nursery() as nursery:
            for desk in self.desks.values():
                nursery.start_soon(desk.counter.work)

    async def follow(self, *, origin: float) -> None:
        """Bring the background work of the world from t = 0 on, until cancelled.

        Args:
            origin: The clock reading that is t = 0.
        """
        load = self._load
        desk = next((desk for desk in self.desks.values() if desk.stage.name == load.stage), None)
        if desk is None or load.rate is None:
            return
        spec = load.service_time or desk.stage.service_time
        background = Background(desk.counter, spec, seed=self._seed, stream=_THE_WORLD)
        await trio.sleep_until(origin)
        background.set_rate(load.rate, trio.current_time())
        await background.work()


class Backstage:
    """All workers of one node, and the stages that it shares with others."""

    def __init__(
        self,
        config: ServerConfig,
        own: Counter,
        *,
        seed: int,
        recorder: ServerRecorder,
        shared: SharedStages,
    ) -> None:
        """Join a node's own stages and the shared ones.

        Args:
            config: Of the node.
            own: Where its own workers serve handshakes.
            seed: Keys the draws.
            recorder: In whose books its own stages stand.
            shared: Those that are not its own.
        """
        self._desks = dict(_desks(config, seed, recorder, shared=False))
        self._counters = [own, *(desk.counter for desk in self._desks.values())]
        self.stages: tuple[StageDesk, ...] = tuple(
            self._desks.get(number) or shared.desks[number]
            for number in range(1, len(config.stages) + 1)
        )
        """All of them, in order."""
        self.counters: Mapping[str, Counter] = {
            HANDSHAKE: own,
            **{desk.stage.name: desk.counter for desk in self.stages},
        }
        """All of them, by the name of the stage."""

    @property
    def is_idle(self) -> bool:
        """Is nobody busy, here or at a shared stage?"""
        return not any(counter.busy_workers for counter in self.counters.values())

    async def work(self) -> None:
        """Serve with the node's own workers until cancelled."""
        async with trio.open_nursery() as nursery:
            for counter in self._counters:
                nursery.start_soon(counter.work)

    # What becomes of the node, which only touches what is its own

    def keep_pace(self, pace: Pace) -> None:
        """How much longer services take, and when, is known."""
        for counter in self._counters:
            counter.keep_pace(pace)

    def goes_down_at(self, at: float) -> None:
        """The next outage is known."""
        for counter in self._counters:
            counter.stops_at(at)

    def catch_up(self, now: float) -> None:
        """See to what was due by now."""
        for counter in self._counters:
            counter.catch_up(now)

    def pause(self, now: float) -> None:
        """The node freezes."""
        for counter in self._counters:
            counter.pause(now)

    def resume(self, now: float) -> None:
        """It thaws."""
        for counter in self._counters:
            counter.resume(now)

    def drop_forgotten(self, now: float) -> None:
        """It has sent away those who were on their way in."""
        for counter in self._counters:
            counter.drop_forgotten(now)

    def clear(self, now: float) -> None:
        """It has parted with everybody."""
        for counter in self._counters:
            counter.clear(now)

    def restarted(self) -> None:
        """It begins anew, and knows nobody."""
        for desk in self._desks.values():
            desk.restarted()


def _desks(
    config: ServerConfig, seed: int, recorder: ServerRecorder, *, shared: bool
) -> Iterator[tuple[int, StageDesk]]:
    for number, stage in enumerate(config.stages, start=1):
        if stage.shared == shared:
            yield number, _desk(stage, number, config, seed, recorder)


def _desk(
    stage: Stage, number: int, config: ServerConfig, seed: int, recorder: ServerRecorder
) -> StageDesk:
    log = recorder.stage(number)
    return StageDesk(stage, number, abandoned=config.abandoned, seed=seed, log=log)
