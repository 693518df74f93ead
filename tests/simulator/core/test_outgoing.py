"""Messages wait in order, in a bounded space, and none is sent twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.core.outgoing import Offer, Outgoing, OutgoingConfig


def drain(outgoing):
    """Everything that waits, in order."""
    taken = []
    while (text := outgoing.take()) is not None:
        taken.append(text)
    return taken


def offer_all(outgoing, texts):
    """Offer each; returns what became of them."""
    return [outgoing.offer(text) for text in texts]


def test_what_waits_is_sent_in_order():
    """And then nothing is left."""
    outgoing = Outgoing(OutgoingConfig())
    assert {kept.offer for kept in offer_all(outgoing, "abc")} == {Offer.KEPT}
    assert len(outgoing) == 3
    assert drain(outgoing) == ["a", "b", "c"]
    assert len(outgoing) == 0


def test_a_full_buffer_that_refuses_keeps_the_oldest():
    """The sender learns which message was not taken; the seed's buffer grew without end."""
    outgoing = Outgoing(OutgoingConfig(limit=2, overflow="refuse"))
    assert offer_all(outgoing, "abc")[-1] == (Offer.REFUSED, "c")
    assert drain(outgoing) == ["a", "b"]


def test_a_full_buffer_that_drops_keeps_the_latest():
    """The result names the message that made room."""
    outgoing = Outgoing(OutgoingConfig(limit=2, overflow="drop_oldest"))
    assert offer_all(outgoing, "abc")[-1] == (Offer.KEPT_DROPPING_OLDEST, "a")
    assert drain(outgoing) == ["b", "c"]


OFFER_OR_TAKE = st.lists(st.booleans(), max_size=80)


@given(OFFER_OR_TAKE, st.integers(1, 5), st.sampled_from(["refuse", "drop_oldest"]))
def test_each_message_is_sent_once_or_lost_once_or_waits(steps, limit, overflow):
    """Every message is accounted for, and those sent keep their order."""
    outgoing = Outgoing(OutgoingConfig(limit=limit, overflow=overflow))
    offered, sent, lost = [], [], []
    for number, is_offer in enumerate(steps):
        if is_offer:
            offered.append(str(number))
            outcome = outgoing.offer(str(number))
            assert (outcome.lost is None) == (outcome.offer is Offer.KEPT)
            lost += [outcome.lost] if outcome.lost is not None else []
        elif (text := outgoing.take()) is not None:
            sent.append(text)
        assert len(outgoing) <= limit
    sent += drain(outgoing)
    assert sent == sorted(sent, key=int)
    assert sorted(sent + lost, key=int) == offered


class DyingError(Exception):
    """The connection is gone."""


@pytest.mark.parametrize("arrived", [True, False])
@pytest.mark.parametrize("dies_at", ["a", "b", "c"])
def test_nothing_is_sent_twice_when_the_connection_dies_in_a_flush(dies_at, arrived):
    """The message in the transport's hands is not sent again, whether it arrived or not."""
    outgoing = Outgoing(OutgoingConfig())
    offer_all(outgoing, "abc")
    received = []

    def send(text, *, dying):
        if not dying or arrived:
            received.append(text)
        if dying:
            raise DyingError

    def flush(dies_at):
        while (text := outgoing.take()) is not None:
            send(text, dying=text == dies_at)

    with pytest.raises(DyingError):
        flush(dies_at)
    flush(None)
    assert received == [text for text in "abc" if arrived or text != dies_at]
