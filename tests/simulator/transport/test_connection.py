"""After the 101: both transports talk alike, and every end is a ConnectionLostError."""

from contextlib import suppress

import pytest
import trio
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage

from simulator.core.outcomes import NoticedBy
from simulator.transport.seam import ConnectionLostError


async def loss_of(connection):
    """How the connection is lost."""
    with pytest.raises(ConnectionLostError) as caught:
        await connection.receive()
    return caught.value


# Talking


async def test_texts_arrive_in_order(connected, autojump_clock):
    """One by one, even when they came in one piece."""
    connection, peer = connected
    await peer.send(TextMessage(data="one"), TextMessage(data="two"))
    assert [await connection.receive(), await connection.receive()] == ["one", "two"]


async def test_texts_are_sent(connected, autojump_clock):
    """The peer receives what was said."""
    connection, peer = connected
    await connection.send("hello")
    assert await peer.hear() == TextMessage(data="hello")


async def test_a_text_in_fragments_is_one_text(connected, autojump_clock):
    """Frames and pieces of frames are put together."""
    connection, peer = connected
    await peer.send(TextMessage(data="grüß", message_finished=False))
    frame = peer.protocol.send(TextMessage(data=" dich"))
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def send_byte_by_byte():
            for byte in frame:
                await peer.stream.send_all(bytes([byte]))

        assert await connection.receive() == "grüß dich"


async def test_fragments_survive_a_cancelled_receive(connected, autojump_clock):
    """A heartbeat interrupts the receiving every now and then; nothing is lost by it."""
    connection, peer = connected
    await peer.send(TextMessage(data="he", message_finished=False))
    with trio.move_on_after(1) as scope:
        await connection.receive()
    assert scope.cancelled_caught
    await peer.send(TextMessage(data="llo"))
    assert await connection.receive() == "hello"


async def test_binary_messages_are_passed_over(connected, autojump_clock):
    """Only texts are received."""
    connection, peer = connected
    await peer.send(BytesMessage(data=b"\xff\x00"), TextMessage(data="text"))
    assert await connection.receive() == "text"


# Pings


async def test_a_ping_is_sent_without_waiting_for_the_pong(connected, at_once, autojump_clock):
    """The peer may be frozen."""
    connection, peer = connected
    with at_once():
        connection.ping()
        assert isinstance(await peer.hear(), Ping)


async def test_a_pong_is_heard_but_is_no_text(connected, autojump_clock):
    """It counts as life, at the moment it arrives."""
    connection, peer = connected
    connection.ping()
    ping = await peer.hear()
    await trio.sleep(0.5)
    await peer.send(ping.response())
    with trio.move_on_after(1):
        await connection.receive()
    assert connection.heard_at == 0.5


async def test_a_ping_of_the_peer_is_answered(connected, autojump_clock):
    """With a pong of the same payload."""
    connection, peer = connected
    await peer.send(Ping(payload=b"are you there"))
    with trio.move_on_after(1):
        await connection.receive()
    answer = await peer.hear()
    assert isinstance(answer, Pong)
    assert bytes(answer.payload) == b"are you there"


async def test_whatever_arrives_is_heard(connected, autojump_clock):
    """A text is life as well."""
    connection, peer = connected
    await trio.sleep(2)
    await peer.send(TextMessage(data="hello"))
    await connection.receive()
    assert connection.heard_at == 2


# The end


@pytest.mark.parametrize(
    ("code", "reason"), [(1001, "going away"), (1012, ""), (4001, "server restarting")]
)
async def test_a_close_frame_says_why(connected, code, reason, at_once, autojump_clock):
    """Its code and reason are those of the loss, and it is answered."""
    connection, peer = connected
    await peer.send(CloseConnection(code=code, reason=reason))
    with at_once():
        loss = await loss_of(connection)
        assert (await peer.hear()).code == code
    assert (loss.noticed_by, loss.close_code, loss.reason) == (
        NoticedBy.CLOSE_FRAME,
        code,
        reason,
    )


@pytest.mark.parametrize("leave", ["close", "reset"])
async def test_a_close_frame_counts_even_when_the_peer_leaves_at_once(
    connected, leave, at_once, autojump_clock
):
    """Nobody waits for the answer; what was said still holds."""
    connection, peer = connected
    await peer.send(CloseConnection(code=1012))
    getattr(peer.stream, leave)()
    with at_once():
        loss = await loss_of(connection)
    assert (loss.noticed_by, loss.close_code) == (NoticedBy.CLOSE_FRAME, 1012)


async def test_texts_before_a_close_frame_are_received(connected, autojump_clock):
    """The peer's last words come before its farewell."""
    connection, peer = connected
    await peer.send(TextMessage(data="bye"), CloseConnection(code=1001))
    assert await connection.receive() == "bye"
    assert (await loss_of(connection)).close_code == 1001


async def test_the_end_of_the_stream_is_a_loss(connected, at_once, autojump_clock):
    """Without a close frame the code is 1006."""
    connection, peer = connected
    peer.stream.close()
    with at_once():
        loss = await loss_of(connection)
    assert (loss.noticed_by, loss.close_code) == (NoticedBy.EOF, 1006)


async def test_a_reset_is_a_loss(connected, at_once, autojump_clock):
    """Without a close frame the code is 1006."""
    connection, peer = connected
    peer.stream.reset()
    with at_once():
        loss = await loss_of(connection)
    assert (loss.noticed_by, loss.close_code) == (NoticedBy.RESET, 1006)


@pytest.mark.parametrize("leave", [None, "close", "reset"])
async def test_garbage_ends_the_connection(connected, leave, at_once, autojump_clock):
    """A frame that breaks the protocol is a loss with the code for it, whatever follows."""
    connection, peer = connected
    await peer.stream.send_all(b"\xff\xff\xff\xff garbage")
    if leave is not None:
        getattr(peer.stream, leave)()
    with at_once():
        loss = await loss_of(connection)
    assert loss.close_code == 1002


@pytest.mark.parametrize("leave", ["close", "reset"])
async def test_neither_ping_nor_send_hangs_once_the_connection_is_lost(
    connected, leave, at_once, autojump_clock
):
    """They may report the loss, but nothing else."""
    connection, peer = connected
    getattr(peer.stream, leave)()
    with at_once():
        for _ in range(3):
            with suppress(ConnectionLostError):
                connection.ping()
            with suppress(ConnectionLostError):
                await connection.send("anybody?")
        await loss_of(connection)
        with suppress(ConnectionLostError):
            connection.ping()


async def test_a_lost_connection_stays_lost(connected, at_once, autojump_clock):
    """Whoever asks again is told again."""
    connection, peer = connected
    peer.stream.reset()
    with at_once():
        assert (await loss_of(connection)).noticed_by is NoticedBy.RESET
        await loss_of(connection)


def interrupted(harness):
    """The scopes of receives, each of which is cancelled when something arrives within it."""
    scopes = []
    dial = harness.port.dial

    async def dial_for_interruption():
        stream = await dial()
        take = stream.receive_some

        class Interrupting:
            send_all, close, reset = stream.send_all, stream.close, stream.reset

            async def receive_some(self):
                data = await take()
                for scope in scopes:
                    scope.cancel()
                return data

        return Interrupting()

    harness.dial = dial_for_interruption
    return scopes


async def test_a_ping_is_answered_though_the_receive_is_cancelled(harness, autojump_clock):
    """The pong leaves with the next one."""
    scopes = interrupted(harness)
    answers = []

    async def play(peer):
        await peer.open()
        await trio.sleep(1)
        await peer.send(Ping(payload=b"there?"))
        answers.append(await peer.hear())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(harness.play, play)
        async with harness.connect() as connection:
            scopes.append(trio.CancelScope())
            with scopes[0]:
                await connection.receive()
            with trio.move_on_after(1):
                await connection.receive()
    assert [bytes(answer.payload) for answer in answers] == [b"there?"]


async def test_a_close_frame_is_not_lost_by_cancelling_the_receive(harness, autojump_clock):
    """A heartbeat that is due in the same breath does not turn the farewell into a mere end."""
    scopes = interrupted(harness)
    losses = []
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def play():
            peer = await (await harness.peer()).open()
            await trio.sleep(1)
            await peer.send(CloseConnection(code=1012))
            peer.stream.close()

        async with harness.connect() as connection:
            scopes.append(trio.CancelScope())
            for turn in (scopes[0], trio.CancelScope()):
                with turn:
                    losses.append(await loss_of(connection))
                    break
    assert [(loss.noticed_by, loss.close_code) for loss in losses] == [
        (NoticedBy.CLOSE_FRAME, 1012)
    ]


# Leaving


async def test_a_close_frame_can_be_sent(connected, at_once, autojump_clock):
    """It says goodbye with a code, and waits for nothing."""
    connection, peer = connected
    with at_once():
        await connection.close(1001)
        event = await peer.hear()
    assert isinstance(event, CloseConnection)
    assert event.code == 1001


@pytest.mark.parametrize("goodbye", [False, True])
async def test_leaving_never_waits_for_the_peer(harness, goodbye, at_once, autojump_clock):
    """The peer is frozen: the stream is dropped without a close handshake."""
    peers = []

    async def play(peer):
        peers.append(await peer.open())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(harness.play, play)
        with at_once():
            async with harness.connect() as connection:
                connection.ping()
                if goodbye:
                    await connection.close(1000)
    while await peers[0].stream.receive_some():
        pass


async def test_leaving_while_the_network_takes_nothing_more(harness, autojump_clock):
    """A full send buffer holds nobody back."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(harness.play, lambda peer: peer.open())
        with trio.move_on_after(5) as scope:
            async with harness.connect() as connection:
                while True:
                    await connection.send("x" * 60_000)
    assert scope.cancelled_caught
    assert trio.current_time() == 5


async def test_an_error_inside_passes_through_unchanged(harness, autojump_clock):
    """What goes wrong while connected is not for the transport to wrap."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(harness.play, lambda peer: peer.open())
        with pytest.raises(ZeroDivisionError):
            async with harness.connect():
                raise ZeroDivisionError


async def test_cancelling_while_connected_passes_through_cleanly(harness, autojump_clock):
    """What the client's task sees is Trio's Cancelled itself, not a group of them."""
    seen = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(harness.play, lambda peer: peer.open())
        with trio.move_on_after(5) as scope:
            try:
                async with harness.connect() as connection:
                    connection.ping()
                    await connection.receive()
            except BaseException as error:
                seen.append(type(error))
                raise
    assert scope.cancelled_caught
    assert seen == [trio.Cancelled]
    assert trio.current_time() == 5
