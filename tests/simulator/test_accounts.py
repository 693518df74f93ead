"""What came of each client's events and operations, joined from both sides."""

import numpy as np
import pytest


def counts(run, name):
    """A column of the clients, NaN as None."""
    values = run.result().clients[name].tolist()
    return [None if np.isnan(value) else value for value in values]


class TestEventsMissed:
    """`n_events_missed` of clients that fetch nothing."""

    def test_counts_what_was_published_between_two_connections(self, herd):
        """Also before a later event shows it, and what is on its way is not missed."""
        run = herd(2).publishes(1, 2, 3, 4, 5, 6).outage(1.5, 3.5)
        run.loses(0, 1.5).tries(0, 4.5).account(0, n_heard=1, epoch=1, event=1)
        run.loses(1, 1.5).tries(1, 4.5).account(1, n_heard=3, epoch=1, event=6)
        assert counts(run, "n_events_missed") == [3, 3]

    def test_counts_everything_since_for_who_does_not_come_back(self, herd):
        """Whether it gave up or is still trying."""
        run = herd(2).publishes(1, 2, 3, 4).outage(1.5, 3.5).loses(0, 1.5).loses(1, 1.5)
        run.gives_up(0, 2).account(0, n_heard=1, epoch=1, event=1)
        run.account(1, n_heard=1, epoch=1, event=1)
        assert counts(run, "n_events_missed") == [3, 3]

    def test_spans_a_history_that_was_lost(self, herd):
        """Ids begin again, and the end of the old history was missed, too."""
        run = herd(2).publishes(1, 2, 3).publishes(4, 5, 6, epoch=2).outage(1.5, 3.5)
        run.loses(0, 1.5).tries(0, 4.5).account(0, n_heard=3, epoch=2, event=3)
        run.account(1, n_heard=6, epoch=2, event=3)
        assert counts(run, "n_events_missed") == [3, 0]

    def test_is_nothing_for_who_was_connected_all_along(self, herd):
        """Even if nothing was heard yet: it is on its way."""
        run = herd(2).publishes(1, 2).account(0).account(1, n_heard=1, epoch=1, event=1)
        assert counts(run, "n_events_missed") == [0, 0]

    @pytest.mark.parametrize("sync", ["delta", "full"])
    def test_is_nothing_for_who_fetches_it(self, herd, sync):
        """Once it is back; until then it waits."""
        run = herd(1, sync=sync).publishes(1, 2, 3).outage(1.5, 3.5).loses(0, 1.5).tries(0, 4)
        assert counts(run.account(0), "n_events_missed") == [0]

    @pytest.mark.parametrize("sync", ["none", "delta"])
    def test_is_unknown_without_an_account(self, herd, sync):
        """The client's process was killed."""
        run = herd(2, sync=sync).publishes(1).account(1, n_heard=1, epoch=1, event=1)
        assert counts(run, "n_events_missed") == [None, 0]


class TestOperations:
    """`n_operations_lost` and `n_operations_duplicated`."""

    def test_what_waits_or_was_set_aside_is_not_lost(self, herd):
        """Ten issued: five applied, three waiting, one set aside, so that one is gone."""
        run = herd(1).account(0, n_operations=10, n_unanswered=3, n_set_aside=1).applied(0, 5)
        assert counts(run, "n_operations") == [10]
        assert counts(run, "n_operations_lost") == [1]

    def test_an_operation_applied_before_its_answer_is_not_less_than_none_lost(self, herd):
        """It counts as applied and as waiting."""
        run = herd(1).account(0, n_operations=3, n_unanswered=1).applied(0, 3)
        assert counts(run, "n_operations_lost") == [0]

    def test_applied_again_is_duplicated(self, herd):
        """By client; one without a tally had nothing applied."""
        run = herd(3).account(0, n_operations=2).account(1).account(2, n_operations=1)
        run.applied(2, 1, 1).applied(0, 2)
        assert counts(run, "n_operations_duplicated") == [0, 0, 1]
        assert counts(run, "n_operations_lost") == [0, 0, 0]

    def test_without_the_servers_books_nobody_knows(self, herd):
        """The server was killed, though it had answered."""
        run = herd(2).account(0, n_operations=2, n_unanswered=1).account(1)
        for name in ("n_operations_lost", "n_operations_duplicated"):
            assert counts(run, name) == [None, None]
        assert counts(run, "n_operations") == [2, 0]

    def test_a_killed_worker_leaves_its_clients_unknown(self, herd):
        """The others are known."""
        run = herd(2).account(1, n_operations=2, n_delta_sync=4).applied(1, 2).applied(0, 2)
        for name, value in (
            ("n_operations", 2),
            ("n_operations_lost", 0),
            ("n_operations_duplicated", 0),
            ("n_delta_sync", 4),
        ):
            assert counts(run, name) == [None, value]
