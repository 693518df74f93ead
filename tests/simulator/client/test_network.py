"""What a client does once it believes that its network is gone, or back."""

import pytest
import trio

from server_stub.draws import Purpose
from simulator.core.lifecycle import Connected, Disconnected, Reconnecting
from simulator.core.outcomes import NoticedBy, Outcome

RTT = 0.02
INTERVAL, TIMEOUT, WINDOW = 30.0, 5.0, 5.0
"""The monitor's, unless a test says otherwise."""
BY_SIGNALS = {"interval": "none"}


def losses(life):
    """When each connection was lost, and how that was noticed."""
    return [(pytest.approx(event.at), event.noticed_by) for event in life.of(Disconnected)]


# Signals


async def test_a_client_that_goes_offline_drops_its_connection(stub, autojump_clock):
    """At once, and then does not dial."""
    life = (await stub()).client(network_monitor=BY_SIGNALS)
    await trio.sleep_until(10)
    life.client.signal_network(online=False)
    await trio.sleep_until(100)
    assert losses(life) == [(10.0, NoticedBy.OFFLINE)]
    assert len(life.attempts) == 1
    assert life.statuses == ["connecting", "connected", "offline"]


@pytest.mark.parametrize("number", range(4))
async def test_a_client_that_comes_online_dials_within_a_window(stub, draw, number, autojump_clock):
    """Not at the very instant, at which all clients behind one access point would."""
    life = (await stub()).client(number, network_monitor=BY_SIGNALS)
    await trio.sleep_until(10)
    life.client.signal_network(online=False)
    await trio.sleep_until(20)
    life.client.signal_network(online=True)
    await trio.sleep_until(30)
    due_at = 20.0 + WINDOW * draw(Purpose.WAKE_UP, number, index=1)
    reconnecting = life.of(Reconnecting)[-1]
    assert (reconnecting.attempt, reconnecting.due_at) == (1, pytest.approx(due_at))
    assert life.of(Connected)[-1].at == pytest.approx(due_at + RTT + 0.5)


async def test_a_window_of_nothing_is_at_once(stub, autojump_clock):
    """As most libraries do it."""
    life = (await stub()).client(network_monitor={**BY_SIGNALS, "window": 0.0})
    await trio.sleep_until(10)
    life.client.signal_network(online=False)
    await trio.sleep_until(20)
    life.client.signal_network(online=True)
    await trio.sleep_until(30)
    assert life.attempts[1] == (20.0, 20.5 + RTT, Outcome.CONNECTED)


async def test_coming_online_delays_nobody(stub, outage, autojump_clock):
    """An attempt that is due sooner is made sooner."""
    policy = {"growth": "constant", "base": 11.0}
    life = (await stub(outage(down_for=0.5))).client(network_monitor=BY_SIGNALS, policy=policy)
    await trio.sleep_until(15)
    life.client.signal_network(online=False)
    await trio.sleep_until(20.99)
    life.client.signal_network(online=True)
    await trio.sleep_until(30)
    assert life.attempts[1] == (21.0, 21.5 + RTT, Outcome.CONNECTED)


async def test_a_signal_that_says_nothing_new_changes_nothing(stub, outage, autojump_clock):
    """No attempt is moved by it."""
    life = (await stub(outage())).client(network_monitor=BY_SIGNALS)
    await trio.sleep_until(10.5)
    life.client.signal_network(online=True)
    await trio.sleep_until(11.5)
    assert life.attempts[1] == (11.0, 11.0 + RTT, Outcome.REFUSED)


async def test_without_a_monitor_nobody_listens(stub, autojump_clock):
    """Signals come to nothing."""
    life = (await stub()).client()
    await trio.sleep_until(10)
    life.client.signal_network(online=False)
    await trio.sleep_until(20)
    assert life.of(Disconnected) == []


async def test_a_client_may_begin_offline(stub, draw, autojump_clock):
    """Its first attempt waits for the network, and is no reconnect."""
    life = (await stub()).client(network_monitor=BY_SIGNALS, first_due_at=5.0)
    await trio.sleep_until(1)
    life.client.signal_network(online=False)
    await trio.sleep_until(20)
    assert life.attempts == []
    life.client.signal_network(online=True)
    await trio.sleep_until(30)
    (connected,) = life.of(Connected)
    assert connected.at == pytest.approx(20.0 + WINDOW * draw(Purpose.WAKE_UP, 0, index=1) + RTT)
    assert not connected.was_reconnect
    assert life.of(Reconnecting) == []


async def test_a_client_waits_for_its_turn(stub, autojump_clock):
    """Coming online before it is no reason to push in."""
    life = (await stub()).client(network_monitor=BY_SIGNALS, first_due_at=50.0)
    await trio.sleep_until(1)
    life.client.signal_network(online=False)
    await trio.sleep_until(2)
    life.client.signal_network(online=True)
    await trio.sleep_until(60)
    assert life.attempts == [(50.0, 50.0 + RTT, Outcome.CONNECTED)]


async def test_an_attempt_under_way_runs_its_course(stub, outage, autojump_clock):
    """If it succeeds after all, that is better evidence than any signal."""
    life = (await stub(outage(down_for=0.5))).client(network_monitor=BY_SIGNALS)
    await trio.sleep_until(11.2)
    life.client.signal_network(online=False)
    assert str(life.client.status) == "offline"
    await trio.sleep_until(20)
    assert life.attempts[1] == (11.0, 11.5 + RTT, Outcome.CONNECTED)
    assert str(life.client.status) == "connected"


async def test_going_offline_ends_a_sentence(played, autojump_clock):
    """The text that was under way may be lost; those behind it wait for the next connection."""
    heard = []

    async def reads_nothing(peer):
        await peer.open()
        await trio.sleep_forever()

    async def reads(peer):
        await peer.open()
        while (text := await peer.hear()) is not None:
            heard.append(text[:1])

    life = played(reads_nothing, reads).client(network_monitor=BY_SIGNALS)
    await trio.sleep_until(5)
    for letter in "abcd":
        life.client.send(letter * 70_000)
    await trio.sleep_until(10)
    life.client.signal_network(online=False)
    await trio.sleep_until(20)
    assert losses(life) == [(10.0, NoticedBy.OFFLINE)]
    life.client.signal_network(online=True)
    await trio.sleep_until(30)
    assert heard == ["b", "c", "d"]


# Probes


@pytest.fixture
def probes(draw):
    """The first instant, after a given one, at which a client probes."""

    def after(at, number=0):
        due_at = INTERVAL * draw(Purpose.PROBE, number)
        while due_at < at:
            due_at += INTERVAL
        return due_at

    return after


@pytest.mark.parametrize("number", range(4))
async def test_a_probe_finds_out_that_the_network_is_gone(stub, probes, number, autojump_clock):
    """`timeout` after the first probe without an answer; the phase is the client's own."""
    world = await stub()
    life = world.client(number, network_monitor={})
    await trio.sleep_until(50)
    world.path.cut()
    await trio.sleep_until(100)
    lost_at = probes(50, number) + TIMEOUT
    assert losses(life) == [(lost_at, NoticedBy.OFFLINE)]
    assert len(life.attempts) == 1


async def test_a_probe_finds_out_that_it_is_back(stub, probes, draw, autojump_clock):
    """The next attempt follows within the window."""
    world = await stub()
    life = world.client(network_monitor={})
    await trio.sleep_until(50)
    world.path.cut()
    await trio.sleep_until(100)
    world.path.heal()
    await trio.sleep_until(150)
    due_at = probes(100) + WINDOW * draw(Purpose.WAKE_UP, 0, index=1)
    assert [event.at for event in life.of(Connected)][1] == pytest.approx(due_at + RTT + 0.5)


async def test_a_short_silence_goes_unnoticed(stub, probes, autojump_clock):
    """The answer comes late, but in time."""
    world = await stub()
    life = world.client(network_monitor={})
    await trio.sleep_until(probes(50) - 1.0)
    world.path.cut()
    await trio.sleep(4.5)  # The SYN of the probe is sent again four seconds after the first.
    world.path.heal()
    await trio.sleep_until(200)
    assert life.of(Disconnected) == []


@pytest.mark.parametrize("kind", ["graceful", "crash"])
async def test_a_server_that_is_down_is_no_network_that_is(stub, outage, kind, autojump_clock):
    """A refusal is a sign of life: the client goes on dialling by its policy."""
    life = (await stub(outage(kind, down_for=100.0))).client(network_monitor={})
    await trio.sleep_until(109)
    assert "offline" not in life.statuses
    assert len(life.attempts) > 90


async def test_a_signal_outweighs_a_probe_that_began_before_it(stub, probes, autojump_clock):
    """Its silence is of the past."""
    world = await stub()
    life = world.client(network_monitor={})
    probed_at = probes(50)
    await trio.sleep_until(probed_at - 1)
    world.path.cut()
    await trio.sleep_until(probed_at + 1)
    life.client.signal_network(online=False)
    await trio.sleep_until(probed_at + 2)
    world.path.heal()
    life.client.signal_network(online=True)
    await trio.sleep_until(probed_at + 20)
    assert losses(life) == [(probed_at + 1, NoticedBy.OFFLINE)]
    assert len(life.of(Connected)) == 2
