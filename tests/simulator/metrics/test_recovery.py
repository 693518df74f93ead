"""Recovery: from an outage's end until a share of its clients is connected and stays so."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.metrics.recovery import changes_of, spans_of
from simulator.metrics.scope import Observation

END = 20.0


def cohorts(herd, **fields):
    """Clients 0 and 1 are one cohort, at home; 2 and 3 another, out of doors."""
    run = herd(4, shares={"home": 0.5, "away": 0.5}, **fields)
    run.cohort_of[:] = [0, 0, 1, 1]
    return run


def recoveries(run, **manifest):
    """One per outage."""
    return Observation(run.result(**manifest)).whole.recoveries


def recovery(run, **manifest):
    """Of the only outage."""
    (only,) = recoveries(run, **manifest)
    return only


@pytest.mark.parametrize("n_clients", [1, 10, 100])
@pytest.mark.parametrize("share", [0.5, 0.95, 0.99, 1.0])
def test_a_herd_served_at_capacity_is_back_after_share_times_floor(herd, n_clients, share):
    """The k-th connects k/C after the outage, so a share p is back at pN/C (P6)."""
    capacity = 8
    run = herd(n_clients).outage(2, 6)
    for client in range(n_clients):
        run.loses(client, 2).tries(client, 6 + (client + 1) / capacity)
    expected = math.ceil(round(share * n_clients, 6)) / capacity
    assert recovery(run).time(share) == pytest.approx(expected)
    assert recovery(run).goodput() == pytest.approx(capacity)


def test_who_is_back_must_stay(herd):
    """A client that drops out again sets its share back to its last return."""
    run = herd(2).outage(2, 6).loses(0, 2).loses(1, 2).tries(0, 7).tries(1, 8)
    run.loses(0, 9, outage=-1).tries(0, 12)
    assert recovery(run).time(0.5) == 1
    assert recovery(run).time(1.0) == 6


def test_who_gave_up_or_is_still_down_stays_in_the_denominator(herd):
    """Three of four are needed for 75 percent, and only two are back."""
    run = herd(4).outage(2, 6)
    for client in range(4):
        run.loses(client, 2)
    run.tries(0, 7).tries(1, 8).gives_up(2, 9)
    assert recovery(run).time(0.5) == 2
    assert recovery(run).time(0.75) == math.inf


def test_clients_it_did_not_touch_do_not_count(herd):
    """Neither for nor against."""
    run = herd(10).outage(2, 6).loses(3, 2).tries(3, 7)
    assert recovery(run).n_clients == 1
    assert recovery(run).time(1.0) == 1


def test_who_was_back_before_the_outage_ended_takes_no_time(herd):
    """Another node let it in."""
    run = herd(1).outage(2, 6).loses(0, 2).tries(0, 4)
    assert recovery(run).time(1.0) == 0


def test_an_outage_that_nobody_lost_by_takes_no_time(herd):
    """And has no goodput to speak of."""
    run = herd(3).outage(2, 6)
    assert recovery(run).time(1.0) == 0
    assert math.isnan(recovery(run).goodput())


def test_who_is_still_down_at_the_next_outage_counts_for_both(herd):
    """The first outage never recovers: the next one came before."""
    run = herd(2).outage(2, 6).loses(0, 2).loses(1, 2).tries(0, 7)
    run.outage(10, 14).loses(0, 10).tries(0, 15).tries(1, 16)
    first, second = recoveries(run)
    assert (first.time(0.5), first.time(1.0)) == (1, math.inf)
    assert (second.n_clients, second.time(1.0)) == (2, 2)


def test_the_next_outage_does_not_undo_a_recovery(herd):
    """Staying connected until it starts is enough."""
    run = herd(1).outage(2, 6).loses(0, 2).tries(0, 7).outage(10, 14).loses(0, 10)
    first, second = recoveries(run)
    assert (first.time(1.0), second.time(1.0)) == (1, math.inf)


def test_an_outage_that_never_ended_has_no_recovery(herd):
    """The run was over, or was killed, before."""
    run = herd(1).outage(2, 6, recorded=False).loses(0, 2).tries(0, 7)
    assert recovery(run).time(1.0) == math.inf
    assert math.isnan(recovery(run).goodput())


def test_an_outage_after_the_end_is_not_observed(herd):
    """The run ended early, because everybody was back."""
    run = herd(1).outage(2, 6).loses(0, 2).tries(0, 7).outage(50, 56)
    assert [span.outage for span in spans_of(run.result(), 20.0)] == [0]


def test_an_outage_of_several_nodes_is_one(herd):
    """From the first to fail to the last to return."""
    run = herd(1).outage(2, 6)
    run.rows["outages"].append((0, 0, 1, 3, 9))
    (span,) = spans_of(run.result(), 100.0)
    assert (span.starts_at, span.ends_at, span.next_starts_at) == (2, 9, math.inf)


def test_a_path_cut_meanwhile_does_not_end_the_recovery_from_a_restart(herd):
    """Whoever it keeps away is simply not back yet."""
    run = cohorts(herd).outage(2, 6)
    for client in range(4):
        run.loses(client, 2)
    run.outage(4, 10, kind="network", cohort="away")
    run.tries(0, 7).tries(1, 8).tries(2, 12).tries(3, 13)
    restart, cut = recoveries(run)
    assert (restart.n_clients, restart.time(0.5), restart.time(1.0)) == (4, 2, 7)
    assert (cut.n_clients, cut.time(0.5), cut.time(1.0)) == (2, 2, 3)


def test_a_later_cut_ends_the_recovery_only_of_those_it_touches(herd):
    """The others are followed on; for those it touches stands what was before."""
    run = cohorts(herd, horizon=40.0).outage(2, 6)
    for client in range(4):
        run.loses(client, 2)
    run.tries(0, 7).tries(2, 8).tries(3, 9)
    run.outage(10, 20, kind="network", cohort="away").loses(2, 10, noticed_at=12).tries(2, 21)
    run.tries(1, 16)
    restart, cut = recoveries(run)
    assert (restart.time(0.75), restart.time(1.0), restart.until) == (3, 10, 40)
    assert (cut.n_clients, cut.time(1.0)) == (1, 1)


def test_the_outages_of_one_place_follow_one_another(herd):
    """The stretch after an outage reaches to the first one after its end."""
    run = herd(1).outage(2, 6).outage(4, 10, kind="network").outage(8, 9).outage(20, 21)
    spans = spans_of(run.result(), 100.0)
    assert [span.next_starts_at for span in spans] == [8, 20, 20, math.inf]
    assert [span.on_the_network for span in spans] == [False, True, False, False]


def test_a_slow_spell_neither_ends_a_recovery_nor_has_one(herd):
    """It disconnects nobody: who is down in it is down for another reason."""
    run = herd(2).outage(2, 6, kind="crash").loses(0, 2).loses(1, 2)
    run.outage(7, 9, kind="slow").tries(0, 8).tries(1, 10).outage(20, 21)
    crash, slow, _ = recoveries(run)
    assert (crash.n_clients, crash.time(1.0), crash.until) == (2, 4, 20)
    assert (slow.n_clients, slow.time(1.0)) == (0, 0)
    assert [span.next_starts_at for span in spans_of(run.result(), 100.0)] == [20, 20, math.inf]


def test_goodput_without_full_recovery_is_over_the_whole_stretch(herd):
    """Up to the next outage or the end."""
    run = herd(4, horizon=16.0).outage(2, 6)
    for client in range(4):
        run.loses(client, 2)
    assert recovery(run).goodput() == 0
    run.tries(0, 7).tries(1, 8)
    assert recovery(run).goodput() == pytest.approx(2 / 10)


def test_a_client_without_a_recorded_ramp_was_connected(herd):
    """An engine that leaves the ramp out says the same."""
    run = herd(3)
    run.rows["attempts"].clear()
    changes = changes_of(run.outage(2, 6).loses(0, 2).tries(0, 7).result())
    assert changes.connected_before(2).tolist() == [True, True, True]
    assert changes.connected_before(3).tolist() == [False, True, True]
    assert changes.connected_before(7).tolist() == [False, True, True]
    assert changes.connected_before(7.5).tolist() == [True, True, True]


LIVES = st.lists(
    st.lists(st.integers(4, 40), max_size=7, unique=True).map(sorted), min_size=1, max_size=5
)


def first_instant_for_good(lives, need, *, outage_end, until):
    """The definition, word for word: try every instant, and for each every later one.

    A client is down from 2 s (its loss in the outage) and changes at each instant of its life.
    """

    def n_connected(at):
        return sum(sum(change <= at for change in life) % 2 for life in lives)

    halves = range(int(outage_end * 2), int(until * 2) + 1)
    for half in halves:
        if all(n_connected(later / 2) >= need for later in halves if later >= half):
            return half / 2 - outage_end
    return math.inf


@given(LIVES, st.data())
def test_agrees_with_trying_every_instant(herd, lives, data):
    """Any number of clients that come and go at any half second, some at the same."""
    lives = [[half / 2 for half in life] for life in lives]
    run = herd(len(lives), horizon=END).outage(2, 6)
    for client, life in enumerate(lives):
        run.loses(client, 2)
        for turn, at in enumerate(life):
            if turn % 2 == 0:
                run.tries(client, at)
            else:
                run.loses(client, at, outage=-1)
    need = data.draw(st.integers(1, len(lives)))
    expected = first_instant_for_good(lives, need, outage_end=6.0, until=END)
    assert recovery(run).time(need / len(lives)) == expected
