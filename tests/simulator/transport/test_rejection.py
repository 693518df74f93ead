"""For how long a server that turns a client away wants to be left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.core.backoff import LONGEST_DELAY
from simulator.transport.seam import rejection

NOON = b"Wed, 25 Nov 2026 12:00:00 GMT"
NOON_SECONDS = 1795608000.0
"""The same on the wall clock, since 1970."""
LATER = b"Wed, 25 Nov 2026 12:00:30 GMT"


def retry_after(*headers, wall_clock=lambda: NOON_SECONDS):
    """What is understood, given these headers of the answer."""
    return rejection(503, headers, wall_clock=wall_clock).retry_after


@pytest.mark.parametrize("name", [b"Retry-After", b"retry-after", b"RETRY-AFTER"])
def test_a_header_s_name_may_be_written_in_any_case(name):
    """As all of them."""
    assert retry_after((name, b"7")) == 7.0


@pytest.mark.parametrize("status", [429, 503, 302])
def test_it_counts_with_any_status(status):
    """Whoever says it means it."""
    assert rejection(status, [(b"Retry-After", b"7")]).retry_after == 7.0


def test_nobody_waits_for_ever():
    """However large the number."""
    assert retry_after((b"Retry-After", b"9" * 400)) == LONGEST_DELAY
    assert retry_after((b"Retry-After", b"Wed, 25 Nov 9999 12:00:00 GMT")) == LONGEST_DELAY


@pytest.mark.parametrize("offset", [-1e6, 0.0, 1e6])
def test_a_date_is_compared_with_the_server_s_own(offset):
    """So that a clock that is wrong, here or there, does no harm."""
    headers = ((b"Date", NOON), (b"Retry-After", LATER))
    assert retry_after(*headers, wall_clock=lambda: NOON_SECONDS + offset) == 30.0


@pytest.mark.parametrize("headers", [(), ((b"Date", b"noon"),)])
def test_without_one_it_is_compared_with_the_clock_on_the_wall(headers):
    """Or with one that makes no sense."""
    assert retry_after(*headers, (b"Retry-After", LATER)) == 30.0


def test_a_date_of_the_past_asks_for_nothing():
    """It has come."""
    assert retry_after((b"Date", LATER), (b"Retry-After", NOON)) == 0.0


@pytest.mark.parametrize(
    "value",
    [
        b"Wed, 25 Nov 2026 12:00:30 GMT",
        b"Wednesday, 25-Nov-26 12:00:30 GMT",
        b"Wed Nov 25 12:00:30 2026",
    ],
)
def test_a_date_has_three_forms(value):
    """All of them are HTTP's (RFC 9110, 5.6.7)."""
    assert retry_after((b"Retry-After", value)) == 30.0


@pytest.mark.parametrize(
    "value",
    [
        *(b"", b"soon", b"-5", b"1.5", b"10 s", b"0x10", b"\xff", "²".encode()),
        *(b"Wed, 99 Foo 2026 12:00:30 GMT", b"Wed, 25 Nov 99999999999 12:00:00 GMT"),
        b"2026-11-25T12:00:30Z",
    ],
)
def test_what_makes_no_sense_asks_for_nothing(value):
    """Nor does it do any harm."""
    assert retry_after((b"Retry-After", value)) == 0.0


_WORDS = st.sampled_from(
    [b"Wed", b", ", b" ", b"25", b"Nov", b"2026", b"12:00", b"GMT", b"+", b"-"]
)


@given(st.binary() | st.lists(_WORDS | st.binary(max_size=3), max_size=12).map(b"".join))
def test_whatever_a_server_says_the_wait_is_a_number(value):
    """Never negative, never for ever."""
    assert 0.0 <= retry_after((b"Date", NOON), (b"Retry-After", value)) <= LONGEST_DELAY
