"""What a client does after a close: come back, come back later, or stay away."""

import pytest
import trio

from simulator.core.lifecycle import Connected, Disconnected, Failed, Reconnecting


def closes(code, reason=""):
    """A script: open, and close ten seconds after t = 0."""

    async def play(peer):
        await peer.open()
        await trio.sleep_until(10)
        await peer.close(code, reason)

    return play


async def stays(peer):
    """A script: open, and stay."""
    await peer.open()
    await trio.sleep_forever()


@pytest.mark.parametrize(("code", "rules"), [(1000, {}), (1008, {}), (4003, {"end": [1000, 4003]})])
async def test_some_codes_end_it(played, code, rules, autojump_clock):
    """The client does not come back, and says so."""
    life = played(closes(code), stays).client(close_codes=rules)
    await trio.sleep_until(30)
    (disconnected,) = life.of(Disconnected)
    assert (disconnected.close_code, disconnected.was_clean) == (code, True)
    assert life.of(Failed) == [Failed(0, 10.0, 0, f"closed for good ({code})")]
    assert life.ended_at == 10.0
    assert str(life.client.status) == "failed"


@pytest.mark.parametrize(
    ("code", "rules"),
    [(1001, {}), (1011, {}), (1012, {}), (1014, {}), (4000, {}), (1000, {"end": [1008]})],
)
async def test_others_do_not(played, code, rules, autojump_clock):
    """The client comes back by its policy."""
    life = played(closes(code), stays).client(close_codes=rules)
    await trio.sleep_until(30)
    assert [event.delay for event in life.of(Reconnecting)] == [1.0]
    assert len(life.of(Connected)) == 2


@pytest.mark.parametrize(
    ("code", "reason", "delay"),
    [
        (1013, '{"retry_after":5}', 5.0),
        (4001, '{"retry_after":7.5}', 7.5),
        (1012, '{"retry_after":0.5}', 1.0),
        (1012, "back in a minute", 1.0),
        (1012, '{"retry_after":-5}', 1.0),
        (1001, '{"retry_after":5}', 1.0),
    ],
)
async def test_a_server_may_ask_for_time(played, code, reason, delay, autojump_clock):
    """In the reason of a code that allows it; at least so long, or longer if the policy says so."""
    life = played(closes(code, reason), stays).client()
    await trio.sleep_until(30)
    assert life.of(Disconnected)[0].reason == reason
    assert [event.delay for event in life.of(Reconnecting)] == [delay]
    assert life.of(Connected)[1].at == pytest.approx(10.0 + delay + 0.02)


async def test_some_codes_bring_it_back_at_once(played, autojump_clock):
    """Whatever its policy says, and as none of the retries that the policy allows."""
    life = played(closes(1000), stays).client(
        close_codes={"at_once": [1000]}, policy={"growth": "constant", "max_attempts": 0}
    )
    await trio.sleep_until(30)
    assert [event.delay for event in life.of(Reconnecting)] == [0.0]
    assert life.of(Connected)[1].at == pytest.approx(10.02)
