"""Makes a schedule that breaks a promise as small as it can be, greedily.

A part is left out, or made plainer, if the rest still breaks the same promise; this goes on until
nothing more can be left out.
"""

from dataclasses import replace

from server_stub.outage import Outage
from simulator.errors import ScenarioError
from simulator.scenario import Cohort

from .world import play

MOST_TRIES = 400
"""Schedules played before a shrink ends with what it has."""

_PLAIN = {
    "heartbeat": None,
    "sync": "none",
    "operation_rate": None,
    "visible_share": 1.0,
    "network_monitor": None,
    "brake": None,
    "rtt": 0.02,
    "connect_timeout": 1.0,
}
"""The settings of a cohort that does as little as possible."""


def shrink(schedule, promise, *, breaks=None):
    """The smallest schedule found that breaks this promise.

    Args:
        schedule: One that does.
        promise: Which.
        breaks: Tells which promises a schedule breaks; by playing it unless told otherwise.
    """
    breaks = breaks or broken_promises
    tries = 0
    progress = True
    while progress:
        progress = False
        for make in _simpler(schedule):
            try:
                candidate = make()
            except (ScenarioError, ValueError):
                continue
            if candidate == schedule:
                continue
            tries += 1
            if tries > MOST_TRIES:
                return schedule
            if promise in breaks(candidate):
                schedule, progress = candidate, True
                break
    return schedule


def broken_promises(schedule):
    """Which promises a schedule breaks; a crash is one of them, by the name of the error."""
    return {promise for promise, _ in violations_of(schedule)}


def violations_of(schedule):
    """What a schedule breaks and how."""
    try:
        return play(schedule).violations
    except Exception as error:
        return [(f"no crash: {_name(error)}", repr(error))]


def _name(error):
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return type(error).__name__


def _simpler(schedule):
    """Ways to make a schedule a little simpler, the boldest first."""
    scenario = schedule.scenario
    for index in range(len(scenario.outage)):
        rest = scenario.outage[:index] + scenario.outage[index + 1 :]
        yield lambda rest=rest: schedule.with_scenario(outage=rest)
    yield lambda: schedule.with_scenario(deploy=())
    yield lambda: _with_all_nodes(schedule)
    yield lambda: replace(schedule, acts=())
    for index in range(len(schedule.acts)):
        rest = schedule.acts[:index] + schedule.acts[index + 1 :]
        yield lambda rest=rest: replace(schedule, acts=rest)
    for fewer in sorted({1, scenario.n_clients // 2, scenario.n_clients - 1} - {0}):
        yield lambda fewer=fewer: _with_clients(schedule, fewer)
    if len(scenario.cohorts) > 1:
        for cohort in scenario.cohorts:
            yield lambda cohort=cohort: _with_one_cohort(schedule, cohort)
    yield lambda: replace(schedule, latency=0.0, piece=None)
    yield lambda: replace(schedule, piece=None)
    yield lambda: schedule.with_scenario(transport="wsproto")
    for part in ("history", "ledger", "service_time"):
        yield lambda part=part: _with_server(schedule, part)
    for field in type(scenario.server).model_fields:
        yield lambda field=field: _with_server(schedule, field)
    for index, cohort in enumerate(scenario.cohorts):
        for field in ("policy", "outgoing", "close_codes", *_PLAIN):
            yield lambda i=index, c=cohort, f=field: _with_cohort(schedule, i, _plainer(c, f))
    yield from _rounder(schedule)


def _with_clients(schedule, n_clients):
    acts = tuple(act for act in schedule.acts if act.client < n_clients)
    return replace(schedule.with_scenario(n_clients=n_clients), acts=acts)


def _with_one_cohort(schedule, cohort):
    """Everybody is in this cohort."""
    outages = tuple(
        outage.model_copy(update={"cohort": None}) for outage in schedule.scenario.outage
    )
    alone = cohort.model_copy(update={"share": 1.0})
    return schedule.with_scenario(cohort=(alone,), outage=outages)


def _with_all_nodes(schedule):
    """There is only one node, which every outage hits."""
    outages = tuple(
        outage.model_copy(update={"nodes": None}) for outage in schedule.scenario.outage
    )
    server = schedule.scenario.server.model_copy(update={"nodes": 1})
    return schedule.with_scenario(outage=outages, server=server)


def _with_server(schedule, field):
    """The server has the default of this setting."""
    server = schedule.scenario.server
    plain = type(server)()
    return schedule.with_scenario(server=server.model_copy(update={field: getattr(plain, field)}))


def _plainer(cohort, field):
    plain = _PLAIN.get(field, getattr(Cohort(), field))
    return cohort.model_copy(update={field: plain})


def _with_cohort(schedule, index, cohort):
    cohorts = schedule.scenario.cohort
    return schedule.with_scenario(cohort=(*cohorts[:index], cohort, *cohorts[index + 1 :]))


def _rounder(schedule):
    """The same with fewer digits."""
    outages = schedule.scenario.outage
    for index, outage in enumerate(outages):
        for field in ("starts_at", "down_for"):
            for digits in (1, 2, 3):
                value = round(getattr(outage, field), digits)
                yield lambda i=index, change={field: value}: _with_outage(schedule, i, change)
    for digits in (1, 2, 3):
        acts = tuple(act._replace(at=round(act.at, digits)) for act in schedule.acts)
        yield lambda acts=acts: replace(schedule, acts=acts)


def _with_outage(schedule, index, change):
    outages = schedule.scenario.outage
    outage = Outage(**{**outages[index].model_dump(), **change})
    return schedule.with_scenario(outage=(*outages[:index], outage, *outages[index + 1 :]))
