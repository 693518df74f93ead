"""Messages survive the wire, and nothing that a peer can send does any harm."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_stub.messages import (
    Ack,
    Batch,
    Event,
    Nack,
    Operation,
    Snapshot,
    Sync,
    decode,
    encode,
    encode_hint,
    hinted_delay,
)
from server_stub.wire import APPLICATION_PING, APPLICATION_PONG

NUMBERS = st.integers(0, 2**53 - 1)
IDS = st.integers(1, 2**53 - 2)
SIZES = st.integers(0, 200)
MESSAGES = st.one_of(
    st.builds(Sync, NUMBERS | st.none(), NUMBERS),
    st.builds(Operation, st.text(), st.text()),
    st.builds(Event, NUMBERS, IDS),
    st.builds(
        lambda epoch, first, count, size: Batch(epoch, first, first + count - 1, size),
        NUMBERS,
        st.integers(1, 2**52),
        st.integers(0, 2**52),
        SIZES,
    ),
    st.builds(Snapshot, NUMBERS, NUMBERS, SIZES),
    st.builds(Ack, st.text(), st.booleans()),
    st.builds(Nack, st.text(), st.text()),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
ALMOST = st.fixed_dictionaries(
    {"t": st.sampled_from(["sync", "op", "event", "batch", "state", "ack", "nack", "x"]) | JSON},
    optional=dict.fromkeys("eainkbdrf", JSON),
)


@given(MESSAGES)
def test_a_message_survives_the_wire(message):
    """It comes back as itself, of the same kind."""
    received = decode(encode(message))
    assert (type(received), received) == (type(message), message)


@given(MESSAGES)
def test_a_message_is_one_line_of_ascii(message):
    """Whatever its texts contain."""
    text = encode(message)
    assert text.isascii()
    assert text.isprintable()


@given(st.text() | JSON.map(json.dumps) | ALMOST.map(json.dumps))
def test_garbage_never_raises(text):
    """What does decode is a message that can be sent again."""
    message = decode(text)
    assert message is None or decode(encode(message)) == message


@pytest.mark.parametrize(
    "text",
    [
        APPLICATION_PING,
        APPLICATION_PONG,
        "",
        "{",
        "null",
        "[" * 100_000,
        '{"t":' * 100_000,
        '{"t":"event","e":1,"i":' + "9" * 5000 + "}",
        '{"t":["event"],"e":1,"i":1}',
        '{"t":"event","e":1}',
        '{"t":"event","e":1,"i":0}',
        '{"t":"event","e":1,"i":1.0}',
        '{"t":"event","e":true,"i":1}',
        '{"t":"event","e":1,"i":9007199254740992}',
        '{"t":"batch","e":1,"i":5,"n":3}',
        '{"t":"batch","e":1,"i":0,"n":3}',
        '{"t":"sync","e":-1,"a":0}',
        '{"t":"chat","text":"hello"}',
    ],
    ids=lambda text: text[:40] or "empty",
)
def test_what_is_not_ours_decodes_to_nothing(text):
    """Pings, foreign texts, broken JSON, values out of range, and attacks on the parser."""
    assert decode(text) is None


def test_unknown_keys_are_skipped():
    """A later version may say more."""
    assert decode('{"t":"event","e":1,"i":7,"later":[1]}') == Event(1, 7)


def test_the_keys_stay_what_they_are():
    """Recorded conversations stay readable."""
    assert [
        encode(message)
        for message in (
            Sync(None, 0),
            Operation("k1", "x"),
            Event(1, 7),
            Batch(1, 3, 7, 2),
            Snapshot(1, 7),
            Ack("k1", duplicate=True),
            Nack("k1", "no"),
        )
    ] == [
        '{"t":"sync","e":null,"a":0}',
        '{"t":"op","k":"k1","b":"x"}',
        '{"t":"event","e":1,"i":7}',
        '{"t":"batch","e":1,"i":3,"n":7,"f":".."}',
        '{"t":"state","e":1,"n":7}',
        '{"t":"ack","k":"k1","d":true}',
        '{"t":"nack","k":"k1","r":"no"}',
    ]


@given(SIZES)
def test_filler_costs_its_size(size):
    """The wire carries as many characters as the bodies would have had."""
    extra = len(encode(Snapshot(1, 7, size))) - len(encode(Snapshot(1, 7)))
    assert extra == (size + len(',"f":""') if size else 0)


@given(st.floats(0.001, 1e6) | st.integers(1, 10**6))
def test_a_hint_survives_the_close_frame(seconds):
    """It fits into the 123 bytes that a close frame has for its reason."""
    reason = encode_hint(seconds)
    assert hinted_delay(reason) == seconds
    assert len(reason.encode()) <= 123


@given(st.text() | JSON.map(json.dumps) | JSON.map(lambda v: json.dumps({"retry_after": v})))
def test_any_reason_gives_a_delay(reason):
    """Finite and not negative, whatever a server writes into its close frames."""
    assert 0 <= hinted_delay(reason) < float("inf")


@pytest.mark.parametrize(
    "reason",
    [
        "",
        "server restarting",
        "5",
        '{"retry_after": "5"}',
        '{"retry_after": true}',
        '{"retry_after": -5}',
        '{"retry_after": NaN}',
        '{"retry_after": Infinity}',
        '{"retry_after": 1' + "0" * 400 + "}",
        '{"retry_after": 5',
    ],
    ids=lambda reason: reason[:40] or "empty",
)
def test_a_text_for_people_asks_for_nothing(reason):
    """Nor does a delay that is no number of seconds."""
    assert hinted_delay(reason) == 0.0
