"""A run is over when everybody is back, when a collapse has settled, or at the horizon."""

import pytest

from server_stub.config import ServerConfig, ServiceTime
from server_stub.outage import Outage
from simulator.ending import Ending, EndingBySight, Sample
from simulator.scenario import Scenario

N_CLIENTS = 100
CAPACITY = 10
"""Handshakes per second."""
SETTLED = "everybody is back or has given up, and it stays so"
COLLAPSED = "the collapse has settled"
HORIZON = "the horizon has come"


def ending(*, outages=((10.0, 5.0),), by=Ending, **settings):
    """The ending of a run of 55 s, down from 10 to 15 s, that has to settle for 3 s."""
    server = ServerConfig(
        workers=CAPACITY, service_time=ServiceTime(kind="constant", mean=1.0), backlog=1
    )
    return by(
        Scenario(
            **{"n_clients": N_CLIENTS, "horizon": 55.0, "grace": 5.0, "settle": 3.0, **settings},
            server=server,
            outage=tuple(Outage(starts_at=at, down_for=down_for) for at, down_for in outages),
        )
    )


def sample(at, *, connected=N_CLIENTS, gave_up=0, connects=N_CLIENTS, arrivals=N_CLIENTS):
    """The counters at an instant: everybody connected, nobody trying, unless told otherwise."""
    return Sample(
        at=at, n_connected=connected, n_gave_up=gave_up, n_connects=connects, n_arrivals=arrivals
    )


def over(judge, samples):
    """When and why it ends; None if these samples do not end it."""
    for each in samples:
        if (reason := judge.reason(each)) is not None:
            return each.at, reason
    return None


def every_half_second(until, **at_each):
    """Samples from t = 0 on; a setting may be a function of the instant."""
    for tick in range(int(until * 2)):
        at = tick / 2
        settings = {
            name: value(at) if callable(value) else value for name, value in at_each.items()
        }
        yield sample(at, **settings)


def test_it_ends_once_everybody_has_been_back_for_a_while():
    """Back at 20 s, and so for the 3 s of `settle`."""
    samples = every_half_second(60, connected=lambda at: 0 if 10 <= at < 20 else N_CLIENTS)
    assert over(ending(), samples) == (23.0, SETTLED)


def test_who_comes_back_and_leaves_again_has_not_settled():
    """The time starts anew."""
    samples = every_half_second(
        60, connected=lambda at: 0 if 10 <= at < 20 or 22 <= at < 30 else N_CLIENTS
    )
    assert over(ending(), samples) == (33.0, SETTLED)


def test_who_has_given_up_is_not_waited_for():
    """There is nothing more to come."""
    samples = every_half_second(
        60,
        connected=lambda at: 0 if 10 <= at < 20 else 60,
        gave_up=lambda at: 40 if at > 12 else 0,
    )
    assert over(ending(), samples) == (23.0, SETTLED)


def test_nothing_has_settled_before_the_last_outage():
    """Everybody is connected between two outages, and in a freeze that nobody has noticed."""
    samples = every_half_second(60)
    assert over(ending(outages=((5.0, 1.0), (30.0, 4.0))), samples) == (37.0, SETTLED)


def test_without_an_outage_it_runs_to_the_horizon():
    """It is a run at rest, whose length was asked for; attempts under way get their grace."""
    assert over(ending(outages=()), every_half_second(70)) == (60.0, HORIZON)


def test_one_client_that_stays_away_keeps_it_going():
    """To the horizon, and through the grace after it."""
    samples = every_half_second(70, connected=lambda at: 99 if at >= 10 else N_CLIENTS)
    assert over(ending(), samples) == (60.0, HORIZON)


def storm(*, arrivals_per_second, connects_per_second):
    """Everybody is down from 10 s on, and tries."""
    return every_half_second(
        70,
        connected=lambda at: 0 if at >= 10 else N_CLIENTS,
        connects=lambda at: N_CLIENTS + int(max(0, at - 10) * connects_per_second),
        arrivals=lambda at: N_CLIENTS + int(max(0, at - 10) * arrivals_per_second),
    )


def test_a_collapse_ends_it_half_way_to_the_horizon():
    """Load above capacity and hardly a connect, for half the 40 s left after the outage."""
    samples = storm(arrivals_per_second=30, connects_per_second=0)
    assert over(ending(), samples) == (35.0, COLLAPSED)


@pytest.mark.parametrize(
    ("arrivals", "connects"),
    [(30, 2), (8, 0)],
    ids=["some get through", "the load is within capacity"],
)
def test_what_is_no_collapse_goes_on(arrivals, connects):
    """It may still recover, and the horizon decides."""
    samples = storm(arrivals_per_second=arrivals, connects_per_second=connects)
    assert over(ending(), samples) == (60.0, HORIZON)


def test_a_collapse_that_lifts_is_none():
    """Once connects come through, half the time must pass again."""
    samples = every_half_second(
        70,
        connected=lambda at: 0 if at >= 10 else N_CLIENTS,
        connects=lambda at: N_CLIENTS + (50 if at >= 30 else 0),
        arrivals=lambda at: N_CLIENTS + int(max(0, at - 10) * 30),
    )
    assert over(ending(), samples) == (50.0, COLLAPSED)


def test_an_outage_that_outlasts_the_horizon_is_waited_out_to_the_end():
    """No time is left for recovery, and none for a collapse."""
    samples = every_half_second(
        70,
        connected=lambda at: 0 if at >= 50 else N_CLIENTS,
        arrivals=lambda at: N_CLIENTS + int(at * 30),
    )
    assert over(ending(outages=((50.0, 7.0),)), samples) == (60.0, HORIZON)


# A server that is not ours


def seen(*losses, outages=((10.0, 5.0),), n_lost=N_CLIENTS):
    """When and why a run ends whose clients are lost and back at these instants, all of them."""
    down = [(lost_at, back_at) for lost_at, back_at in losses]
    samples = every_half_second(
        70,
        connected=lambda at: N_CLIENTS - n_lost * any(lo <= at < hi for lo, hi in down),
        connects=lambda at: N_CLIENTS + n_lost * sum(hi <= at for _, hi in down),
    )
    return over(ending(outages=outages, by=EndingBySight), samples)


def test_it_ends_after_an_outage_that_was_seen():
    """Whenever that was: somebody restarted the server by hand."""
    assert seen((20, 25)) == (28.0, SETTLED)
    assert seen((2, 4)) == (10.0, SETTLED)  # Not before the schedule says that there may be one.


def test_it_waits_for_an_outage_that_does_not_come():
    """The command did nothing, or nobody found the time."""
    assert seen() == (60.0, HORIZON)


def test_as_many_outages_as_the_scenario_has():
    """With two of them, one is not enough."""
    twice = ((5.0, 1.0), (6.0, 1.0))
    assert seen((20, 25), outages=twice) == (60.0, HORIZON)
    assert seen((20, 25), (32, 34), outages=twice) == (37.0, SETTLED)


def test_a_loss_here_and_there_is_no_outage():
    """Less than a tenth of the herd."""
    assert seen((20, 25), n_lost=9) == (60.0, HORIZON)
    assert seen((20, 25), n_lost=10) == (28.0, SETTLED)


def test_a_restart_between_two_looks_is_seen():
    """Everybody is back already; the connects tell."""
    samples = every_half_second(70, connects=lambda at: N_CLIENTS * (1 + (at >= 20)))
    assert over(ending(by=EndingBySight), samples) == (20.0, SETTLED)


def test_what_the_ramp_lost_is_no_outage():
    """Connections that broke before everybody was there."""
    samples = every_half_second(70, connects=2 * N_CLIENTS)
    assert over(ending(by=EndingBySight), samples) == (60.0, HORIZON)


def test_a_run_at_rest_is_as_long_as_asked():
    """Without an outage in the scenario the horizon ends it, whatever happens."""
    assert seen((20, 25), outages=()) == (60.0, HORIZON)
