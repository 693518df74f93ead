"""What arrivals met, over time."""

import numpy as np

from server_stub.doorkeeper import Reason
from simulator.metrics.door import Met, arrivals_met


def test_every_rule_that_turns_arrivals_away_is_one_of_them():
    """But for the outage, which sends away whom it had let in."""
    assert [met.name for met in Met][1:] == [reason.name for reason in Reason][:-1]


def test_arrivals_are_counted_by_what_they_met(herd):
    """Per second, in bins; those before t = 0 and after the end are left out."""
    run = herd(1, horizon=2.0).interval(-0.5, turned_away={"backlog": 9})
    run.interval(0.25, turned_away={"backlog": 2, "outage": 7})
    run.interval(0.31, turned_away={"backlog": 1, "admission": 4}).interval(2.5, arrivals=1)
    met = arrivals_met(run.result(), width=0.5)
    np.testing.assert_allclose(met.edges, [0.0, 0.5, 1.0, 1.5, 2.0])
    np.testing.assert_allclose(met.per_second[Met.BACKLOG], [6, 0, 0, 0])
    assert dict(zip(Met, met.totals.tolist(), strict=True)) == {
        Met.ADMITTED: 0,
        Met.BACKLOG: 3,
        Met.MAX_CONNECTIONS: 0,
        Met.ADMISSION: 4,
        Met.MAX_PER_ADDRESS: 0,
    }


def test_without_a_record_of_the_server_nothing_is_known(herd):
    """None, rather than nobody."""
    assert arrivals_met(herd(1).result()) is None
