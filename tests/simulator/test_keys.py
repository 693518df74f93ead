"""Joins on (client, episode), against the obvious loops."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simulator.keys import episode_keys, find, find_last, running_maximum

KEYS = st.lists(st.integers(0, 5), max_size=20)
EVENTS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), max_size=20)


def test_keys_sort_by_client_then_episode():
    """Even with the largest numbers a column holds."""
    rows = [(0, 0), (0, 2**32 - 1), (1, 0), (2**32 - 1, 2**32 - 1)]
    client, episode = np.array(rows, dtype="u4").T
    keys = episode_keys({"client": client, "episode": episode})
    assert keys.tolist() == sorted(set(keys.tolist()))


@given(KEYS, KEYS)
def test_find_names_the_first_row_with_a_key(wanted, keys):
    """Rows of a key that is there once or more; -1 for one that is not."""
    expected = [keys.index(key) if key in keys else -1 for key in wanted]
    assert find(np.array(wanted, dtype="u8"), np.array(keys, dtype="u8")).tolist() == expected


@given(EVENTS, EVENTS)
def test_find_last_names_the_latest_row_that_is_not_later(wanted, events):
    """Of equally late rows with the key, the last one."""
    expected = [
        max(
            ((then, row) for row, (key, then) in enumerate(events) if key == name and then <= at),
            default=(0, -1),
        )[1]
        for name, at in wanted
    ]
    wanted_keys, wanted_at = np.array(wanted, dtype="f8").reshape(-1, 2).T
    keys, at = np.array(events, dtype="f8").reshape(-1, 2).T
    found = find_last(wanted_keys.astype("u8"), wanted_at, keys=keys.astype("u8"), at=at)
    assert found.tolist() == expected


@given(EVENTS)
def test_running_maximum_begins_anew_in_each_group(events):
    """Whatever the groups are called, infinite values included."""
    events = sorted(events, key=lambda event: event[0])
    groups, values = np.array(events, dtype="f8").reshape(-1, 2).T
    values[values == 5] = np.inf
    expected = [
        values[: row + 1][groups[: row + 1] == groups[row]].max() for row in range(len(events))
    ]
    found = running_maximum(values, groups.astype("u8") << np.uint64(40))
    assert found.tolist() == expected
