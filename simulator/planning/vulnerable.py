"""Where a herd does not come back by itself: a map of outage length against load.

A run here lasts long enough to tell slow from stuck. Where the engine cannot skip the abandoned in
the scenario as it is, the nodes and stages are folded into the narrowest of them, on both halves of
the map alike.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from reports.wording import percent
from server_stub.work import Load, WorkConfig
from simulator.core.backoff import Policy
from simulator.errors import InputError
from simulator.plan_results import Cell, Region, Remedy, State
from simulator.planning.changes import (
    capacities,
    capacity_of,
    capacity_steps,
    longest_outage,
    narrowest,
    stages_to_pass,
    with_clients,
    with_outages,
    with_server,
    with_steps,
    with_time_after,
)
from simulator.planning.defences import queue_in_time
from simulator.planning.runs import Runs
from simulator.planning.scaling import scaled
from simulator.scenario import Scenario

_TIMES = (0.5, 1.0, 2.0, 4.0)
"""Of today's outage length, and of today's load."""
_SEEDS = 2
"""Of a place where the first herd was not back; who is back at once is believed."""
_SIZE = 1_000
"""Clients: many runs, and a region does not hang on a few of them."""
_FLOORS = 4.0
"""How many times the fastest possible recovery a run goes on after the outage, at least."""
_LEAST_AFTER = 60.0
"""Seconds; so long at least."""
_STRAGGLERS = 0.01
"""Share of the clients that may still be missing where a herd is said to be back."""
ABANDONED: tuple[Literal["serve", "skip"], ...] = ("serve", "skip")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Place:
    """A cell before it is run."""

    down_for: float
    n_clients: float
    abandoned: str
    scenario: Scenario


def state_of(summary: dict[str, Any]) -> State:
    """What became of a herd, by the summary of its run."""
    n_missing = summary["n_censored"]
    if n_missing <= _STRAGGLERS * max(1, summary["n_episodes"]):
        return "back"
    return "stuck" if summary["metastable"] else "slow"


def map_region(runs: Runs, scenario: Scenario) -> Region:
    """Run the map, and then see what would get the herd out where it is stuck.

    Raises:
        OutOfTimeError: The time is over.
    """
    base = _that_can_skip(runs, scenario)
    places = list(_places(base))
    small = [runs.event_by_event(scaled(place.scenario, _SIZE).scenario) for place in places]
    found = runs.summaries(small, runs.seeds[:1])
    doubtful = [
        place for place, (summary,) in enumerate(found) if state_of(dict(summary)) != "back"
    ]
    again = runs.summaries([small[place] for place in doubtful], runs.seeds[:_SEEDS])
    for place, summaries in zip(doubtful, again, strict=True):
        found[place] = summaries
    cells = tuple(
        Cell(
            down_for=place.down_for,
            n_clients=place.n_clients,
            abandoned=place.abandoned,
            states=tuple(state_of(dict(summary)) for summary in summaries),
            shares=tuple(summary["recovered_share"] or 0.0 for summary in summaries),
        )
        for place, summaries in zip(places, found, strict=True)
    )
    worst = _nearest_stuck(base, places, cells)
    if worst is None:
        return Region(cells=cells)
    return Region(
        cells=cells,
        at=f"{worst.n_clients:,.0f} clients, {worst.down_for:g} s without a server, "
        f"abandoned = {worst.abandoned}",
        remedies=tuple(_remedies(runs, worst.scenario)),
    )


def _that_can_skip(runs: Runs, scenario: Scenario) -> Scenario:
    """The scenario or, if the engine cannot skip the abandoned in it, its narrowest stage alone."""
    small = scaled(with_server(scenario, abandoned="skip"), _SIZE)
    try:
        runs.summaries([small.scenario], runs.seeds[:1])
    except InputError:
        return folded(scenario)
    return scenario


def folded(scenario: Scenario) -> Scenario:
    """One node whose own workers are the narrowest stage, and nothing behind it."""
    name = narrowest(scenario)
    stage, server = stages_to_pass(scenario)[name], scenario.server
    place = server if stage is None else stage
    copies = 1 if stage is not None and stage.shared else server.nodes
    workers = place.workers * copies
    capacity = capacities(scenario)[name]
    return with_server(
        scenario.model_copy(update={"load": Load()}),
        nodes=1,
        stages=(),
        work=WorkConfig(),
        workers=workers,
        backlog=place.backlog * copies,
        service_time=place.service_time.model_copy(update={"mean": workers / capacity}),
    )


def _places(base: Scenario) -> Iterator[_Place]:
    longest = longest_outage(base)
    if not longest:
        return
    for abandoned in ABANDONED:
        chosen = with_server(base, abandoned=abandoned)
        for outage in _TIMES:
            try:
                lasting = with_outages(chosen, outage * longest)
            except InputError:  # They would overlap.
                continue
            for load in _TIMES:
                loaded = with_clients(lasting, load * base.n_clients)
                yield _Place(
                    down_for=outage * longest,
                    n_clients=load * base.n_clients,
                    abandoned=abandoned,
                    scenario=_long_enough(loaded),
                )


def _long_enough(scenario: Scenario) -> Scenario:
    floor = scenario.n_clients / capacity_of(scenario)
    return with_time_after(scenario, max(_LEAST_AFTER, _FLOORS * floor))


def _nearest_stuck(
    base: Scenario, places: Sequence[_Place], cells: Sequence[Cell]
) -> _Place | None:
    """The stuck cell that is nearest to today's outage and load; the server's own rule first."""
    longest = longest_outage(base)
    stuck = [place for place, cell in zip(places, cells, strict=True) if "stuck" in cell.states]
    return min(
        stuck,
        key=lambda place: (
            place.abandoned != base.server.abandoned,
            abs(math.log(place.down_for / longest))
            + abs(math.log(place.n_clients / base.n_clients)),
        ),
        default=None,
    )


def _remedies(runs: Runs, stuck: Scenario) -> Iterator[Remedy]:
    changed = list(_changes(stuck))
    small = [
        runs.event_by_event(scaled(_long_enough(scenario), _SIZE).scenario)
        for _, scenario in changed
    ]
    for (words, _), summaries in zip(
        changed, runs.summaries(small, runs.seeds[:_SEEDS]), strict=True
    ):
        yield Remedy(
            what=words,
            states=tuple(state_of(dict(summary)) for summary in summaries),
            shares=tuple(summary["recovered_share"] or 0.0 for summary in summaries),
        )


def _changes(stuck: Scenario) -> Iterator[tuple[str, Scenario]]:
    """What may get a herd out of it, in words and as a scenario."""
    server = stuck.server
    if server.abandoned == "serve":
        yield (
            "a server that spends nothing on clients that have given up",
            with_server(stuck, abandoned="skip"),
        )
    jittered = Policy(base=1.0, cap=30.0, jitter="full")
    yield "exponential backoff 1 to 30 s with full jitter", stuck.with_policy(jittered)
    capacity = capacity_of(stuck)
    backlog = queue_in_time(stuck, capacity)
    if backlog is not None:
        yield (
            f"a queue of {backlog:,} instead of {server.backlog:,}, which is served before "
            "anybody's patience ends",
            with_server(stuck, backlog=backlog),
        )
    if any(cohort.connect_timeout is not None for cohort in stuck.cohorts):
        yield "clients with four times the patience", _more_patient(stuck, 4.0)
    for factor in (2, 4):
        more = with_steps(stuck, capacity_steps(stuck, factor * capacity))
        yield f"{factor} times the capacity", more
    for part in (0.5, 0.25):
        yield (
            f"{percent(1 - part)} of the clients held back",
            with_clients(stuck, part * stuck.n_clients),
        )


def _more_patient(scenario: Scenario, factor: float) -> Scenario:
    def patient(client: Any) -> Any:  # noqa: ANN401 - a client or a cohort
        timeout = client.connect_timeout
        return client.model_copy(update={"connect_timeout": timeout and timeout * factor})

    return scenario.model_copy(
        update={
            "client": patient(scenario.client),
            "cohort": tuple(patient(cohort) for cohort in scenario.cohort),
        }
    )
