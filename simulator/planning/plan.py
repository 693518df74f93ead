"""A plan from beginning to end: what is done when, and what is kept if it is cut short."""

import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from simulator.errors import InputError, UnknownNameError
from simulator.experiment import new_directory
from simulator.machine import n_cores
from simulator.plan_results import Evidence, PlanResult, save_plan
from simulator.planning.advice import CONFIRMATIONS, advise, needed_capacities
from simulator.planning.capacity import describe, resources
from simulator.planning.changes import mean_service, stages_to_pass
from simulator.planning.edges import edge_of, knobs
from simulator.planning.evidence import strain_of
from simulator.planning.floor import forbids
from simulator.planning.objective import Goal, goals_of
from simulator.planning.policies import Judged, compare_policies, own_policy
from simulator.planning.runs import SIZES, OutOfTimeError, Runs, Told
from simulator.planning.scaling import scaled
from simulator.planning.vulnerable import map_region
from simulator.planning.words import assumptions
from simulator.rehearsal import rehearse
from simulator.run_directory import fresh_directory
from simulator.scenario import Scenario
from simulator.scenario_files import DEFAULT, load_scenario
from simulator.trials import summary_of

BUDGET = 90.0
"""Seconds after which nothing new is searched; runs at full size may follow."""
REPLICATIONS = 6
_LEAST_REPLICATIONS = 2
_NEAR = 0.05
"""Today's setting is run at full size if it takes so much more or less than a limit."""
_TRIAL_CLIENTS = 200
"""Of a run that only shows whether the engine can do it, and what it measures."""


def plan(
    scenario: Scenario | str | Path | None = None,
    *,
    objectives: Sequence[str] = (),
    engine: str = "model",
    replications: int = REPLICATIONS,
    workers: int | None = None,
    budget: float = BUDGET,
    out: Path | None = None,
    force: bool = False,
    told: Told = lambda part, n_runs: None,
) -> PlanResult:
    """Find out what meets the objectives, and by how much.

    Args:
        scenario: What is planned for: a scenario, a TOML file or the name of a built-in one;
            `restart` unless given.
        objectives: Texts `METRIC OP VALUE`, all of which are to hold; the scenario's own unless
            given.
        engine: "model", or "virtual" for small herds.
        replications: Seeds of every setting that matters.
        workers: Processes; one per core unless given, and with 1 none beside this one.
        budget: Seconds after which no further search is begun; what was not done is said.
        out: Directory for `plan.json`; a new one below `herd-runs` unless given.
        force: Replace an earlier plan in `out`.
        told: Told what is being done, and how many runs are over.

    Raises:
        InputError: The scenario, an objective or the directory does not allow it.
        RunFailedError: A worker process died again and again.
        KeyboardInterrupt: What was found until then is in the directory.
    """
    if scenario is None:
        scenario = DEFAULT
    herd = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
    goals = checked_goals(herd, objectives, engine)
    _check_numbers(replications, workers, budget)
    directory = out or new_directory(herd, f"plan-{engine}")
    began_at = time.monotonic()
    with (
        fresh_directory(directory, force=force),
        Runs(
            goals,
            engine=engine,
            workers=workers or n_cores(),
            replications=replications,
            seed=herd.seed,
            until=began_at + budget,
            told=told,
        ) as runs,
    ):
        work = _Work(runs, herd, _draft(herd, goals, engine, replications), directory, began_at)
        try:
            work.all_parts()
        except KeyboardInterrupt:
            work.keep(interrupted=True)
            raise
        return work.result


def checked_goals(herd: Scenario, objectives: Sequence[str], engine: str) -> tuple[Goal, ...]:
    """The objectives, once it is clear that the engine can run the herd and measures them.

    Raises:
        InputError: It does not.
    """
    goals = goals_of(objectives, herd.objective)
    if engine not in SIZES:
        raise UnknownNameError("engine of a plan", engine, SIZES)
    if not herd.windows:
        raise InputError(f"{herd.name}: has no outage, so there is nothing to plan for")
    rehearsal = rehearse(herd)
    for goal in goals:
        goal.is_met(rehearsal)
    trial = summary_of(scaled(herd, _TRIAL_CLIENTS).scenario, engine=engine)
    for goal in goals:
        goal.is_met(trial)
    return goals


def _check_numbers(replications: int, workers: int | None, budget: float) -> None:
    if replications < _LEAST_REPLICATIONS:
        raise InputError(
            f"--replications = {replications}: allowed: at least {_LEAST_REPLICATIONS}"
        )
    if workers is not None and workers < 1:
        raise InputError(f"--workers = {workers}: allowed: at least 1")
    if not budget > 0:
        raise InputError(f"--budget = {budget:g}: allowed: more than 0 seconds")


def _draft(herd: Scenario, goals: Sequence[Goal], engine: str, replications: int) -> PlanResult:
    return PlanResult(
        herd_version=version("thundering-herd"),
        scenario=herd.name,
        toml=herd.to_toml(),
        engine=engine,
        objectives=tuple(goal.text for goal in goals),
        limits={goal.text: (goal.metric, goal.condition.op, goal.limit) for goal in goals},
        replications=replications,
        capacity=describe(herd),
    )


class _Work:
    """The parts of a plan, one after the other; each is on disk as soon as it is done."""

    def __init__(
        self, runs: Runs, herd: Scenario, draft: PlanResult, directory: Path, began_at: float
    ) -> None:
        self.result = draft
        self._runs = runs
        self._herd = herd
        self._directory = directory
        self._began_at = began_at
        self._budget = runs.until - began_at
        self._ranked: list[Judged] = []

    def keep(self, **found: object) -> None:
        """Add what was found, and write it all down."""
        took = time.monotonic() - self._began_at
        update = {**found, "n_runs": self._runs.n_runs, "took": round(took, 1)}
        self.result = self.result.model_copy(update=update)
        save_plan(self.result, self._directory)

    def all_parts(self) -> None:
        """Do everything that there is time for, the parts in turn up to their share of it."""
        self.keep()
        for name, do, share in self._parts():
            self._runs.part = name
            self._runs.until = self._began_at + share * self._budget
            try:
                do()
            except OutOfTimeError:
                self.keep(unfinished=(*self.result.unfinished, name))

    def _parts(self) -> Iterator[tuple[str, Callable[[], None], float]]:
        """What is done, in turn, and at which share of the time it has to be over."""
        yield "today's setting", self._today, 0.2
        if forbids(self._runs.goals, self._herd) is None:
            yield "policies", self._policies, 0.45
            yield "capacity", self._capacity, 0.8
            yield "advice", self._advice, 1.0
        else:  # No policy can be what is recommended.
            yield "capacity", self._capacity, 0.8
            yield "advice", self._advice, 1.0
            yield "policies", self._policies, 0.7
        yield "edges", self._edges, 0.85
        yield "vulnerable region", self._region, 1.0
        yield "capacity, by resource", self._resources, 1.0

    def _today(self) -> None:
        today = self._runs.evidence(self._herd)
        self.keep(today=today, assumptions=self._assumptions(today))

    def _today_full(self) -> None:
        """Today's setting at full size, if a smaller herd stood for it and came near a limit."""
        today = self.result.today
        if today is None or today.scale == 1 or abs(strain_of(self._runs.goals, today) - 1) > _NEAR:
            return
        try:
            self.keep(today_full=self._runs.full_size(self._herd, n_seeds=CONFIRMATIONS))
        except InputError as error:
            note = f"At full size the engine cannot run it: {error}"
            self.keep(assumptions=(*self.result.assumptions, note))

    def _assumptions(self, today: Evidence) -> tuple[str, ...]:
        times = [
            f"{name} {1000 * mean_service(self._herd, name):,.3g} ms"
            for name in stages_to_pass(self._herd)
        ]
        return assumptions(
            self.result,
            abandoned=self._herd.server.abandoned,
            capacities=times,
            scale=today.scale,
            n_clients=today.n_clients,
        )

    def _policies(self) -> None:
        found, self._ranked, complete = compare_policies(self._runs, self._herd)
        self.keep(policies=found)
        if not complete:
            raise OutOfTimeError

    def _capacity(self) -> None:
        known = self.result.capacity or describe(self._herd)
        for needed in needed_capacities(
            self._runs, self._herd, own_policy(self._herd), self._ranked
        ):
            known = known.model_copy(update={"needed": (*known.needed, needed)})
            self.keep(capacity=known)
            if not needed.settled:
                raise OutOfTimeError

    def _resources(self) -> None:
        known = self.result.capacity or describe(self._herd)
        for resource in resources(self._runs, self._herd):
            known = known.model_copy(update={"resources": (*known.resources, resource)})
            self.keep(capacity=known)

    def _advice(self) -> None:
        self._today_full()
        today = self.result.today_full or self.result.today
        if today is not None:
            capacity = self.result.capacity
            self.keep(advice=advise(self._runs, self._herd, today, self._ranked, capacity))

    def _edges(self) -> None:
        for knob in knobs(self._herd):
            self.keep(edges=(*self.result.edges, edge_of(self._runs, knob)))

    def _region(self) -> None:
        self.keep(region=map_region(self._runs, self._herd))
