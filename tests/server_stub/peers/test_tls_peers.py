"""Peers that cannot or will not speak TLS with a node are bounded and counted like others."""

import ssl

import pytest
import trio
import trustme

from server_stub.tls import TlsPort, TlsStream
from server_stub.wire import Identity

from .frames import request

HTTP = request()
GARBAGE = b"\x16\x03\x01\x00\x05garbage"
PATIENCE = 5.0


@pytest.fixture(scope="module")
def authority():
    """Vouches for the server."""
    return trustme.CA()


@pytest.fixture
def stub(node, authority):
    """A call that starts a node that speaks TLS."""

    async def start():
        served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("stub").configure_cert(served)
        return await node(request_timeout=PATIENCE, in_front=lambda port: TlsPort(port, served))

    return start


def client_hello():
    """The first words of a client that speaks TLS."""
    unsent = ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), unsent, server_hostname="stub")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return unsent.read()


def trusting(authority):
    """How a client knows the server."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.mark.parametrize(("said", "told"), [(HTTP, b""), (GARBAGE, b"\x15")], ids=["http", "tls"])
async def test_who_speaks_no_tls_is_let_go_at_once(autojump_clock, stub, raw, said, told):
    """With an alert, if what it said looked like TLS at least."""
    at = await stub()
    peer = await raw(at, said)
    await trio.sleep(PATIENCE + 1)
    assert peer.received[:1] == told
    assert peer.end == ("eof", 0.0)
    assert (at.recorder.totals["malformed"], at.recorder.totals["arrivals"]) == (1, 0)


async def test_who_does_not_trust_the_certificate_is_counted(autojump_clock, stub):
    """It breaks off the handshake by an alert."""
    at = await stub()
    stream = TlsStream(await at.port.dial(), ssl.create_default_context(), server_name="stub")
    with pytest.raises(ssl.SSLCertVerificationError):
        await stream.shake_hands()
    await trio.testing.wait_all_tasks_blocked()
    assert (at.recorder.totals["malformed"], at.recorder.totals["arrivals"]) == (1, 0)
    stream.close()


@pytest.mark.parametrize("half", [False, True])
async def test_who_does_not_get_on_is_let_go_in_time(autojump_clock, stub, raw, half):
    """Be it that it says nothing, or only half of what opens a handshake."""
    at = await stub()
    peer = await raw(at, *([client_hello()[:100]] if half else []))
    await trio.sleep(PATIENCE + 1)
    assert peer.end == ("eof", PATIENCE)
    assert (at.recorder.totals["malformed"], at.recorder.totals["arrivals"]) == (1, 0)


@pytest.mark.parametrize("half", [False, True])
async def test_who_leaves_during_the_handshake_has_only_left(autojump_clock, stub, raw, half):
    """Just as without TLS."""
    at = await stub()
    peer = await raw(at, *([client_hello()[:100]] if half else []))
    peer.stream.close()
    await trio.sleep(PATIENCE + 1)
    assert at.recorder.totals["malformed"] == 0


async def test_a_connected_peer_that_breaks_tls_is_counted_once(autojump_clock, stub, authority):
    """And is gone; it had arrived as others do."""
    at = await stub()
    wire = await at.port.dial()
    stream = TlsStream(wire, trusting(authority), server_name="stub")
    await stream.shake_hands()
    await stream.send_all(request(Identity(0, 0, 1).path))
    assert b" 101 " in await stream.receive_some()
    await wire.send_all(b"\x17\x03\x03\x00\x20" + bytes(32))
    await trio.sleep(PATIENCE)
    assert (at.recorder.totals["malformed"], at.recorder.totals["arrivals"]) == (1, 1)
    assert at.server.n_connected == 0
    wire.close()


async def test_nobody_waits_for_them(autojump_clock, stub, raw, authority):
    """A good client beside a hundred bad ones is served in the second that its service takes."""
    at = await stub()
    for number in range(100):
        await raw(at, *[(HTTP,), (GARBAGE,), ()][number % 3], listens=False)
    good = TlsStream(await at.port.dial(), trusting(authority), server_name="stub")
    await good.shake_hands()
    await good.send_all(request())
    assert b" 101 " in await good.receive_some()
    assert trio.current_time() == 1.0
    good.close()
