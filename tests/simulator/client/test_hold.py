"""What holds a whole fleet back is no wait of the server's: the attempt starts when it leaves."""

import pytest
import trio

from server_stub.wire import Identity
from simulator.core.lifecycle import AttemptEnded, Connected
from simulator.core.outcomes import Outcome

RTT = 0.02


def held_for(seconds):
    """Holds every attempt back for so long."""

    async def hold():
        await trio.sleep(seconds)

    return hold


async def test_an_attempt_starts_when_it_leaves(stub, autojump_clock):
    """It was due at 0, left at 3, and the record shows both: the lag is the generator's own."""
    life = (await stub(service_time={"kind": "constant", "mean": 0.001})).client(hold=held_for(3.0))
    await trio.sleep_until(5)
    (ended,) = life.of(AttemptEnded)
    assert (ended.due_at, ended.started_at) == (0.0, pytest.approx(3.0))
    assert ended.outcome is Outcome.CONNECTED


async def test_patience_does_not_run_meanwhile(stub, autojump_clock):
    """The client has not begun to wait for the server."""
    world = await stub()
    life = world.client(hold=held_for(3.0), connect_timeout=1.0)
    await trio.sleep_until(5)
    assert [event.outcome for event in life.of(AttemptEnded)] == [Outcome.CONNECTED]


async def test_a_client_that_is_closed_is_held_no_longer(stub, autojump_clock):
    """It ends at once, and never dials."""
    world = await stub()
    life = world.client(hold=held_for(30.0))
    await trio.sleep_until(1)
    await life.client.aclose()
    assert life.ended_at == 1.0
    assert life.of(AttemptEnded) == []
    assert world.recorder.totals["arrivals"] == 0


async def test_every_attempt_is_held(stub, outage, autojump_clock):
    """Also those after a loss, however often they fail."""
    life = (await stub(outage("crash"))).client(hold=held_for(0.5))
    await trio.sleep_until(20)
    assert len(life.of(Connected)) == 2
    lags = [event.started_at - event.due_at for event in life.of(AttemptEnded)]
    assert len(lags) > 2
    assert lags == pytest.approx([0.5] * len(lags))


async def test_the_path_may_be_another_one(played, autojump_clock):
    """A server that is not herd's has its own, and may be told who comes or not."""
    targets = []

    async def note(peer):
        await peer.open()
        targets.append(peer._handshake.target)

    def path_of(identity):
        assert identity == Identity(client=4, episode=0, attempt=1)
        return "/chat?room=1"

    played(note).client(4, path_of=path_of)
    await trio.sleep_until(1)
    assert targets == ["/chat?room=1"]
