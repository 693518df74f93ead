"""TLS over any stream: both transports over it, and every way in which it can go wrong."""

import ssl
from contextlib import suppress

import pytest
import trio
import trustme
from wsproto.events import CloseConnection, TextMessage

from server_stub.tls import TlsStream
from simulator.core.outcomes import NoticedBy, Outcome
from simulator.transport.seam import ConnectionLostError
from simulator.transport.tls import TlsConfig, over_tls


@pytest.fixture(scope="session")
def authority():
    """Signs the server's certificate, which is for herd.test."""
    return trustme.CA()


@pytest.fixture(scope="session")
def server_context(authority):
    """What the server shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("herd.test").configure_cert(context)
    return context


@pytest.fixture
def cafile(authority, tmp_path):
    """A file with the authority's certificate."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return tmp_path / "ca.pem"


@pytest.fixture
def secure(harness, server_context, cafile):
    """A harness whose connections are TLS; `secure(insecure=True)` trusts anybody."""

    def make(**config):
        given = {"name": "herd.test", "cafile": cafile, **config}
        harness.dial = over_tls(harness.port.dial, TlsConfig(**given))
        return harness

    make.context = server_context
    return make


def behind_tls(context, play):
    """What a peer plays, once it has shaken hands."""

    async def shake_hands_first(peer):
        peer.stream = TlsStream(peer.stream, context)
        await peer.stream.shake_hands()
        await play(peer)

    return shake_hands_first


async def test_texts_go_both_ways(secure, autojump_clock):
    """Also such as fill many records and the buffers in between."""
    harness, long = secure(), "x" * 300_000

    async def play(peer):
        await peer.open()
        heard = ""
        while len(heard) < len(long):
            heard += (await peer.hear()).data
        await peer.send(TextMessage(data=heard))
        await peer.send(CloseConnection(code=1001))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(harness.play, behind_tls(secure.context, play))
        async with harness.connect() as connection:
            await connection.send(long)
            assert await connection.receive() == long
            with pytest.raises(ConnectionLostError) as caught:
                await connection.receive()
    assert (caught.value.noticed_by, caught.value.close_code) == (NoticedBy.CLOSE_FRAME, 1001)


@pytest.mark.parametrize(
    ("config", "said"),
    [({"name": "other.test"}, "other.test"), ({"cafile": None}, "unable to get local issuer")],
    ids=["another name", "an authority that nobody knows"],
)
async def test_a_certificate_that_is_not_to_be_trusted(secure, config, said, autojump_clock):
    """The attempt fails on this side, and says why."""
    harness = secure(**config)

    async def play(peer):
        peer.stream = TlsStream(peer.stream, secure.context)
        with suppress(ssl.SSLError, ConnectionResetError):
            await peer.stream.shake_hands()

    failure = await harness.failure(play)
    assert failure.outcome is Outcome.FAILED
    assert "certificate" in str(failure)
    assert said in str(failure)


async def test_whoever_asks_for_it_trusts_anybody(secure, autojump_clock):
    """With `insecure`, neither name nor authority matter."""
    harness = secure(name="other.test", cafile=None, insecure=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(harness.play, behind_tls(secure.context, lambda peer: peer.open()))
        async with harness.connect():
            pass


@pytest.mark.parametrize(
    ("leave", "outcome"), [("close", Outcome.EOF), ("reset", Outcome.RESET)], ids=str
)
async def test_a_peer_that_leaves_in_the_handshake(secure, leave, outcome, autojump_clock):
    """As a server does that goes down just then."""
    harness = secure()

    async def play(peer):
        await peer.stream.receive_some()
        getattr(peer.stream, leave)()

    assert (await harness.failure(play)).outcome is outcome


async def test_a_peer_that_does_not_speak_tls(secure, autojump_clock):
    """wss:// at a server that only knows ws://."""
    harness = secure()

    async def play(peer):
        await peer.stream.receive_some()
        await peer.stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    failure = await harness.failure(play)
    assert failure.outcome is Outcome.EOF
    assert "no TLS" in str(failure)


@pytest.mark.parametrize(
    ("leave", "noticed_by"), [("close", NoticedBy.EOF), ("reset", NoticedBy.RESET)], ids=str
)
async def test_an_end_and_a_reset_are_told_apart(secure, leave, noticed_by, autojump_clock):
    """As without TLS; most servers that exit say no goodbye in TLS either."""
    harness = secure()

    async def play(peer):
        await peer.open()
        getattr(peer.stream, leave)()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(harness.play, behind_tls(secure.context, play))
        with pytest.raises(ConnectionLostError) as caught:
            async with harness.connect() as connection:
                await connection.receive()
    assert caught.value.noticed_by is noticed_by


async def test_garbage_is_a_lost_connection(secure, autojump_clock):
    """Bytes that are no record of TLS."""
    harness = secure()

    async def play(peer):
        await peer.open()
        await peer.stream._stream.send_all(b"garbage, and some more of it")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(harness.play, behind_tls(secure.context, play))
        with pytest.raises(ConnectionLostError) as caught:
            async with harness.connect() as connection:
                await connection.receive()
    assert caught.value.noticed_by is NoticedBy.RESET


async def test_who_is_cancelled_while_listening_can_go_on(secure, autojump_clock):
    """A heartbeat interrupts the client all the time."""
    harness = secure()

    async def play(peer):
        await peer.open()
        await trio.sleep(1)
        await peer.send(TextMessage(data="late"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(harness.play, behind_tls(secure.context, play))
        async with harness.connect() as connection:
            with trio.move_on_after(0.5):
                await connection.receive()
            connection.ping()
            assert await connection.receive() == "late"
