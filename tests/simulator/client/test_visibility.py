"""A page that nobody looks at runs late; one that is looked at again makes up for it."""

import itertools

import pytest
import trio

from server_stub.draws import Purpose
from simulator.core.lifecycle import Connected, Disconnected, Reconnecting
from simulator.core.outcomes import NoticedBy, Outcome
from simulator.core.visibility import throttled

RTT = 0.02
WINDOW = 5.0


@pytest.fixture
def wake_up(draw):
    """The wake-up of client 0's hidden page at which a timer runs."""

    def of(due_at, hidden_since, *, chained=False):
        phase = draw(Purpose.HIDDEN, 0, index=1)
        return throttled(due_at, hidden_since, phase=phase, chained=chained)

    return of


def hidden_at(world, at, **settings):
    """A client whose page is hidden at an instant of the past or the present."""
    life = world.client(**settings)
    life.client.set_visible(visible=False, since=at)
    return life


@pytest.mark.parametrize("since", [5.0, -1000.0])
async def test_a_hidden_client_retries_at_wake_ups(stub, outage, wake_up, since, autojump_clock):
    """Once a second, however long it has been hidden: a delay after a close is not chained."""
    life = hidden_at(await stub(outage(down_for=9.0)), since)
    await trio.sleep_until(20)
    due_at = wake_up(11.0, since)
    assert 11.0 < due_at < 12.0
    assert life.attempts[1] == (due_at, due_at + RTT, Outcome.REFUSED)
    due_at = wake_up(due_at + RTT + 1.0, since)
    assert life.attempts[2] == (due_at, due_at + RTT, Outcome.REFUSED)


async def test_a_close_is_noticed_all_the_same(stub, outage, autojump_clock):
    """What the network brings is no timer."""
    life = hidden_at(await stub(outage()), -1000.0)
    await trio.sleep_until(20)
    assert [event.at for event in life.of(Disconnected)] == [10.0]


@pytest.mark.parametrize(
    "case", [*itertools.product(["protocol", "application"], [0.0, -1000.0])], ids=str
)
async def test_a_heartbeat_of_a_hidden_page_is_late(stub, draw, wake_up, case, autojump_clock):
    """It is a chained timer: on wake-ups a second apart, and a minute once hidden for long."""
    kind, since = case
    world = await stub({"kind": "freeze", "starts_at": 200.0, "down_for": 500.0})
    heartbeat = {"interval": 25.0, "timeout": 10.0, "kind": kind}
    life = hidden_at(world, since, heartbeat=heartbeat)
    await trio.sleep_until(400)
    phase = draw(Purpose.HEARTBEAT, 0, 0)
    due = (RTT + (phase + turn) * 25.0 for turn in itertools.count())
    pings = (wake_up(at, since, chained=True) for at in due)
    pinged_at = next(at for at in pings if at > 200.0)
    (disconnected,) = life.of(Disconnected)
    assert disconnected.at == pytest.approx(wake_up(pinged_at + 10.0, since, chained=True))
    assert disconnected.noticed_by is NoticedBy.HEARTBEAT


async def test_a_page_hidden_for_long_pings_once_a_minute(played, autojump_clock):
    """It does not catch up on the pings that it has missed."""
    heard = []

    async def play(peer):
        await peer.open()
        while await peer.hear():
            heard.append(trio.current_time())
            await peer.say("pong")

    heartbeat = {"interval": 25.0, "timeout": 10.0, "kind": "application"}
    life = hidden_at(played(play), -1000.0, heartbeat=heartbeat)
    await trio.sleep_until(600)
    assert [b - a for a, b in itertools.pairwise(heard)] == pytest.approx([60.0] * 9)
    assert life.of(Disconnected) == []


@pytest.mark.parametrize("monitor", [None, {"interval": "none", "window": 2.0}])
async def test_a_page_that_comes_into_view_retries_within_a_window(
    stub, outage, draw, monitor, autojump_clock
):
    """With a network monitor it is the monitor's; so many open their laptops at nine."""
    life = hidden_at(
        await stub(outage(down_for=0.5)),
        0.0,
        policy={"growth": "constant", "base": 30.0},
        network_monitor=monitor,
    )
    await trio.sleep_until(20)
    life.client.set_visible(visible=True)
    await trio.sleep_until(30)
    window = WINDOW if monitor is None else 2.0
    due_at = 20.0 + window * draw(Purpose.WAKE_UP, 0, index=1)
    assert life.of(Reconnecting)[-1].due_at == pytest.approx(due_at)
    assert life.attempts[1] == (due_at, due_at + 0.5 + RTT, Outcome.CONNECTED)


async def test_coming_into_view_delays_nobody(stub, outage, wake_up, autojump_clock):
    """An attempt that a hidden page would have made sooner is made as soon."""
    life = hidden_at(await stub(outage(down_for=0.5)), 0.0)
    await trio.sleep_until(11.0)
    life.client.set_visible(visible=True)
    await trio.sleep_until(30)
    assert life.attempts[1] == (
        pytest.approx(wake_up(11.0, 0.0)),
        pytest.approx(wake_up(11.0, 0.0) + 0.5 + RTT),
        Outcome.CONNECTED,
    )


async def test_an_attempt_that_is_leaving_leaves(stub, outage, wake_up, autojump_clock):
    """Within its round trip nothing holds it back, or moves its record."""
    life = hidden_at(await stub(outage(down_for=0.5)), 0.0, rtt=0.4)
    due_at = wake_up(11.0, 0.0)
    await trio.sleep_until(due_at + 0.2)
    life.client.set_visible(visible=True)
    await trio.sleep_until(30)
    assert life.attempts[1] == (due_at, due_at + 0.9, Outcome.CONNECTED)
    assert life.events[-3].due_at == pytest.approx(due_at)


async def test_being_looked_at_brings_no_network(stub, autojump_clock):
    """Offline, there is no use in dialling for anybody."""
    life = hidden_at(await stub(), 0.0, network_monitor={"interval": "none"})
    await trio.sleep_until(10)
    life.client.signal_network(online=False)
    await trio.sleep_until(20)
    n_told = len(life.events)
    life.client.set_visible(visible=True)
    await trio.sleep_until(40)
    assert len(life.events) == n_told


async def test_a_client_waits_for_its_turn(stub, autojump_clock):
    """Being looked at before it is no reason to push in."""
    life = hidden_at(await stub(), 0.0, first_due_at=50.0)
    await trio.sleep_until(20)
    life.client.set_visible(visible=True)
    await trio.sleep_until(60)
    assert [event.at for event in life.of(Connected)] == [50.0 + RTT]


async def test_a_heartbeat_makes_up_for_it_in_view(stub, outage, autojump_clock):
    """A timer that is overdue runs at once, and silence is noticed sooner."""
    heartbeat = {"interval": 25.0, "timeout": 10.0}
    world = await stub(outage("freeze", down_for=500.0))
    hidden = hidden_at(world, -1000.0, heartbeat=heartbeat)
    seen = hidden_at(world, -1000.0, heartbeat=heartbeat)
    await trio.sleep_until(40)
    seen.client.set_visible(visible=True)
    await trio.sleep_until(300)
    (late,), (early,) = hidden.of(Disconnected), seen.of(Disconnected)
    assert 40.0 <= early.at <= 50.0
    assert early.at < late.at


async def test_hidden_twice_is_hidden_since_the_first_time(stub, outage, wake_up, autojump_clock):
    """Only a look at the page begins it anew."""
    world = await stub(outage("freeze", starts_at=200.0, down_for=500.0))
    life = hidden_at(world, -1000.0, heartbeat={"interval": 25.0, "timeout": 10.0})
    await trio.sleep_until(100)
    life.client.set_visible(visible=False)
    await trio.sleep_until(400)
    (disconnected,) = life.of(Disconnected)
    at = disconnected.at
    assert at == pytest.approx(wake_up(at - 1.0, -1000.0, chained=True))


async def test_a_library_may_make_no_retries_while_it_is_hidden(stub, outage, autojump_clock):
    """Its first connect is none; and once it comes into view, it tries at once."""
    life = hidden_at(
        await stub(outage(down_for=0.5)), 0.0, page={"hidden": "no-retry", "shown": "at-once"}
    )
    await trio.sleep_until(600)
    assert len(life.attempts) == 1
    life.client.set_visible(visible=True)
    await trio.sleep_until(610)
    assert life.attempts[1] == (600.0, 600.5 + RTT, Outcome.CONNECTED)


@pytest.mark.parametrize(("shown_at", "dials_at"), [(11.5, 40.0), (39.0, 40.0), (55.0, 55.0)])
async def test_a_library_that_does_not_look_leaves_it_to_its_timers(
    stub, outage, shown_at, dials_at, autojump_clock
):
    """In view, a timer runs out when it was set to, or now if that has passed."""
    life = hidden_at(
        await stub(outage(down_for=0.5)),
        0.0,
        policy={"growth": "constant", "base": 30.0},
        page={"hidden": "no-retry", "shown": "timers"},
    )
    await trio.sleep_until(shown_at)
    life.client.set_visible(visible=True)
    await trio.sleep_until(70)
    assert life.attempts[1] == (dials_at, dials_at + 0.5 + RTT, Outcome.CONNECTED)
