"""TLS over the seam, against the TLS of another library."""

import ssl

import pytest
import trio
import trustme

from server_stub.config import ServerConfig
from server_stub.recorder import ServerRecorder
from server_stub.server import Server
from server_stub.streams import GarbledError
from server_stub.tls import TlsPort
from simulator.network import MemoryPort


class Wire(trio.abc.Stream):
    """A stream of ours as Trio's own TLS wants it."""

    def __init__(self, stream):
        self.stream = stream

    async def send_all(self, data):
        """All of it."""
        await self.stream.send_all(bytes(data))

    async def wait_send_all_might_not_block(self):
        """It waits by itself."""
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes=None):
        """However much there is."""
        return await self.stream.receive_some()

    async def aclose(self):
        """At once."""
        self.stream.close()
        await trio.lowlevel.checkpoint()


@pytest.fixture(scope="module")
def authority():
    """Vouches for the server."""
    return trustme.CA()


@pytest.fixture
async def ends(network, authority, nursery):
    """The server's end of a TLS connection and the client's, on either kind of network."""
    served, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("stub").configure_cert(served)
    authority.configure_trust(trusting)
    port = TlsPort(network.port, served)
    port.listen()
    wire = Wire(await network.dial())
    server = await port.accept()
    client = trio.SSLStream(wire, trusting, server_hostname="stub")
    yield server, client
    server.close()
    wire.stream.close()


async def heard(stream, size):
    """So many bytes."""
    data = bytearray()
    while len(data) < size:
        data += await stream.receive_some()
    return bytes(data)


async def introduced(ends):
    """Let the two shake hands, which happens when the server first listens, and leave no rest."""
    server, client = ends
    async with trio.open_nursery() as both:
        both.start_soon(client.send_all, b"hello")
        assert await heard(server, 5) == b"hello"
    await server.send_all(b"hi")
    assert await heard(client, 2) == b"hi"


async def test_what_one_side_says_the_other_hears(ends):
    """Both ways, and more than a record holds."""
    server, client = ends
    await introduced(ends)
    long = bytes(range(256)) * 400
    async with trio.open_nursery() as both:
        both.start_soon(server.send_all, long)
        assert await heard(client, len(long)) == long
    async with trio.open_nursery() as both:
        both.start_soon(client.send_all, long)
        assert await heard(server, len(long)) == long


async def test_what_cannot_be_sent_at_once_is_sent_later_and_only_once(ends):
    """However little the network takes at a time."""
    server, client = ends
    await introduced(ends)
    said, rest = bytearray(), b""
    for number in range(10_000):
        message = f"{number:>10000}".encode()
        said += message
        rest = message[server.send_nowait(message) :]
        if rest:
            break
    assert rest
    assert server.send_nowait(rest) == 0
    async with trio.open_nursery() as both:
        both.start_soon(server.send_all, rest + b"the end")
        assert await heard(client, len(said) + 7) == said + b"the end"


async def test_several_tasks_may_send(ends):
    """What they say arrives whole, whoever is first."""
    server, client = ends
    await introduced(ends)
    async with trio.open_nursery() as talking:
        for letter in (b"a", b"b"):
            talking.start_soon(server.send_all, letter * 300_000)
        data = await heard(client, 600_000)
    assert data in {b"a" * 300_000 + b"b" * 300_000, b"b" * 300_000 + b"a" * 300_000}


async def test_a_reset_is_a_real_one(ends):
    """No goodbye of TLS softens it."""
    server, client = ends
    await introduced(ends)
    server.reset()
    with pytest.raises(ConnectionResetError):
        await client.receive_some()


async def test_an_end_is_announced(ends):
    """A client that is strict about TLS takes it for the end, not for an attack."""
    server, client = ends
    await introduced(ends)
    server.close()
    assert await client.receive_some() == b""


@pytest.mark.parametrize("polite", [True, False])
async def test_the_end_of_the_other_side_is_the_end(ends, polite):
    """With a goodbye of TLS or without one."""
    server, client = ends
    await introduced(ends)
    if polite:
        await client.aclose()
    else:
        client.transport_stream.stream.close()
    assert await server.receive_some() == b""


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x05garbage"])
async def test_who_does_not_speak_tls_is_told_from_who_has_left(ends, said):
    """It breaks the stream, as any broken stream, so that only this peer is lost."""
    server, client = ends
    await client.transport_stream.send_all(said)
    client.transport_stream.stream.close()
    with pytest.raises(GarbledError):
        await server.receive_some()


async def test_who_leaves_before_the_handshake_has_just_left(ends):
    """Without a word, nothing is wrong with what it said."""
    server, client = ends
    client.transport_stream.stream.close()
    assert await server.receive_some() == b""


async def test_a_stream_can_be_closed_at_any_time(ends):
    """Before the handshake, and twice."""
    server, _ = ends
    server.close()
    server.close()


async def test_whoever_lingers_is_heard_to_the_end(ends):
    """Its last words arrive, then the end; what the other still says is dropped."""
    server, client = ends
    await introduced(ends)
    async with trio.open_nursery() as both:

        @both.start_soon
        async def say_goodbye():
            await server.send_all(b"last words")
            await server.linger()

        assert await heard(client, 10) == b"last words"
        assert await client.receive_some() == b""
        await client.transport_stream.send_all(b"x" * 1000)
        client.transport_stream.stream.close()


# A node behind it


async def says_garbage(wire, authority):
    """No TLS at all."""
    await wire.send_all(b"GET / HTTP/1.1\r\n\r\n")


async def trusts_nobody(wire, authority):
    """It breaks the handshake off, because of the certificate."""
    with pytest.raises(trio.BrokenResourceError):
        await trio.SSLStream(
            wire, ssl.create_default_context(), server_hostname="stub"
        ).do_handshake()


async def says_nothing(wire, authority):
    """It is there, and that is all."""
    await trio.sleep(60)


async def leaves(wire, authority):
    """It has only looked in."""
    await wire.aclose()


@pytest.mark.parametrize(
    ("does", "n_malformed"),
    [(says_garbage, 1), (trusts_nobody, 1), (says_nothing, 1), (leaves, 0)],
    ids=lambda value: getattr(value, "__name__", value),
)
async def test_handshakes_of_tls_that_fail_are_counted(
    autojump_clock, nursery, authority, does, n_malformed
):
    """As what they are: peers cut off, and none of them an arrival."""
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("stub").configure_cert(served)
    below = MemoryPort(listen_backlog=10, syn_retry_at=(1.0,))
    recorder = ServerRecorder()
    server = Server(
        ServerConfig(request_timeout=5.0), port=TlsPort(below, served), seed=1, recorder=recorder
    )
    await nursery.start(server.run)
    wire = Wire(await below.dial())
    with trio.move_on_after(10):
        await does(wire, authority)
    await trio.sleep(10)
    assert recorder.totals["malformed"] == n_malformed
    assert recorder.totals["arrivals"] == 0
