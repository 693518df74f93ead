"""A capacity from the connects per second of a real incident."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.calibration import fit_incident
from simulator.errors import InputError


def write(path, rows, header=None):
    """A CSV file of these rows."""
    lines = [header] if header else []
    path.write_text("\n".join([*lines, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


STORM = [0, 0, 0, 40, 118, 121, 119, 122, 120, 120, 61, 10, 3, 0, 1]
"""Connects per second: a server that does 120 at most."""


def test_the_plateau_is_the_capacity(tmp_path):
    """Its ramp and its tail are not."""
    rows = [(100 + second, n) for second, n in enumerate(STORM)]
    found = fit_incident(write(tmp_path / "connects.csv", rows, "time,connects"))
    assert found.capacity == pytest.approx(120, rel=0.02)
    assert found.capacity_low < 120 < found.capacity_high
    assert found.workers is None


def test_seconds_without_a_row_count_as_nothing(tmp_path):
    """Metrics systems leave out what is 0; the rate is per second all the same."""
    rows = [(10 * bin_number, 10 * n) for bin_number, n in enumerate(STORM) if n]
    assert fit_incident(write(tmp_path / "x.csv", rows)).capacity == pytest.approx(120, rel=0.02)


@given(seed=st.integers(0, 2**32 - 1), capacity=st.floats(30, 300))
def test_timestamps_give_the_same(tmp_path_factory, seed, capacity):
    """A busy server lets clients in at its own pace; before and after few come."""
    generator = np.random.default_rng(seed)
    quiet = np.sort(generator.uniform(0, 20, 20))
    storm = 20 + np.cumsum(generator.gamma(4, 1 / (4 * capacity), int(15 * capacity)))
    stamps = [*quiet, *storm]
    file = tmp_path_factory.mktemp("stamps") / "stamps.csv"
    found = fit_incident(write(file, [(stamp,) for stamp in stamps], "connected_at"))
    assert found.capacity == pytest.approx(capacity, rel=0.1)


def test_times_may_be_dates(tmp_path):
    """As a log writes them."""
    rows = [(f"2026-01-01T00:00:{second:02d}+00:00", n) for second, n in enumerate(STORM)]
    assert fit_incident(write(tmp_path / "x.csv", rows)).capacity == pytest.approx(120, rel=0.02)


def test_without_a_plateau_it_is_a_lower_bound(tmp_path):
    """One high second is no limit."""
    rows = list(enumerate([0, 3, 100, 2, 1]))
    found = fit_incident(write(tmp_path / "x.csv", rows))
    assert found.capacity_high == float("inf")
    assert any("not its limit" in remark for remark in found.remarks)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no rows"),
        ("time,n\n1,2\nx,3\n", "line 3: 'x,3'"),
        ("1,2,3\n1,2,3\n", "line 2: '1,2,3'"),
        ("1,5\n1,6\n", "times repeat"),
        ("1\n1.5\n", "allowed: 2 s or more"),
        ("1,0\n2,0\n", "no connects"),
        ("1,5\n2,-6\n", "line 2: '2,-6'"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(tmp_path, text, says):
    """It names the file, what is wrong, and what is allowed."""
    file = tmp_path / "bad.csv"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        fit_incident(file)
    assert str(file) in str(caught.value)
    assert says in str(caught.value)
    assert "allowed" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_one_line(tmp_path):
    """As the operating system says it."""
    with pytest.raises(InputError, match="No such file"):
        fit_incident(tmp_path / "none.csv")
