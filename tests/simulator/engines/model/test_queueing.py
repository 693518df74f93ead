"""Whole arrays of jobs against the stub's own desk, which takes them one at a time."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_stub.admission import Decision, Desk, Job
from server_stub.config import ServerConfig
from simulator.engines.model import queueing
from simulator.engines.model.queueing import Fifo

jobs = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 30)), max_size=60)


def by_the_desk(workers, backlog, arrivals):
    """(admitted, starts_at, departs_at, waiting, busy) of each arrival."""
    desk = Desk(ServerConfig(workers=workers, backlog=backlog))
    seen = []
    for at, takes in arrivals:
        desk.finish(at)
        job = Job(arrived_at=at, service_time=takes)
        admitted = desk.arrive(job) is not Decision.OVERFLOW
        seen.append((job, admitted, desk.backlog))
    desk.finish(10**9)
    starts = [job.due_at - job.service_time for job, _, _ in seen]
    return [
        (
            admitted,
            start if admitted else 0,
            job.due_at if admitted else 0,
            waiting,
            _busy_just_after(seen, starts, index) if admitted else 0,
        )
        for index, ((job, admitted, waiting), start) in enumerate(zip(seen, starts, strict=True))
    ]


def _busy_just_after(seen, starts, index):
    """How many of those who started no later than this job are not done when it starts."""
    at = starts[index]
    return sum(
        admitted and starts[other] <= at < job.due_at
        for other, (job, admitted, _) in enumerate(seen[: index + 1])
    )


def by_the_array(workers, backlog, arrivals, cuts):
    """The same, with the arrivals handed over in pieces."""
    fifo = Fifo(workers, backlog)
    at = np.array([at for at, _ in arrivals], dtype=np.int64)
    takes = np.array([takes for _, takes in arrivals], dtype=np.int64)
    seen = []
    bounds = [0, *sorted(min(cut, at.size) for cut in cuts), at.size]
    for first, last in pairwise(bounds):
        seen += zip(
            *(column.tolist() for column in fifo.serve(at[first:last], takes[first:last])),
            strict=True,
        )
    return seen


@pytest.mark.parametrize(
    "limits",
    [(1, 2), (1, 1000), (1000, 1000)],
    ids=["a block at a time, in shifts", "a block at a time, by a heap", "one by one"],
)
@given(
    gaps_and_services=jobs,
    workers=st.integers(1, 6),
    backlog=st.integers(0, 8),
    cuts=st.lists(st.integers(0, 60), max_size=4),
)
def test_as_the_desk_does_it(limits, gaps_and_services, workers, backlog, cuts):
    """Who is let in, when each starts and is done, who waits: however the arrivals are cut."""
    at, arrivals = 0, []
    for gap, takes in gaps_and_services:
        at += gap // 8
        arrivals.append((at, takes))
    with pytest.MonkeyPatch.context() as patch:
        few_places, many_workers = limits
        patch.setattr(queueing, "_FEW_PLACES", few_places)
        patch.setattr(queueing, "_MANY_WORKERS", many_workers)
        patch.setattr(queueing, "_SHIFTS", 1)
        assert by_the_array(workers, backlog, arrivals, cuts) == by_the_desk(
            workers, backlog, arrivals
        )
