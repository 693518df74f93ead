"""What a client tells its listeners, and what becomes of those that raise."""

import pytest
import trio

from simulator.core.events import StatusChanged, TextReceived
from simulator.core.lifecycle import AttemptEnded, Connected, Disconnected, Failed, Reconnecting
from simulator.core.outcomes import NoticedBy, Outcome

RTT = 0.02


async def test_a_whole_life_in_events(stub, outage, autojump_clock):
    """Connected, lost, waiting, trying, connected again: each with its numbers and instants."""
    life = (await stub(outage(down_for=1.5))).client()
    await trio.sleep_until(20)
    told = [event for event in life.events if not isinstance(event, StatusChanged)]
    at = pytest.approx
    assert told == [
        AttemptEnded(0, 0, 1, 0.0, at(0.0), at(RTT), Outcome.CONNECTED),
        Connected(0, at(RTT), was_reconnect=False, attempt=1, downtime=0.0),
        Disconnected(0, 10.0, 1, NoticedBy.CLOSE_FRAME, 1012, ""),
        Reconnecting(0, attempt=1, delay=1.0, due_at=11.0),
        AttemptEnded(0, 1, 1, 11.0, at(11.0), at(11.0 + RTT), Outcome.REFUSED),
        Reconnecting(0, attempt=2, delay=at(1.0), due_at=at(12.0 + RTT)),
        AttemptEnded(0, 1, 2, at(12 + RTT), at(12 + RTT), at(12.5 + 2 * RTT), Outcome.CONNECTED),
        Connected(0, at(12.5 + 2 * RTT), was_reconnect=True, attempt=2, downtime=at(2.54)),
    ]


@pytest.mark.parametrize(
    ("kind", "loss"),
    [
        ("graceful", (NoticedBy.CLOSE_FRAME, 1012, True)),
        ("crash", (NoticedBy.RESET, 1006, False)),
        ("freeze", (NoticedBy.HEARTBEAT, 1006, False)),
    ],
)
async def test_a_loss_says_how_it_was_noticed(stub, outage, kind, loss, autojump_clock):
    """A loss is clean if the peer has said goodbye."""
    life = (await stub(outage(kind, down_for=9.0))).client(
        heartbeat={"interval": 1.0, "timeout": 1.0}
    )
    await trio.sleep_until(13)
    (noticed,) = life.of(Disconnected)
    assert (noticed.noticed_by, noticed.close_code, noticed.was_clean) == loss


async def test_a_stranger_s_texts_are_passed_on(played, autojump_clock):
    """What is not one of herd's messages is for the application; its pongs are for nobody."""

    async def play(peer):
        await peer.open()
        for text in ("hello", "pong", '{"t":"news"}', '{"t":"event","e":1,"i":1}'):
            await peer.say(text)

    life = played(play).client()
    await trio.sleep_until(1)
    assert life.of(TextReceived) == [
        TextReceived(0, RTT, "hello"),
        TextReceived(0, RTT, '{"t":"news"}'),
    ]


async def test_a_client_that_gives_up_says_why(stub, outage, autojump_clock):
    """After how many attempts, and for what reason."""
    world = await stub(outage(down_for=99.0))
    life = world.client(policy={"growth": "constant", "base": 1.0, "max_attempts": 2})
    await trio.sleep_until(90)
    assert life.of(Failed) == [Failed(0, life.ended_at, 2, "max_attempts = 2 are used up")]


# Listeners that raise


class Clumsy:
    """A listener that raises at every event of some kinds."""

    def __init__(self, *kinds):
        self.n_raised = 0
        self._kinds = kinds

    def __call__(self, event):
        """Raise."""
        if isinstance(event, self._kinds):
            self.n_raised += 1
            raise LookupError(type(event).__name__)


async def test_a_listener_that_raises_harms_nobody(stub, outage, caplog, autojump_clock):
    """The client and the other listeners go on as if nothing were, and the error is logged."""
    world = await stub(outage(), workers=2)
    clumsy = Clumsy(AttemptEnded, Connected, Disconnected, Reconnecting, StatusChanged)
    harmed, other = world.client(listeners=[clumsy]), world.client()
    await trio.sleep_until(20)
    assert harmed.events == other.events
    assert len(caplog.records) == clumsy.n_raised > 5
    assert "a listener of client 0 failed" in caplog.text
    assert "LookupError: Connected" in caplog.text
    await harmed.client.aclose()


@pytest.mark.parametrize("end", ["gives up", "closed", "cancelled"])
async def test_what_a_listener_raised_comes_out_in_the_end(stub, outage, end, autojump_clock):
    """However the client ends."""
    world = await stub(outage())
    max_attempts = 0 if end == "gives up" else None
    life = world.client(
        listeners=[Clumsy(Connected, Failed)],
        policy={"growth": "constant", "base": 1.0, "max_attempts": max_attempts},
    )
    await trio.sleep_until(5)
    assert life.error is None
    if end == "closed":
        await life.client.aclose()
    elif end == "cancelled":
        life.scope.cancel()
    await trio.sleep_until(15)
    assert isinstance(life.error, ExceptionGroup)
    assert str(life.error).startswith("listeners of client 0")
    raised = ["Connected", "Failed"] if end == "gives up" else ["Connected"]
    assert [str(error) for error in life.error.exceptions] == raised


async def test_a_listener_that_raises_at_the_very_end_is_heard(stub, autojump_clock):
    """At the last status of a client that is closed."""

    def refuse_to_end(event):
        if isinstance(event, StatusChanged) and str(event.status) == "closed":
            raise LookupError("no")

    life = (await stub()).client(listeners=[refuse_to_end])
    await trio.sleep_until(5)
    await life.client.aclose()
    await trio.sleep_until(6)
    assert [str(error) for error in life.error.exceptions] == ["no"]
