"""The server keeps RFC 6455 as an echo server: framing, control frames, UTF-8, closing.

The cases are grouped as the public conformance suites group theirs; each cites the section of
RFC 6455 that asks for it. What is sent and what comes back is written and read without any library.
"""

import struct

import pytest
import trio

from server_stub.config import ServiceTime
from server_stub.limits import Limits

from .frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close, frame, request

SMALL = Limits(max_message_bytes=1000)


@pytest.fixture
def echo(node, raw):
    """A call that connects a raw peer to a node that echoes everything."""

    async def connect(**config):
        at_once = ServiceTime(kind="constant", mean=1e-9)
        stub = await node(service_time=at_once, **config)
        peer = await raw(stub, request("/echo"))
        await trio.sleep(1e-6)
        assert peer.status == 101
        return peer

    return connect


def chopped(data, size):
    """The same bytes in pieces."""
    return [data[place : place + size] for place in range(0, len(data), size)]


async def echoes(peer, sent, *expected, chop=None):
    """The peer hears exactly this, and can then close properly."""
    await peer.says(*(chopped(sent, chop) if chop else [sent]))
    assert peer.frames == list(expected)
    await peer.says(close(1000))
    assert peer.frames == [*expected, (CLOSE, b"\x03\xe8")]
    assert peer.end is not None


async def fails(peer, sent, code, *expected, chop=None):
    """The peer hears exactly this, is then told what it did wrong, and the stream ends."""
    await peer.says(*(chopped(sent, chop) if chop else [sent]))
    assert peer.close_code == code
    assert peer.frames[:-1] == list(expected)
    reason = peer.frames[-1][1][2:].decode()
    assert reason, "the reason is said in words"
    assert peer.end is not None


# 1: framing (5.2, 5.6)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 128, 65535, 65536, 200_000])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("chop", [None, 997])
async def test_1_every_length_and_form_of_it(autojump_clock, echo, opcode, size, chop):
    """7, 16 and 64 bits of length, and the values on both sides of where they change."""
    payload = b"*" * size if opcode == TEXT else bytes(place % 256 for place in range(size))
    await echoes(await echo(), frame(opcode, payload), (opcode, payload), chop=chop)


@pytest.mark.parametrize("payload", [b"", b"a", b"a" * 126])
async def test_1_byte_by_byte(autojump_clock, echo, payload):
    """TCP may cut anywhere, the header included."""
    await echoes(await echo(), frame(BINARY, payload), (BINARY, payload), chop=1)


@pytest.mark.parametrize("mask", [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x01\x02\x03\x04"])
async def test_1_any_mask(autojump_clock, echo, mask):
    """The key is the client's choice (5.3)."""
    await echoes(await echo(), frame(TEXT, "masked", mask=mask), (TEXT, b"masked"))


async def test_1_an_unmasked_frame(autojump_clock, echo):
    """A client must mask (5.1)."""
    await fails(await echo(), frame(TEXT, "plain", mask=None), 1002)


@pytest.mark.parametrize(("size", "opcode"), [(0, TEXT), (125, BINARY), (126, TEXT), (65535, TEXT)])
async def test_1_a_length_longer_than_need_be(autojump_clock, echo, size, opcode):
    """It must be in its shortest form (5.2)."""
    await fails(await echo(), frame(opcode, b"a" * size, shortest=False), 1002)


async def test_1_sixteen_bits_for_a_short_length(autojump_clock, echo):
    """Likewise."""
    await fails(await echo(), b"\x81\xfe\x00\x05\0\0\0\0hello", 1002)


async def test_1_a_length_with_its_highest_bit_set(autojump_clock, echo):
    """It must be 0 (5.2)."""
    await fails(await echo(), frame(BINARY, b"", size=2**63), 1002)


# 2: pings and pongs (5.5.2, 5.5.3)


@pytest.mark.parametrize("chop", [None, 1])
@pytest.mark.parametrize(
    "payload", [b"", b"who is there?", b"\x00\xff\xfe\xfd", b"\xfe" * 125], ids=len
)
async def test_2_a_ping_is_answered_with_its_payload(autojump_clock, echo, payload, chop):
    """Whatever bytes they are."""
    await echoes(await echo(), frame(PING, payload), (PONG, payload), chop=chop)


@pytest.mark.parametrize("opcode", [PING, PONG])
async def test_2_too_long_for_a_control_frame(autojump_clock, echo, opcode):
    """At most 125 bytes (5.5)."""
    await fails(await echo(), frame(opcode, b"x" * 126), 1002)


@pytest.mark.parametrize("payload", [b"", b"nobody asked"])
async def test_2_a_pong_that_nobody_asked_for(autojump_clock, echo, payload):
    """It is no reason to say anything."""
    await echoes(await echo(), frame(PONG, payload) + frame(PING, b"?"), (PONG, b"?"))


@pytest.mark.parametrize("chop", [None, 1])
async def test_2_pings_in_a_row(autojump_clock, echo, chop):
    """Each has its pong, in order."""
    payloads = [b"ping %d" % number for number in range(10)]
    sent = b"".join(frame(PING, payload) for payload in payloads)
    await echoes(await echo(), sent, *((PONG, payload) for payload in payloads), chop=chop)


# 3: reserved bits (5.2)


@pytest.mark.parametrize("opcode", [TEXT, BINARY, CLOSE, PING, PONG])
@pytest.mark.parametrize("rsv", range(1, 8))
async def test_3_a_reserved_bit(autojump_clock, echo, opcode, rsv):
    """No extension gave it a meaning; what came before it still counts."""
    sent = frame(TEXT, "good") + frame(opcode, b"", rsv=rsv) + frame(TEXT, "too late")
    await fails(await echo(), sent, 1002, (TEXT, b"good"))


async def test_3_a_reserved_bit_is_seen_before_the_payload(autojump_clock, echo):
    """The header suffices."""
    await fails(await echo(), frame(TEXT, b"", rsv=4, size=1000), 1002, chop=1)


# 4: opcodes (5.2)


@pytest.mark.parametrize("payload", [b"", b"what is this?"])
@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
async def test_4_a_reserved_opcode(autojump_clock, echo, opcode, payload):
    """Nobody knows what it means."""
    sent = frame(TEXT, "good") + frame(opcode, payload) + frame(PING)
    await fails(await echo(), sent, 1002, (TEXT, b"good"))


# 5: fragmentation (5.4)


def message(opcode, *parts):
    """One message in fragments."""
    opcodes = [opcode, *[CONTINUATION] * (len(parts) - 1)]
    last = len(parts) - 1
    return [
        frame(code, part, fin=number == last)
        for number, (code, part) in enumerate(zip(opcodes, parts, strict=True))
    ]


@pytest.mark.parametrize("chop", [None, 1])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize(
    "parts", [["frag", "ment"], ["a", "b", "c", "d"], ["", ""], ["", "late"], ["early", ""]]
)
async def test_5_fragments_make_one_message(autojump_clock, echo, opcode, parts, chop):
    """Also empty ones."""
    whole = "".join(parts).encode()
    sent = b"".join(message(opcode, *(part.encode() for part in parts)))
    await echoes(await echo(), sent, (opcode, whole), chop=chop)


async def test_5_control_frames_may_come_between(autojump_clock, echo):
    """They are answered before the message is complete."""
    first, second, third = message(TEXT, "one ", "two ", "three")
    sent = first + frame(PING, b"1") + second + frame(PONG) + frame(PING, b"2") + third
    await echoes(await echo(), sent, (PONG, b"1"), (PONG, b"2"), (TEXT, b"one two three"))


@pytest.mark.parametrize("opcode", [PING, PONG, CLOSE])
async def test_5_a_control_frame_in_fragments(autojump_clock, echo, opcode):
    """There is no such thing (5.5)."""
    sent = frame(opcode, b"", fin=False) + frame(CONTINUATION, b"")
    await fails(await echo(), sent, 1002)


@pytest.mark.parametrize("fin", [True, False])
async def test_5_a_continuation_of_nothing(autojump_clock, echo, fin):
    """Not at the beginning."""
    await fails(await echo(), frame(CONTINUATION, b"of what?", fin=fin), 1002)


async def test_5_a_continuation_after_the_end(autojump_clock, echo):
    """Nor after a message."""
    sent = b"".join(message(TEXT, "a", "b")) + frame(CONTINUATION, b"c")
    await fails(await echo(), sent, 1002, (TEXT, b"ab"))


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
async def test_5_a_message_within_a_message(autojump_clock, echo, opcode):
    """Fragments of two messages must not mix."""
    await fails(await echo(), frame(TEXT, "one", fin=False) + frame(opcode, b"two"), 1002)


# 6: UTF-8 (8.1)

TEXTS = {
    "none": "",
    "ASCII": "Herd, with a tab\t, a line\r\nand a null \0",
    "two bytes": "μῆλα, стадо, \u0080 \u07ff",
    "three bytes": "羊の群れ \u0800 \ud7ff \ue000 \uffff",
    "four bytes": "🐑🐏🐐 \U00010000 \U0010ffff",
    "no characters": "\ufffe \uffff \ufdd0 \U0001fffe \U0010fffe",
    "a mark of byte order": "\ufeffbaa",
    "a combination": "a\u0308 \u200d 👩‍🌾",
}

INVALID = {
    "a continuation": b"\x80",
    "the last continuation": b"\xbf",
    "only continuations": b"\x80\xbf\x80\xbf",
    "two bytes cut short": b"\xc3 ",
    "three bytes cut short": b"\xe2\x82 ",
    "four bytes cut short": b"\xf0\x9f\x90 ",
    "starts without continuations": b"\xc3\xe2\xf0",
    "FE": b"\xfe",
    "FF": b"\xff",
    "/ in two bytes": b"\xc0\xaf",
    "/ in three bytes": b"\xe0\x80\xaf",
    "/ in four bytes": b"\xf0\x80\x80\xaf",
    "the longest overlong two": b"\xc1\xbf",
    "the longest overlong three": b"\xe0\x9f\xbf",
    "the longest overlong four": b"\xf0\x8f\xbf\xbf",
    "five bytes": b"\xf8\x88\x80\x80\x80",
    "six bytes": b"\xfc\x84\x80\x80\x80\x80",
    "the first surrogate": b"\xed\xa0\x80",
    "the last surrogate": b"\xed\xbf\xbf",
    "a pair of surrogates": b"\xed\xa0\xbd\xed\xb0\x91",
    "one beyond the last": b"\xf4\x90\x80\x80",
    "far beyond the last": b"\xf7\xbf\xbf\xbf",
}


@pytest.mark.parametrize("chop", [None, 1])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
async def test_6_a_text_is_unicode(autojump_clock, echo, text, chop):
    """Every character there is."""
    payload = text.encode()
    await echoes(await echo(), frame(TEXT, payload), (TEXT, payload), chop=chop)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
async def test_6_a_character_may_be_cut(autojump_clock, echo, text):
    """A fragment need not end where a character does."""
    payload = text.encode()
    sent = b"".join(message(TEXT, *chopped(payload, 1), b""))
    await echoes(await echo(), sent, (TEXT, payload))


@pytest.mark.parametrize("before", [b"", "gültig ".encode()], ids=["alone", "after good ones"])
@pytest.mark.parametrize("bad", INVALID.values(), ids=INVALID)
async def test_6_bytes_that_are_no_text(autojump_clock, echo, bad, before):
    """They end the connection with 1007."""
    await fails(await echo(), frame(TEXT, before + bad + b" after"), 1007)


@pytest.mark.parametrize("cut", [1, 2, 3])
async def test_6_a_text_that_ends_within_a_character(autojump_clock, echo, cut):
    """Nor is that a text."""
    await fails(await echo(), frame(TEXT, "🐑".encode()[:cut]), 1007)


@pytest.mark.parametrize("bad", INVALID.values(), ids=INVALID)
async def test_6_it_is_seen_at_once(autojump_clock, echo, bad):
    """Long before the message, or even its frame, is complete."""
    peer = await echo()
    await peer.says(frame(TEXT, b"a" * 50, fin=False))
    await peer.says(frame(CONTINUATION, bad + b" after", size=1000, fin=False))
    assert peer.close_code == 1007


@pytest.mark.parametrize("opcode", [BINARY, PING])
@pytest.mark.parametrize("bad", INVALID.values(), ids=INVALID)
async def test_6_only_texts_need_be_text(autojump_clock, echo, bad, opcode):
    """Other payloads are any bytes."""
    answer = PONG if opcode == PING else opcode
    await echoes(await echo(), frame(opcode, bad), (answer, bad))


# 7: closing (5.5.1, 7)

VALID_CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 3999]
VALID_CODES += [4000, 4001, 4999]
INVALID_CODES = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]


async def test_7_a_close_frame_without_a_code(autojump_clock, echo):
    """Is answered by one; then the server ends the stream."""
    peer = await echo()
    await peer.says(close())
    assert peer.frames == [(CLOSE, b"")]
    assert peer.end is not None


@pytest.mark.parametrize("chop", [None, 1])
@pytest.mark.parametrize("code", VALID_CODES)
async def test_7_a_code_comes_back(autojump_clock, echo, code, chop):
    """Those of RFC 6455, the registered ones, those of libraries and of applications (7.4)."""
    peer = await echo()
    await peer.says(*(chopped(close(code, "bye"), chop or 100)))
    assert peer.close_code == code
    assert peer.end is not None


@pytest.mark.parametrize("code", INVALID_CODES)
async def test_7_a_code_that_must_not_be_sent(autojump_clock, echo, code):
    """Reserved, unknown or out of range (7.4)."""
    await fails(await echo(), close(code), 1002)


async def test_7_half_a_code(autojump_clock, echo):
    """A payload has two bytes at least (5.5.1)."""
    await fails(await echo(), frame(CLOSE, b"\x03"), 1002)


@pytest.mark.parametrize(("size", "code"), [(0, 1000), (123, 1000), (124, 1002)])
async def test_7_the_longest_reason(autojump_clock, echo, size, code):
    """With the code it makes 125 bytes (5.5)."""
    peer = await echo()
    await peer.says(close(1000, "*" * size))
    assert peer.close_code == code


@pytest.mark.parametrize("bad", INVALID.values(), ids=INVALID)
async def test_7_a_reason_is_text(autojump_clock, echo, bad):
    """In UTF-8 (5.5.1)."""
    await fails(await echo(), close(1000, bad), 1007)


@pytest.mark.parametrize(
    "after",
    [frame(PING), frame(TEXT, "one more thing"), close(1001), frame(3), b"\xff" * 100],
    ids=["ping", "text", "another close", "reserved opcode", "garbage"],
)
async def test_7_nothing_counts_after_a_close_frame(autojump_clock, echo, after):
    """It is dropped unread (5.5.1)."""
    peer = await echo()
    await peer.says(frame(TEXT, "before") + close(1000) + after, after)
    assert peer.frames == [(TEXT, b"before"), (CLOSE, b"\x03\xe8")]
    assert peer.end is not None


async def test_7_a_close_frame_amid_a_message(autojump_clock, echo):
    """Ends it; the rest is never to come (5.4)."""
    peer = await echo()
    await peer.says(frame(TEXT, "unfinished", fin=False) + close(1000))
    assert peer.frames == [(CLOSE, b"\x03\xe8")]


async def test_7_the_server_ends_the_stream_first(autojump_clock, echo):
    """So that a client's port is not kept busy (7.1.1)."""
    peer = await echo()
    await peer.says(close(1000))
    assert peer.end[0] == "eof"


# 9: limits (10.4)


@pytest.mark.parametrize("chop", [None, 64, 1460])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
async def test_9_the_longest_message(autojump_clock, echo, opcode, chop):
    """Comes back whole: by default a MiB."""
    payload = b"m" * Limits().max_message_bytes
    if chop == 64:
        payload = payload[:20_000]
    peer = await echo()
    for piece in chopped(frame(opcode, payload), chop or 2**21):
        await peer.stream.send_all(piece)
    await trio.sleep(1)
    await echoes(peer, b"", (opcode, payload))


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("n_parts", [1, 2, 1001])
async def test_9_one_byte_too_many(autojump_clock, echo, opcode, n_parts):
    """In one frame or in many."""
    size = -(-1001 // n_parts)
    sent = b"".join(message(opcode, *chopped(b"x" * 1001, size)))
    await fails(await echo(limits=SMALL), sent, 1009)


@pytest.mark.parametrize("n_parts", [1, 2, 1000])
async def test_9_as_many_as_are_allowed(autojump_clock, echo, n_parts):
    """Messages that follow each other do not add up."""
    parts = chopped(b"x" * 1000, 1000 // n_parts)
    sent = b"".join(message(BINARY, *parts))
    await echoes(await echo(limits=SMALL), sent * 2, *[(BINARY, b"x" * 1000)] * 2)


async def test_9_bytes_count_not_characters(autojump_clock, echo):
    """400 characters of three bytes are too long for 1,000 bytes."""
    await fails(await echo(limits=SMALL), frame(TEXT, "羊" * 400), 1009)


@pytest.mark.parametrize("size", [2**16, 2**32, 2**63 - 1])
async def test_9_a_frame_that_announces_too_much(autojump_clock, echo, size):
    """It is not waited for: the limit is."""
    peer = await echo(limits=SMALL)
    await peer.says(frame(BINARY, b"x" * 1000, size=size))
    assert peer.frames == []
    await peer.says(b"x")
    assert peer.close_code == 1009


async def test_9_many_messages(autojump_clock, echo):
    """Come back one by one, in order."""
    texts = [b"%d" % number for number in range(2000)]
    sent = b"".join(frame(TEXT, text) for text in texts)
    await echoes(await echo(), sent, *((TEXT, text) for text in texts), chop=1000)


# 10: the rest


async def test_10_messages_of_both_kinds_alternate(autojump_clock, echo):
    """Each comes back as what it was."""
    kinds = [TEXT, BINARY, BINARY, TEXT]
    sent = b"".join(frame(kind, b"same") for kind in kinds)
    await echoes(await echo(), sent, *((kind, b"same") for kind in kinds))


async def test_10_a_frame_in_one_piece_with_the_next_ones(autojump_clock, echo):
    """However TCP glues them."""
    sent = frame(TEXT, "a") + frame(PING, b"p") + frame(BINARY, b"b")
    await echoes(await echo(), sent, (TEXT, b"a"), (PONG, b"p"), (BINARY, b"b"))


async def test_10_compression_is_not_agreed_to(autojump_clock, node, raw):
    """So there is nothing to inflate: a compressed frame is one with a reserved bit (RFC 7692)."""
    stub = await node()
    peer = await raw(stub, request(Sec_WebSocket_Extensions="permessage-deflate"))
    await trio.sleep(2)
    assert "sec-websocket-extensions" not in peer.headers
    await peer.says(frame(TEXT, struct.pack("5B", 0xF2, 0x48, 0xCD, 0xC9, 0xC9), rsv=4))
    assert peer.close_code == 1002
