"""What a user is shown: one word, and a banner after a quiet while."""

import pytest
import trio

from simulator.core.events import StatusChanged
from simulator.core.lifecycle import Connected
from simulator.core.status import QUIET, banner, banner_at

RTT = 0.02


@pytest.mark.parametrize(
    ("code", "status"),
    [(1012, "server restarting"), (4001, "server restarting"), (1001, "disconnected")],
)
async def test_a_close_code_decides_what_is_shown(stub, outage, code, status, autojump_clock):
    """Two codes say that the server is restarting; with the others the connection is lost."""
    life = (await stub(outage(close_code=code))).client()
    await trio.sleep_until(10.5)
    assert life.statuses == ["connecting", "connected", status]


async def test_a_restart_is_shown_until_it_is_over(stub, outage, autojump_clock):
    """Attempts do not show."""
    life = (await stub(outage())).client()
    await trio.sleep_until(30)
    assert len(life.attempts) == 4
    assert life.statuses == ["connecting", "connected", "server restarting", "connected"]


async def test_a_restart_that_ends_otherwise_is_no_restart(stub, autojump_clock):
    """What counts is how the last connection ended."""
    world = await stub(
        {"kind": "graceful", "starts_at": 10.0, "down_for": 0.5},
        {"kind": "crash", "starts_at": 20.0, "down_for": 0.5},
    )
    life = world.client()
    await trio.sleep_until(20.9)
    assert life.statuses == [
        "connecting",
        "connected",
        "server restarting",
        "connected",
        "disconnected",
    ]


async def test_attempts_are_counted(stub, outage, autojump_clock):
    """From the first attempt on, up to the connection; each is shown while it is waited for."""
    life = (await stub(outage("crash"))).client()
    await trio.sleep_until(20)
    assert [(event.at, str(event.status)) for event in life.of(StatusChanged)] == [
        (RTT, "connecting"),
        (RTT, "connected"),
        (10.0, "disconnected"),
        (11.0 + RTT, "reconnecting (1)"),
        (11.0 + RTT, "reconnecting (2)"),
        (pytest.approx(12.0 + 2 * RTT), "reconnecting (3)"),
        (pytest.approx(13.5 + 3 * RTT), "connected"),
    ]


async def test_the_end_is_shown(stub, outage, autojump_clock):
    """Whether the client has given up, or its user has ended it."""
    world = await stub(outage("crash", down_for=99.0))
    policy = {"growth": "constant", "base": 1.0, "max_attempts": 1}
    given_up, ended = world.client(policy=policy), world.client()
    await trio.sleep_until(15)
    await ended.client.aclose()
    assert given_up.statuses[-2:] == ["reconnecting (1)", "failed"]
    assert ended.statuses[-1] == "closed"
    await given_up.client.aclose()
    assert given_up.statuses[-2:] == ["failed", "closed"]


async def test_a_network_that_is_gone_is_shown(stub, autojump_clock):
    """And that it is back, as a reconnect."""
    life = (await stub()).client(network_monitor={"interval": "none"})
    await trio.sleep_until(5)
    life.client.signal_network(online=False)
    await trio.sleep_until(10)
    life.client.signal_network(online=True)
    await trio.sleep_until(20)
    assert life.statuses == [
        "connecting",
        "connected",
        "offline",
        "disconnected",
        "reconnecting (1)",
        "connected",
    ]


class Screen:
    """A user interface: a listener that knows when to show which banner."""

    def __init__(self):
        self.shown = []
        """What was shown, and from when on."""
        self._since = 0.0
        self._status = None

    def __call__(self, event):
        """Follow the status."""
        match event:
            case StatusChanged():
                self.look(event.at)
                if str(self._status) == "connected":
                    self._since = event.at
                self._status = event.status
                self.look(event.at)

    def look(self, now):
        """Note what is on the screen."""
        if self._status is None:
            return
        text = banner(self._status, self._since, now)
        shows_at = banner_at(self._status, self._since)
        if text != (self.shown[-1][1] if self.shown else None):
            self.shown.append((max(shows_at, self._since) if text else now, text))


async def test_a_short_loss_shows_no_banner(stub, outage, autojump_clock):
    """It is over within the quiet period."""
    screen = Screen()
    life = (await stub(outage("crash", down_for=0.5))).client(listeners=[screen])
    await trio.sleep_until(20)
    screen.look(20.0)
    assert life.of(Connected)[1].downtime < QUIET
    assert screen.shown == []


async def test_a_long_one_does(stub, outage, autojump_clock):
    """From the end of the quiet period, which begins with the loss, until the connection."""
    screen = Screen()
    life = (await stub(outage())).client(listeners=[screen])
    await trio.sleep_until(20)
    back_at = life.of(Connected)[1].at
    assert screen.shown == [
        (10.0 + QUIET, "The server is restarting and will be back soon"),
        (back_at, None),
    ]
