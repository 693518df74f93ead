"""Series: what the figures show, checked on lives written down by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.core.outcomes import Outcome
from simulator.metrics.series import (
    FastestRecovery,
    arrival_rate,
    attempt_rate,
    fastest_recoveries,
    raster_points,
    share_connected,
    steps_within,
)


class TestAttemptRate:
    """`attempt_rate`."""

    def test_counts_attempts_by_bin_and_outcome(self, herd):
        """Rates are per second, in bins from t = 0, one row per outcome; the ramp is in none."""
        run = herd(2, horizon=3.0).outage(0.5, 1.0)
        for client in (0, 1):
            run.loses(client, 0.5).tries(client, 0.8, Outcome.REFUSED, started_at=0.7)
            run.tries(client, 2.5, started_at=1.5 + client)
        rate = attempt_rate(run.result(), width=0.5)
        np.testing.assert_allclose(rate.edges, [0, 0.5, 1, 1.5, 2, 2.5, 3])
        np.testing.assert_allclose(rate.by_outcome[Outcome.REFUSED], [0, 4, 0, 0, 0, 0])
        np.testing.assert_allclose(rate.by_outcome[Outcome.CONNECTED], [0, 0, 0, 2, 0, 2])
        np.testing.assert_allclose(rate.total, [0, 4, 0, 2, 0, 2])

    def test_has_a_bin_for_an_attempt_started_too_late(self, herd):
        """An attempt that was owed within the observation is counted where it was started."""
        run = herd(1, horizon=1.0).loses(0, 0.5)
        run.tries(0, 1.3, Outcome.CANCELLED, started_at=1.25, due_at=0.95)
        rate = attempt_rate(run.result(), width=0.5)
        np.testing.assert_allclose(rate.edges, [0, 0.5, 1, 1.5])
        np.testing.assert_allclose(rate.total, [0, 0, 2])

    @given(
        starts=st.lists(st.floats(0, 50, allow_subnormal=False), max_size=30),
        width=st.sampled_from([0.01, 0.1, 0.3, 1.0, 7.0]),
    )
    def test_integrates_to_the_number_of_attempts(self, herd, starts, width):
        """However wide the bins, no attempt is lost or counted twice."""
        run = herd(1, horizon=50.0).loses(0, 0.0)
        for start in starts:
            run.tries(0, start + 0.1, Outcome.REFUSED, started_at=start)
        rate = attempt_rate(run.result(), width=width)
        assert rate.total.sum() * width == pytest.approx(len(starts))
        assert rate.edges.size == rate.total.size + 1
        assert rate.edges[-1] >= 50.0 or rate.edges[-1] == pytest.approx(50.0)


class TestArrivalRate:
    """`arrival_rate`."""

    def test_adds_up_the_server_record(self, herd):
        """Rows of 10 ms become bins, of all nodes together, from t = 0 to the end."""
        run = herd(1, horizon=0.4).interval(-0.005, arrivals=50)
        run.interval(0.005, arrivals=1).interval(0.005, arrivals=2, node=1)
        run.interval(0.095, arrivals=4).interval(0.395, arrivals=8).interval(0.405, arrivals=9)
        rate = arrival_rate(run.result(), width=0.1)
        np.testing.assert_allclose(rate.edges, [0, 0.1, 0.2, 0.3, 0.4])
        np.testing.assert_allclose(rate.per_second, [30, 40, 0, 80])

    def test_is_none_without_a_record(self, herd):
        """A server that is not ours leaves no arrivals to show."""
        assert arrival_rate(herd(1).result()) is None


class TestShareConnected:
    """`share_connected`."""

    def test_steps_at_every_change(self, herd):
        """All who break at one instant are one step; each return is one."""
        run = herd(4, horizon=10.0).outage(2.0, 3.0)
        for client in range(4):
            run.loses(client, 2.0, noticed_at=2.1)
        run.tries(0, 4.0).tries(1, 5.0).tries(2, 11.0)
        connected = share_connected(run.result())
        np.testing.assert_allclose(connected.edges, [0, 2, 4, 5, 10])
        np.testing.assert_allclose(connected.share, [1, 0, 0.25, 0.5])

    def test_can_be_that_of_one_cohort(self, herd):
        """Its own changes, as a share of its own clients."""
        run = herd(4, horizon=10.0, shares={"one": 0.5, "other": 0.5}).outage(2, 6)
        run.cohort_of[2:] = 1
        run.loses(0, 2).loses(2, 3).loses(3, 4).tries(0, 7)
        result = run.result()
        one, other = (share_connected(result, cohort=index) for index in (0, 1))
        np.testing.assert_allclose(one.edges, [0, 2, 7, 10])
        np.testing.assert_allclose(one.share, [1, 0.5, 1])
        np.testing.assert_allclose(other.edges, [0, 3, 4, 10])
        np.testing.assert_allclose(other.share, [1, 0.5, 0])

    def test_ends_with_what_happened_at_the_very_end(self, herd):
        """A connect at the last instant is in the last step, which has no width."""
        run = herd(1, horizon=5.0).outage(1.0, 2.0).loses(0, 1.0).tries(0, 5.0)
        connected = share_connected(run.result())
        np.testing.assert_allclose(connected.edges, [0, 1, 5, 5])
        np.testing.assert_allclose(connected.share, [1, 0, 1])

    def test_of_a_run_cut_off_in_its_ramp_is_one_instant(self, herd):
        """Without an origin all records lie before t = 0, and the series still exists."""
        connected = share_connected(herd(2).result(origin=None, observed_until=None))
        np.testing.assert_allclose(connected.edges, [0, 0])
        np.testing.assert_allclose(connected.share, [1])


class TestRasterPoints:
    """`raster_points`."""

    def test_has_one_point_per_attempt(self, herd):
        """Points come in the order of their starts, without the ramp."""
        run = herd(2).outage(1.0, 2.0).loses(0, 1.0).loses(1, 1.0)
        run.tries(1, 4.0, started_at=3.0).tries(0, 3.5, Outcome.RESET, started_at=2.0)
        points = raster_points(run.result())
        np.testing.assert_array_equal(points.client, [0, 1])
        np.testing.assert_array_equal(points.started_at, [2.0, 3.0])
        np.testing.assert_array_equal(points.outcome, [Outcome.RESET, Outcome.CONNECTED])


class TestFastestRecoveries:
    """`fastest_recoveries`."""

    def test_is_a_line_at_capacity_from_the_end_of_the_outage(self, herd):
        """20 clients at 10 per second take 2 s from nobody to everybody."""
        run = herd(20, capacity=10).outage(1.0, 3.0)
        for client in range(20):
            run.loses(client, 1.0)
        assert fastest_recoveries(run.result()) == (
            FastestRecovery(starts_at=3.0, share=0.0, ends_at=5.0),
        )

    def test_starts_from_those_who_stayed(self, herd):
        """Who never lost the connection need not come back."""
        run = herd(20, capacity=10).outage(1.0, 3.0, kind="freeze")
        for client in range(5):
            run.loses(client, 1.0, noticed_at=2.5)
        assert fastest_recoveries(run.result()) == (
            FastestRecovery(starts_at=3.0, share=0.75, ends_at=3.5),
        )

    @pytest.mark.parametrize("ends_at", [150.0, np.inf])
    def test_leaves_out_an_outage_that_was_not_over(self, herd, ends_at):
        """There is nothing to recover from before an outage ends."""
        run = herd(2, horizon=100.0).outage(1.0, 3.0, recorded=False).loses(0, 1.0)
        run.rows["outages"].append((0, 0, 0, 1.0, ends_at))
        assert fastest_recoveries(run.result()) == ()

    def test_is_nothing_without_an_outage(self, herd):
        """No outage, no recovery."""
        assert fastest_recoveries(herd(2).result()) == ()


def test_steps_within_merges_simultaneous_changes():
    """Levels between two changes at one instant never lasted, so they are not shown."""
    at = np.array([-1.0, 0.0, 2.0, 2.0, 3.0, 9.0])
    edges, levels = steps_within(at, np.arange(7), 5.0)
    np.testing.assert_allclose(edges, [0, 2, 3, 5])
    np.testing.assert_array_equal(levels, [2, 4, 5])
