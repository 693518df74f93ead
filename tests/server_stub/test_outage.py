"""Outages as written, and the windows of downtime they unfold into."""

import hypothesis.strategies as st
import pytest
from hypothesis import given
from pydantic import ValidationError

from server_stub.outage import Outage, OutageKind, unfold

ONE = {"starts_at": 2.0, "down_for": 6.0}


def test_an_outage_is_graceful_and_refuses_unless_told_otherwise():
    """As a restart with a supervisor is."""
    (window,) = unfold([Outage(**ONE)])
    assert (window.index, window.starts_at, window.ends_at) == (0, 2.0, 8.0)
    assert (window.kind, window.close_code) == (OutageKind.GRACEFUL, 1012)
    assert window.refuse
    assert not window.lost_at_thaw


def test_an_outage_repeats():
    """`count` times, `every` so many seconds from start to start."""
    windows = unfold([Outage(**ONE, every=10.0, count=3)])
    assert [window.starts_at for window in windows] == [2.0, 12.0, 22.0]
    assert [window.ends_at for window in windows] == [8.0, 18.0, 28.0]
    assert [window.index for window in windows] == [0, 1, 2]


def test_windows_are_numbered_by_start_over_the_whole_schedule():
    """However the outages were written down."""
    late = Outage(starts_at=15.0, down_for=1.0, kind="crash")
    windows = unfold([late, Outage(**ONE, every=20.0, count=2)])
    assert [(window.index, window.starts_at) for window in windows] == [(0, 2), (1, 15), (2, 22)]
    assert [window.kind.value for window in windows] == ["graceful", "crash", "graceful"]


def test_no_outage_is_no_window():
    """A quiet run."""
    assert unfold([]) == ()


@pytest.mark.parametrize("code", [1000, 1001, 4001, 4999])
def test_a_goodbye_has_the_code_that_was_set(code):
    """Standard or of the application's own."""
    (window,) = unfold([Outage(**ONE, close_code=code)])
    assert window.close_code == code


@pytest.mark.parametrize(
    ("kind", "refuse", "refuses"),
    [
        ("graceful", None, True),
        ("graceful", False, False),
        ("crash", None, True),
        ("crash", False, False),
        ("freeze", None, False),
        ("freeze", False, False),
    ],
)
def test_whether_a_node_refuses_while_down(kind, refuse, refuses):
    """Unless told otherwise it does, but for a freeze, whose sockets stay open."""
    (window,) = unfold([Outage(**ONE, kind=kind, refuse=refuse)])
    assert window.refuse is refuses


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"starts_at": 7.9}, r"at 7\.9 s starts before the one at 2 s has ended \(8 s\)"),
        ({"starts_at": 2.0}, r"at 2 s starts before the one at 2 s has ended \(8 s\)"),
        ({"starts_at": 0.5}, r"at 2 s starts before the one at 0\.5 s has ended \(6\.5 s\)"),
    ],
)
def test_outages_must_not_overlap(second, message):
    """The message names both."""
    with pytest.raises(ValueError, match=message):
        unfold([Outage(**ONE), Outage(**{**ONE, **second})])


def test_outages_may_touch():
    """One begins as the other ends."""
    assert len(unfold([Outage(**ONE), Outage(starts_at=8.0, down_for=1.0)])) == 2


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"count": 3}, "count = 3 needs `every`"),
        ({"every": 9.0}, "every = 9 needs `count`"),
        ({"every": 5.0, "count": 2}, "every = 5 must exceed down_for = 6"),
        ({"every": 6.0, "count": 2}, "every = 6 must exceed down_for = 6"),
        ({"kind": "crash", "close_code": 1001}, "close_code belongs to kind = 'graceful'"),
        ({"kind": "freeze", "close_code": 1001}, "close_code belongs to kind = 'graceful'"),
        ({"kind": "freeze", "refuse": True}, "refuse = true contradicts kind = 'freeze'"),
        ({"kind": "crash", "lost_at_thaw": True}, "lost_at_thaw belongs to kind = 'freeze'"),
        ({"kind": "meteor"}, "Input should be .*'graceful'"),
        ({"starts_at": -1.0}, "greater than or equal to 0"),
        ({"starts_at": float("nan")}, "finite"),
        ({"down_for": 0.0}, "greater than 0"),
        ({"down_for": float("inf")}, "finite"),
        ({"count": 0, "every": 9.0}, "greater than 0"),
        ({"close_code": 999}, "allowed: 1000 to 1003"),
        ({"close_code": 5000}, "3000 to 4999"),
        ({"down_for": "6"}, "valid number"),
        ({"duration": 6.0}, "Extra inputs are not permitted"),
    ],
)
def test_nonsense_is_refused(fields, message):
    """With a message that says what is wrong."""
    with pytest.raises(ValidationError, match=message):
        Outage(**{**ONE, **fields})


@given(
    outages=st.lists(
        st.builds(
            lambda starts_at, down_for, pause, count: Outage(
                starts_at=starts_at,
                down_for=down_for,
                every=down_for + pause if count > 1 else None,
                count=count,
            ),
            st.floats(0, 100),
            st.floats(0.1, 10),
            st.floats(0.1, 10),
            st.integers(1, 4),
        ),
        max_size=4,
    )
)
def test_windows_are_apart_and_in_order_or_refused(outages):
    """Whatever the schedule."""
    try:
        windows = unfold(outages)
    except ValueError:
        return
    assert len(windows) == sum(outage.count for outage in outages)
    assert [window.index for window in windows] == list(range(len(windows)))
    bounds = [at for window in windows for at in (window.starts_at, window.ends_at)]
    assert bounds == sorted(bounds)


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 2000, 2999, 5000])
def test_a_code_that_no_close_frame_may_carry_is_refused(code):
    """Else the clients would hear nothing."""
    with pytest.raises(ValidationError, match="allowed: 1000 to 1003"):
        Outage(starts_at=1.0, down_for=1.0, close_code=code)


def test_an_outage_hits_a_node_once():
    """Whoever names it twice means another one."""
    with pytest.raises(ValidationError, match="twice"):
        Outage(starts_at=1.0, down_for=1.0, nodes=(0, 0))
