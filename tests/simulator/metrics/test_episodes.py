"""Episodes: from a loss to being connected again, or not."""

import numpy as np

from simulator.core.outcomes import Outcome
from simulator.metrics.episodes import end_of_observation, episodes_of
from simulator.metrics.load import attempts_of


def test_reconnect_time_counts_from_the_loss(herd):
    """Not from its notice, nor from the attempt that got through."""
    run = herd(1).outage(2, 6).loses(0, 2, noticed_at=5)
    run.tries(0, 5.5, Outcome.REFUSED).tries(0, 9, started_at=8)
    episodes = episodes_of(run.result(), 100.0)
    assert episodes.reconnect_time.tolist() == [7]
    assert episodes.detection_time.tolist() == [3]


def test_each_loss_begins_an_episode_with_an_end_of_its_own(herd):
    """In order of their notice, whatever other clients do."""
    run = herd(2).outage(2, 6).loses(0, 2).loses(1, 3).tries(0, 7).tries(1, 8)
    run.outage(10, 14).loses(0, 10).tries(0, 15)
    episodes = episodes_of(run.result(), 100.0)
    assert episodes.client.tolist() == [0, 1, 0]
    assert episodes.outage.tolist() == [0, 0, 1]
    assert episodes.recovered_at.tolist() == [7, 8, 15]


def test_who_connects_at_the_horizon_is_back_who_does_after_is_not(herd):
    """RULES 5: attempts run on for a grace, but they come too late."""
    run = herd(2, horizon=20.0).outage(2, 6).loses(0, 2).loses(1, 2)
    run.tries(0, 20, started_at=19).tries(1, 20.5, started_at=19)
    assert episodes_of(run.result(), 20.0).recovered.tolist() == [True, False]


def test_giving_up_is_a_matter_of_the_last_episode(herd):
    """The first one ended well."""
    run = herd(2).outage(2, 6).loses(0, 2).tries(0, 7).outage(10, 14).loses(0, 10).loses(1, 10)
    episodes = episodes_of(run.gives_up(0, 12).result(), 100.0)
    assert episodes.outage.tolist() == [0, 1, 1]
    assert episodes.gave_up.tolist() == [False, True, False]
    assert episodes.recovered.tolist() == [True, False, False]


def test_what_happens_before_zero_or_after_the_end_is_not_observed(herd):
    """Neither the ramp, nor connections that end because the run does."""
    run = herd(2).loses(0, -0.5, outage=-1).tries(0, -0.2).outage(2, 6).loses(0, 2).tries(0, 7)
    run.loses(1, 101, outage=-1).tries(1, 102)
    result = run.result()
    assert episodes_of(result, 100.0).client.tolist() == [0]
    assert attempts_of(result, 100.0)["ended_at"].tolist() == [7]


def test_the_observation_ends_at_the_horizon_or_with_the_run(herd):
    """Whichever comes first."""
    run = herd(1, horizon=30.0)
    assert end_of_observation(run.result(observed_until=12.0)) == 12.0
    assert end_of_observation(run.result(observed_until=35.0)) == 30.0


def test_some_of_the_episodes(herd):
    """All columns alike."""
    run = herd(2).outage(2, 6).loses(0, 2).loses(1, 3)
    episodes = episodes_of(run.result(), 100.0)
    chosen = episodes.where(np.array([False, True]))
    assert chosen.n == 1
    assert chosen.broke_at.tolist() == [3]
