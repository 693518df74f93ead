"""Arbitrary bytes, in arbitrary pieces: never an unexpected error, never without an end."""

import hypothesis.strategies as st
import trio
from hypothesis import given, settings
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage

from server_stub.config import ServerConfig, ServiceTime
from server_stub.handshake import Handshake, PeerLeftError, SilentPeerError
from server_stub.history import HistoryConfig
from server_stub.incoming import Incoming, ViolationError
from server_stub.limits import Limits
from server_stub.messages import Operation, Sync, encode
from server_stub.recorder import ServerRecorder
from server_stub.server import Server
from server_stub.upgrade import BadRequestError
from simulator.network import MemoryPort, stream_pair

from .frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close, frame, request

MAX_MESSAGE_BYTES = 300

payloads = st.one_of(
    st.binary(max_size=130),
    st.text(max_size=60).map(str.encode),
    st.sampled_from([encode(Sync(None, 0)), encode(Operation("key", ""))]).map(str.encode),
    st.just(b"x" * MAX_MESSAGE_BYTES),
)
good_frames = st.builds(
    frame, st.sampled_from([TEXT, BINARY, CONTINUATION, PING, PONG]), payloads, fin=st.booleans()
)
odd_frames = st.builds(
    frame,
    st.integers(0, 15),
    payloads,
    fin=st.booleans(),
    rsv=st.sampled_from([0, 0, 0, 1, 4]),
    mask=st.none() | st.binary(min_size=4, max_size=4),
    size=st.none() | st.integers(0, 2**64 - 1),
    shortest=st.booleans(),
)
closes = st.builds(close, st.none() | st.integers(0, 65535), st.binary(max_size=123))


@st.composite
def mutated(draw, sent):
    """The same bytes, with a few changed, dropped or doubled."""
    data = bytearray(draw(sent))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(data)))
        match draw(st.integers(0, 2)):
            case 0:
                data[place : place + 1] = draw(st.binary(min_size=1, max_size=1))
            case 1:
                del data[place : place + draw(st.integers(1, 4))]
            case 2:
                data[place:place] = data[max(0, place - 8) : place]
    return bytes(data)


@st.composite
def pieces(draw, sent):
    """The bytes of something, cut anywhere."""
    data = draw(sent)
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=6)))
    return [data[one:other] for one, other in zip([0, *cuts], [*cuts, len(data)], strict=True)]


talk = mutated(st.lists(good_frames | odd_frames | closes, max_size=8).map(b"".join))
knock = mutated(
    st.sampled_from(
        [
            request(f"/herd?client={client}&episode={episode}&attempt=1")
            for client in (0, 1)
            for episode in (0, 1)
        ]
        + [request("/echo"), request("/"), request(X="x" * 900)]
    )
)


def heard(bits):
    """What is heard, and with which code it ends; as one kind of value, whatever the parts."""
    incoming = Incoming(Connection(ConnectionType.SERVER), max_message_bytes=MAX_MESSAGE_BYTES)
    events, code = [], None
    try:
        for bit in bits:
            for event in incoming.hear(bit):
                match event:
                    case TextMessage(data=data) | BytesMessage(data=data):
                        assert len(data.encode() if isinstance(data, str) else data) <= 300
                        events.append((type(event), data))
                    case Ping(payload=payload) | Pong(payload=payload):
                        events.append((type(event), bytes(payload)))
                    case CloseConnection():
                        return events, event.code
    except ViolationError as violation:
        code = -violation.code
    return events, code


@settings(max_examples=100)
@given(bits=pieces(talk))
def test_however_bytes_are_cut_the_same_is_heard(bits):
    """Messages, pings, and what is wrong with the rest."""
    assert heard(bits) == heard([b"".join(bits)])


@settings(max_examples=100)
@given(bits=pieces(knock | st.binary(max_size=200)))
def test_a_request_has_one_of_few_outcomes(bits):
    """It is accepted, turned away with a proper answer, or left."""

    async def main():
        ours, theirs = stream_pair()
        for bit in bits:
            ours.send_nowait(bit)
        if len(bits) % 2:
            ours.close()
        answers = []
        try:
            await Handshake.read(theirs, patience=5.0, max_bytes=1000)
        except BadRequestError as bad:
            answers.append((bad.status, bad.answer()))
        except (PeerLeftError, SilentPeerError, OSError):
            pass
        for status, answer in answers:
            assert 400 <= status < 600
            assert answer.startswith(b"HTTP/1.1 %d " % status)
            assert len(answer) < 1000

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


scripts = st.tuples(
    pieces(knock | st.binary(max_size=60)),
    pieces(talk),
    st.sampled_from(["close", "reset", "stay", "half-close"]),
    st.booleans(),
)


async def play(port, knocks, words, ending, is_hasty):
    """One peer, from its first byte to its end."""
    stream = await port.dial()
    try:
        for bit in knocks:
            await stream.send_all(bit)
        if not is_hasty:
            await trio.sleep(0.2)
        for bit in words:
            await stream.send_all(bit)
            await trio.sleep(0.05)
        if ending == "half-close":
            stream._outgoing.end()
        elif ending != "stay":
            getattr(stream, ending)()
        while await stream.receive_some():
            pass
    except (OSError, trio.ClosedResourceError):
        pass


@settings(max_examples=40)
@given(peers=st.lists(scripts, min_size=1, max_size=4))
def test_no_peers_can_end_the_server(peers):
    """Each gets what it asks for or is cut off; a good client is served after all of them."""

    async def main():
        port = MemoryPort(listen_backlog=8)
        config = ServerConfig(
            workers=8,
            service_time=ServiceTime(kind="constant", mean=0.1),
            request_timeout=2.0,
            history=HistoryConfig(rate=10.0),
            limits=Limits(
                max_request_bytes=1000,
                max_message_bytes=MAX_MESSAGE_BYTES,
                max_unsent_bytes=1000,
                max_unread=3,
                message_timeout=3.0,
            ),
        )
        recorder = ServerRecorder()
        server = Server(config, port=port, seed=1, recorder=recorder)
        async with trio.open_nursery() as nursery:
            await nursery.start(server.run)
            nursery.start_soon(lambda: server.follow([], origin=0.0))
            async with trio.open_nursery() as playing:
                for script in peers:
                    playing.start_soon(play, port, *script)
                await trio.sleep(5)
                # Those who are still connected have said nothing wrong; the others have gone.
                assert server.n_connected <= recorder.totals["admitted"]
                assert not server._presence.unread
                assert not server._presence.leaving
                playing.cancel_scope.cancel()
            good = await port.dial()
            await good.send_all(request("/echo"))
            assert (await good.receive_some()).startswith(b"HTTP/1.1 101")
            await good.send_all(close(1000))
            assert (await good.receive_some())[0] == 0x80 | CLOSE
            nursery.cancel_scope.cancel()
        recorder.close(trio.current_time())

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
