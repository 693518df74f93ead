"""Nodes and stages over arrays against one event at a time: attempt by attempt."""

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from server_stub.config import ServiceTime
from server_stub.outage import Outage
from server_stub.stages import Stage
from simulator.core.backoff import Policy
from simulator.core.cohorts import deal_cohorts
from simulator.engines.model.arrays import Arrays
from simulator.engines.model.node_numbers import node_numbers
from simulator.scenario import ClientConfig, Scenario
from tests.simulator.engines.model.drawing import coarse, servers
from tests.simulator.engines.model.tandem import Tandem

services = st.sampled_from(
    [
        ServiceTime(kind="constant", mean=0.05),
        ServiceTime(kind="exponential", mean=0.1),
        ServiceTime(mean=0.02),
    ]
)


@st.composite
def stages(draw, number):
    """Shared or of a node, narrow or wide, patient or not."""
    return Stage(
        name=f"stage-{number}",
        workers=draw(st.sampled_from([1, 2, 8])),
        service_time=draw(services),
        backlog=draw(st.sampled_from([0, 2, 40])),
        timeout=draw(st.sampled_from([None, None, 0.1, 0.3])),
        shared=draw(st.booleans()),
        share=draw(st.sampled_from([1.0, 1.0, 0.5])),
    )


@st.composite
def fleets(draw):
    """Up to four nodes with up to two stages, and one to three outages of all or some."""
    n_nodes = draw(st.integers(1, 4))
    some = st.lists(st.integers(0, n_nodes - 1), min_size=1, unique=True).map(tuple)
    outages, at = [], 0.0
    for _ in range(draw(st.integers(1, 3))):
        at += draw(coarse)
        down_for = draw(st.sampled_from([0.25, 1.0, 3.5]))
        kind = draw(st.sampled_from(["graceful", "crash"]))
        nodes = draw(st.none() | some)
        outages.append(Outage(kind=kind, starts_at=at, down_for=down_for, nodes=nodes))
        at += down_for + draw(st.sampled_from([0.0, 0.1, 1.0]))
    horizon = draw(st.sampled_from([6.0, 14.0]))
    return Scenario(
        seed=draw(st.integers(0, 2**32)),
        n_clients=draw(st.integers(1, 60)),
        horizon=horizon,
        grace=draw(st.sampled_from([0.0, 1.0])),
        ramp_rate=100.0,
        server=draw(
            servers(
                nodes=n_nodes,
                balance=draw(st.sampled_from(["round_robin", "random", "hash"])),
                stages=tuple(draw(stages(number)) for number in range(draw(st.integers(0, 2)))),
            )
        ),
        outage=tuple(outage for outage in outages if outage.starts_at < horizon),
        client=ClientConfig(
            policy=Policy(
                growth="constant",
                base=draw(st.sampled_from([0.0, 0.1, 0.5])),
                jitter=draw(st.sampled_from(["none", "full"])),
            ),
            rtt=draw(st.sampled_from([0.02, 0.1])),
            connect_timeout=draw(st.sampled_from([None, 0.2, 0.5, 2.0])),
        ),
    )


@settings(max_examples=80)
@given(scenario=fleets())
def test_as_one_event_at_a_time(scenario):
    """Every attempt, its node, every loss, and what each queue of each station has done."""
    cohort_of = deal_cohorts(scenario.seed, [1.0], scenario.n_clients)
    expected = Tandem(scenario, cohort_of).run()
    course = Arrays(scenario, cohort_of).run()
    held_by, went_to = node_numbers(scenario, course, cohort_of)
    assert _rows(course.attempts, went_to) == sorted(expected.attempts)
    losses = {name: course.losses[name] for name in ("client", "episode", "outage", "noticed_at")}
    assert _rows(losses, held_by) == sorted(expected.losses)
    counts, waited = Counter(), Counter()
    for number, columns in course.stages.items():
        for name in ("arrivals", "admitted", "rejected", "completed", "wasted"):
            for group, interval in zip(*np.nonzero(columns[name]), strict=True):
                counts[name, number, group, interval] = columns[name][group, interval]
        for group, total in enumerate(columns["waited"].sum(axis=1)):
            waited[number, group] = total
            for level, name in (("waiting", "backlog"), ("busy", "busy_workers")):
                assert columns[name][group].max() == expected.peaks[number, group, level], level
    if scenario.server.stages:
        assert counts == expected.counts
        assert waited == expected.waited


def _rows(columns, nodes):
    """A table's rows with a node each, in order."""
    return sorted(
        zip(*(values.tolist() for values in columns.values()), nodes.tolist(), strict=True)
    )
