"""The runs that a plan rests on: on small herds, in worker processes, never the same one twice."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from simulator.engines.model.scope import needs_reference
from simulator.errors import HerdError, InputError, RunFailedError
from simulator.plan_results import Evidence
from simulator.planning.changes import with_server
from simulator.planning.evidence import evidence_of, strain_of
from simulator.planning.objective import Goal
from simulator.planning.scaling import Scaled, at_full_size, can_scale, scaled
from simulator.scenario import Scenario
from simulator.sweeping.crew import local_crew, results
from simulator.trials import summary_of

SIZES: Mapping[str, int] = {"model": 10_000, "virtual": 300}
"""Clients that a search runs at most, by engine: fractions of a second, and peaks that scatter by
few percent."""
REFERENCE_SIZE = 2_000
"""The same where the model engine goes event by event."""
_FAR = 0.05
"""A setting that takes so much more or less of a limit is judged by one seed."""
_FIRST_LOOKS = 2
"""Seeds that decide in a search if they agree; where a search ends, all seeds are asked."""
_AT_ONCE = 8
"""Runs per worker that are begun before looking at the clock again."""

_Found = tuple[tuple[str, int], Mapping[str, Any] | str]
"""Which run, and its summary or what is wrong with it."""
Told = Callable[[str, int], None]
"""Told what is being done, and how many runs are over."""


class OutOfTimeError(HerdError):
    """The time that a plan may take is over."""


class Runs:
    """Runs scenarios with common seeds, as many at a time as there are workers."""

    def __init__(
        self,
        goals: Sequence[Goal],
        *,
        engine: str,
        workers: int,
        replications: int,
        seed: int,
        until: float,
        told: Told = lambda part, n_runs: None,
    ) -> None:
        """Prepare.

        Args:
            goals: What settings are held to.
            engine: "model" or "virtual".
            workers: Processes; with 1 all is done in this one.
            replications: Seeds of a setting that matters.
            seed: The first of them.
            until: When the time is over, by `time.monotonic`.
            told: Told of the progress.
        """
        self.goals = tuple(goals)
        self.seeds = tuple(range(seed, seed + replications))
        self.part = ""
        """What is being done, in words."""
        self.n_runs = 0
        self._engine = engine
        self._crew = local_crew(workers)
        self.until = until
        """When the time of what is being done is over, by `time.monotonic`."""
        self._told = told
        self._known: dict[tuple[str, int], Mapping[str, Any]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Dismiss the workers; what has not begun never does."""
        self._crew.dismiss()

    @property
    def time_left(self) -> float:
        """Seconds."""
        return self.until - time.monotonic()

    def small(self, scenario: Scenario) -> Scaled:
        """The herd that stands for this one in a search."""
        if not all(can_scale(goal.metric) for goal in self.goals):
            return Scaled(scenario=scenario, factor=1.0)
        found = scaled(scenario, SIZES[self._engine])
        if self._engine == "model" and needs_reference(found.scenario):
            return scaled(scenario, REFERENCE_SIZE)
        if found.scenario.n_clients <= REFERENCE_SIZE:
            return Scaled(scenario=self.event_by_event(found.scenario), factor=found.factor)
        return found

    def event_by_event(self, scenario: Scenario) -> Scenario:
        """The same, in a form that the model engine follows one event at a time where it can.

        Of few clients that is quicker than arrays, above all where a herd is stuck. It does so for
        a limit on connections, here one that is never reached.
        """
        server = scenario.server
        simple = server.nodes == 1 and not server.stages and server.max_connections is None
        if self._engine != "model" or not simple:
            return scenario
        return with_server(scenario, max_connections=2 * scenario.n_clients)

    def evidence(self, scenario: Scenario, *, n_seeds: int | None = None) -> Evidence:
        """What a setting comes to; see `evidences`."""
        return self.evidences([scenario], n_seeds=n_seeds)[0]

    def evidences(
        self, scenarios: Sequence[Scenario], *, n_seeds: int | None = None
    ) -> list[Evidence]:
        """What settings come to on small herds, all over the same seeds.

        Args:
            scenarios: The settings.
            n_seeds: How many seeds; all unless given.

        Raises:
            InputError: The engine cannot run one.
            OutOfTimeError: The time is over.
        """
        small = [self.small(scenario) for scenario in scenarios]
        seeds = self.seeds[:n_seeds]
        return self._sum_up(small, self.summaries([one.scenario for one in small], seeds), seeds)

    def full_size(self, scenario: Scenario, *, n_seeds: int) -> Evidence:
        """What a setting comes to at full size, be the time over or not."""
        seeds = self.seeds[:n_seeds]
        summaries = self.summaries([scenario], seeds, whatever_the_time=True)
        return self._sum_up([Scaled(scenario=scenario, factor=1.0)], summaries, seeds)[0]

    def judge(self, scenario: Scenario) -> Evidence:
        """Enough evidence to say whether a setting meets the objectives: few seeds if these agree.

        Raises:
            InputError: The engine cannot run it.
            OutOfTimeError: The time is over.
        """
        found = self.evidence(scenario, n_seeds=1)
        strain = strain_of(self.goals, found)
        if math.isfinite(strain) and abs(strain - 1) > _FAR:
            return found
        found = self.evidence(scenario, n_seeds=_FIRST_LOOKS)
        undecided = 0 < found.n_met < len(found.seeds)
        return self.evidence(scenario) if undecided else found

    def summaries(
        self,
        scenarios: Sequence[Scenario],
        seeds: Sequence[int],
        *,
        whatever_the_time: bool = False,
    ) -> list[list[Mapping[str, Any]]]:
        """The summaries of scenarios as they are, for each the seeds in order.

        Raises:
            InputError: The engine cannot run one.
            OutOfTimeError: The time is over.
        """
        texts = [scenario.model_dump_json() for scenario in scenarios]
        wanted: dict[tuple[str, int], Scenario] = {}
        for text, scenario in zip(texts, scenarios, strict=True):
            for seed in seeds:
                if (text, seed) not in self._known:
                    own = {"seed": seed, "attempts_limit": 0}
                    wanted[text, seed] = scenario.model_copy(update=own)
        keys = list(wanted)
        for first in range(0, len(keys), _AT_ONCE * self._crew.n_workers):
            if not whatever_the_time and self.time_left <= 0:
                raise OutOfTimeError
            part = keys[first : first + _AT_ONCE * self._crew.n_workers]
            self._run({key: wanted[key] for key in part})
        return [[self._known[text, seed] for seed in seeds] for text in texts]

    def _run(self, wanted: Mapping[tuple[str, int], Scenario]) -> None:
        for key, found in self._found(wanted):
            self.n_runs += 1
            self._told(self.part, self.n_runs)
            if isinstance(found, str):
                raise InputError(found)
            self._known[key] = found

    def _found(self, wanted: Mapping[tuple[str, int], Scenario]) -> Iterator[_Found]:
        tasks = [(key, scenario, self._engine) for key, scenario in wanted.items()]
        if self._crew.n_workers == 1:
            yield from map(_trial, tasks)
            return
        for over in results(self._crew, _trial, tasks):
            if over.result is None:
                raise RunFailedError(str(over.error))
            yield over.result

    def _sum_up(
        self,
        small: Sequence[Scaled],
        summaries: Sequence[Sequence[Mapping[str, Any]]],
        seeds: Sequence[int],
    ) -> list[Evidence]:
        return [
            evidence_of(
                self.goals,
                [at_full_size(summary, one.factor) for summary in found],
                seeds=seeds,
                n_clients=one.scenario.n_clients,
                scale=one.factor,
            )
            for one, found in zip(small, summaries, strict=True)
        ]


def _trial(task: tuple[tuple[str, int], Scenario, str]) -> _Found:
    """The summary of a run; or what is wrong with it, in one line, which any process can send."""
    key, scenario, engine = task
    try:
        return key, summary_of(scenario, engine=engine)
    except InputError as error:
        return key, str(error)
