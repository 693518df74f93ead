"""States: what the fleet is doing over time, checked on lives written down by hand."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simulator.core.outcomes import Outcome
from simulator.keys import episode_keys
from simulator.metrics.series import share_connected
from simulator.metrics.states import FleetState, fleet_states


def numbered(result):
    """The same run, its attempts numbered within their episodes in the order of their starts."""
    order = np.argsort(episode_keys(result.attempts), kind="stable")
    keys = episode_keys(result.attempts)[order]
    attempt = np.empty(keys.size, dtype=np.uint32)
    attempt[order] = np.arange(keys.size) - np.searchsorted(keys, keys) + 1
    return replace(result, attempts={**result.attempts, "attempt": attempt})


def sequence(states):
    """The state of a fleet of one after each edge."""
    return [FleetState(state).name for state in states.counts.argmax(axis=0)]


class TestFleetStates:
    """`fleet_states`."""

    def test_follows_a_client_from_loss_to_recovery(self, herd):
        """Connected, unaware, waiting, dialling in vain, waiting, dialling, connected."""
        run = herd(1, horizon=9.0).outage(1.0, 4.0).loses(0, 1.0, noticed_at=1.5)
        run.tries(0, 3.0, Outcome.TIMED_OUT, started_at=2.0).tries(0, 6.0, started_at=5.0)
        states = fleet_states(numbered(run.result()))
        np.testing.assert_allclose(states.edges, [0, 1, 1.5, 2, 3, 5, 6, 9])
        assert sequence(states) == [
            "CONNECTED",
            "UNAWARE",
            "WAITING",
            "DIALLING",
            "WAITING",
            "DIALLING",
            "CONNECTED",
        ]
        np.testing.assert_allclose(states.client_seconds, [4, 2, 2.5, 0.5, 0])

    def test_shows_who_gave_up(self, herd):
        """Giving up is final, even at the instant at which the last attempt failed."""
        run = herd(1, horizon=9.0).loses(0, 1.0)
        run.tries(0, 3.0, Outcome.REFUSED, started_at=2.0).gives_up(0, 3.0)
        states = fleet_states(run.result())
        np.testing.assert_allclose(states.edges, [0, 1, 2, 3, 9])
        assert sequence(states) == ["CONNECTED", "WAITING", "DIALLING", "GAVE_UP"]

    def test_dials_at_the_instant_of_the_loss(self, herd):
        """What an immediate policy does at one instant counts in its causal order."""
        run = herd(1, horizon=9.0).loses(0, 1.0)
        run.tries(0, 2.0, Outcome.REFUSED, started_at=1.0).tries(0, 3.0, started_at=2.0)
        states = fleet_states(numbered(run.result()))
        np.testing.assert_allclose(states.edges, [0, 1, 2, 3, 9])
        assert sequence(states) == ["CONNECTED", "DIALLING", "DIALLING", "CONNECTED"]

    def test_is_not_fooled_by_a_break_recorded_before_the_connect(self, herd):
        """The server may break a connection that the client has yet to hear is open."""
        run = herd(1, horizon=9.0).loses(0, 1.0).tries(0, 3.0, started_at=2.0)
        run.loses(0, 2.9, noticed_at=3.5).tries(0, 5.0, started_at=4.0)
        states = fleet_states(run.result())
        np.testing.assert_allclose(states.edges, [0, 1, 2, 3, 3.5, 4, 5, 9])
        assert sequence(states)[3:] == ["UNAWARE", "WAITING", "DIALLING", "CONNECTED"]

    def test_takes_clients_without_a_ramp_for_connected(self, herd):
        """A foreign client's first connect may not be on record."""
        run = herd(1, horizon=9.0)
        run.rows["attempts"].clear()
        states = fleet_states(run.result())
        np.testing.assert_allclose(states.edges, [0, 9])
        assert sequence(states) == ["CONNECTED"]

    @given(
        lives=st.lists(
            st.lists(
                st.tuples(st.floats(0, 3), st.floats(0, 1), st.integers(0, 3), st.floats(0, 2)),
                max_size=4,
            ),
            min_size=1,
            max_size=6,
        )
    )
    def test_adds_up_to_the_fleet_at_every_instant(self, herd, lives):
        """Everybody is in one state, and the connected ones are those of `share_connected`."""
        run = herd(len(lives), horizon=12.0)
        for client, life in enumerate(lives):
            now = 0.0
            for uptime, blindness, n_failures, wait in life:
                now += uptime
                run.loses(client, now, noticed_at=now + blindness)
                now += blindness
                for _ in range(n_failures):
                    run.tries(client, now + wait + 0.5, Outcome.REFUSED, started_at=now + wait)
                    now += wait + 0.5
                run.tries(client, now + 0.25, started_at=now)
                now += 0.25
        result = numbered(run.result())
        states, connected = fleet_states(result), share_connected(result)
        assert (states.counts >= 0).all()
        np.testing.assert_array_equal(states.counts.sum(axis=0), len(lives))
        steps = np.searchsorted(connected.edges[:-1], states.edges[:-1], side="right") - 1
        np.testing.assert_allclose(
            states.counts[FleetState.CONNECTED], connected.share[steps] * len(lives)
        )


class TestAveraged:
    """`FleetStates.averaged`."""

    def test_keeps_time_and_fleet(self, herd):
        """Steps of equal width hold the time spent within them, and still add up."""
        run = herd(2, horizon=4.0).loses(0, 1.5).tries(0, 3.0, started_at=2.0)
        states = fleet_states(run.result())
        averaged = states.averaged(4)
        np.testing.assert_allclose(averaged.edges, [0, 1, 2, 3, 4])
        np.testing.assert_allclose(averaged.counts[FleetState.CONNECTED], [2, 1.5, 1, 2])
        np.testing.assert_allclose(averaged.counts[FleetState.WAITING], [0, 0.5, 0, 0])
        np.testing.assert_allclose(averaged.counts.sum(axis=0), 2)
        np.testing.assert_allclose(averaged.client_seconds, states.client_seconds)
