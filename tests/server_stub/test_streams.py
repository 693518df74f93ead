"""Streams: the kernel's and those in memory do the same."""

import pytest
import trio

LARGE = bytes(range(256)) * 8192
"""More than any stream holds."""


@pytest.fixture
async def pair(network):
    """The two ends of a connection: the one that dialled and the one that was accepted."""
    network.port.listen()
    ours = await network.dial()
    theirs = await network.port.accept()
    yield ours, theirs
    ours.close()
    theirs.close()


async def receive(stream, size):
    """This many bytes, or what there is until the end."""
    data = bytearray()
    while len(data) < size and (piece := await stream.receive_some()):
        data += piece
    return bytes(data)


async def send_on_and_on(stream, data=LARGE):
    """Until it fails."""
    while True:
        await stream.send_all(data)


# Streams


async def test_bytes_arrive_in_order_both_ways(pair):
    """As many as there are."""
    for sender, receiver in (pair, pair[::-1]):
        await sender.send_all(b"thundering ")
        await sender.send_all(b"herd")
        assert await receive(receiver, 15) == b"thundering herd"


async def test_a_sender_waits_for_its_reader(pair):
    """And nothing is lost while it does."""
    ours, theirs = pair
    sent = False

    async def send():
        nonlocal sent
        for _ in range(8):
            await ours.send_all(LARGE)
        sent = True

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert not sent
        assert await receive(theirs, 8 * len(LARGE)) == 8 * LARGE


async def test_an_end_is_seen_after_the_data(pair):
    """Again and again."""
    ours, theirs = pair
    await ours.send_all(b"farewell")
    ours.close()
    assert await receive(theirs, 99) == b"farewell"
    assert await theirs.receive_some() == b""


async def test_a_reset_is_seen_after_the_data(pair):
    """As an error."""
    ours, theirs = pair
    await ours.send_all(b"farewell")
    ours.reset()
    assert await theirs.receive_some() == b"farewell"
    with pytest.raises(ConnectionResetError):
        await theirs.receive_some()


async def test_a_reset_wakes_who_waits_for_data(pair):
    """At once."""
    ours, theirs = pair
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reset_when_idle, ours)
        with pytest.raises(ConnectionResetError):
            await theirs.receive_some()


async def reset_when_idle(stream):
    """Reset it once everybody waits."""
    await trio.testing.wait_all_tasks_blocked()
    stream.reset()


async def test_a_reset_wakes_who_waits_for_room(pair):
    """At once."""
    ours, theirs = pair
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reset_when_idle, theirs)
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            await send_on_and_on(ours)


async def test_closing_with_unread_data_resets(pair):
    """What was sent and never read is not passed over in silence."""
    ours, theirs = pair
    await ours.send_all(b"did you get this?")
    await theirs.send_all(b"never mind")
    theirs.close()
    assert await ours.receive_some() == b"never mind"
    with pytest.raises(ConnectionResetError):
        await ours.receive_some()


async def test_sending_to_who_has_closed_fails_before_long(pair):
    """The first bytes may go out before the news has come in."""
    ours, theirs = pair
    theirs.close()
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        await send_on_and_on(ours, b"anyone?")


async def test_sending_to_who_has_reset_fails(pair):
    """At once, or after the first bytes."""
    ours, theirs = pair
    theirs.reset()
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        await send_on_and_on(ours, b"anyone?")


@pytest.mark.parametrize("end", ["close", "reset"])
async def test_what_was_closed_on_this_side_cannot_be_used(pair, end):
    """A mistake of the caller, not of the network."""
    ours, _ = pair
    getattr(ours, end)()
    with pytest.raises(trio.ClosedResourceError):
        await ours.send_all(b"x")
    with pytest.raises(trio.ClosedResourceError):
        await ours.receive_some()


@pytest.mark.parametrize("first", ["close", "reset"])
@pytest.mark.parametrize("second", ["close", "reset"])
async def test_an_end_is_final(pair, first, second):
    """Closing again changes nothing for the peer."""
    ours, theirs = pair
    getattr(ours, first)()
    getattr(ours, second)()
    if first == "close":
        assert await theirs.receive_some() == b""
    else:
        with pytest.raises(ConnectionResetError):
            await theirs.receive_some()


@pytest.mark.parametrize("end", ["close", "reset"])
async def test_closing_wakes_the_own_receiver(pair, end):
    """It need not wait for what will never come."""
    ours, _ = pair
    async with trio.open_nursery() as nursery:
        nursery.start_soon(end_when_idle, ours, end)
        with pytest.raises(trio.ClosedResourceError):
            await ours.receive_some()


@pytest.mark.parametrize("end", ["close", "reset"])
async def test_closing_wakes_the_own_sender(pair, end):
    """Room will never come either."""
    ours, _ = pair
    async with trio.open_nursery() as nursery:
        nursery.start_soon(end_when_idle, ours, end)
        with pytest.raises(trio.ClosedResourceError):
            await send_on_and_on(ours)


async def end_when_idle(stream, end):
    """Close or reset it once everybody waits."""
    await trio.testing.wait_all_tasks_blocked()
    getattr(stream, end)()


@pytest.mark.parametrize("end", ["close", "reset"])
async def test_data_and_the_own_end_may_come_at_once(pair, end):
    """Whoever waits for data gets it, or meets the closed stream."""
    ours, theirs = pair
    met = []

    async def wait():
        try:
            met.append(await ours.receive_some())
        except trio.ClosedResourceError:
            met.append("closed")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        await theirs.send_all(b"too late?")
        getattr(ours, end)()
    assert met in (["closed"], [b"too late?"])


async def test_a_cancelled_receive_loses_nothing(pair):
    """However often it is cancelled while bytes come in."""
    ours, theirs = pair
    received = bytearray()

    async def send():
        for number in range(200):
            await ours.send_all(bytes([number]))
            await trio.lowlevel.checkpoint()
        ours.close()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        while True:
            with trio.CancelScope() as scope:
                nursery.start_soon(cancel_soon, scope)
                if not (data := await theirs.receive_some()):
                    break
                received += data
    assert received == bytes(range(200))


async def cancel_soon(scope):
    """Cancel it while others go on."""
    await trio.lowlevel.checkpoint()
    scope.cancel()


async def test_a_cancelled_sender_has_sent_nothing(pair):
    """When it was cancelled before it began."""
    ours, theirs = pair
    with trio.move_on_after(0) as scope:
        await ours.send_all(b"never")
    assert scope.cancelled_caught
    ours.close()
    assert await theirs.receive_some() == b""


async def test_last_words_are_heard_when_their_speaker_lingers(pair):
    """Though the other goes on talking: its words are dropped, and no reset overtakes the end."""
    ours, theirs = pair
    async with trio.open_nursery() as nursery:
        await ours.send_all(b"blah" * 1000)
        await theirs.send_all(b"enough")
        nursery.start_soon(theirs.linger)
        for _ in range(3):
            await ours.send_all(LARGE)
        assert await receive(ours, 100) == b"enough"
        assert await ours.receive_some() == b""
        ours.close()
    theirs.close()


async def test_lingering_ends_with_the_other_side_s_reset(pair):
    """As receiving does."""
    ours, theirs = pair
    ours.reset()
    with pytest.raises(OSError, match=r"reset|not connected"):
        await theirs.linger()
