"""What a request target says, whoever wrote it."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from server_stub.wire import Identity, identity_of

numbers = st.integers(0, 2**32 - 1)


@given(identity=st.builds(Identity, numbers, numbers, numbers))
def test_what_one_side_writes_the_other_reads(identity):
    """For all numbers that a record can hold."""
    assert identity_of(identity.path) == identity


def test_a_target_may_say_more():
    """In any order, under any path, with a host or without."""
    target = "ws://host:1/chat/room?token=x&attempt=3&client=1&episode=2#top"
    assert identity_of(target) == Identity(client=1, episode=2, attempt=3)


@pytest.mark.parametrize(
    "target",
    [
        "",
        "/",
        "*",
        "/herd?client=1&episode=2",
        "/herd?client=&episode=2&attempt=3",
        "/herd?client=one&episode=2&attempt=3",
        "/herd?client=1.5&episode=2&attempt=3",
        "/herd?client=-1&episode=2&attempt=3",
        f"/herd?client={2**32}&episode=2&attempt=3",
        f"/herd?client={'9' * 5000}&episode=2&attempt=3",
        "//[?client=1&episode=2&attempt=3",
    ],
)
def test_a_foreign_target_says_nothing(target):
    """It is no error either."""
    assert identity_of(target) is None


@given(target=st.text())
def test_no_target_is_an_error(target):
    """Strangers send what they like."""
    identity = identity_of(target)
    assert identity is None or all(0 <= number < 2**32 for number in identity)
