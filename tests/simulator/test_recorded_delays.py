"""Recorded delays as a policy."""

import numpy as np
import pytest

from simulator.core.backoff import delays
from simulator.errors import InputError
from simulator.recorded_delays import recorded_policy


@pytest.fixture
def recorded(tmp_path):
    """Write a file of recorded delays; gives its path."""

    def write(text, name="mine.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def rows(by_attempt):
    """A file with these delays by attempt."""
    lines = [f"{attempt},{delay}" for attempt, sample in by_attempt.items() for delay in sample]
    return "\n".join(["attempt,delay", *lines])


def drawn(policy, step, n=10_001):
    """Delays at equally spaced draws."""
    return delays(policy, np.full(n, step), np.linspace(1e-9, 1 - 1e-9, n))


def test_one_row_per_attempt_is_a_fixed_delay(recorded):
    """The last one goes on for ever; the file gives the name."""
    policy = recorded_policy(recorded("attempt,delay\n1,0.5\n2,1\n3,4.25\n"))
    assert policy.name == "mine"
    assert [drawn(policy, step, 3).tolist() for step in (1, 2, 3, 50)] == [
        [0.5] * 3,
        [1.0] * 3,
        [4.25] * 3,
        [4.25] * 3,
    ]


def test_several_rows_are_drawn_from(recorded):
    """The quantiles of the delays are those of the sample, straight between its values."""
    sample = [5.0, 1.0, 2.0]
    policy = recorded_policy(recorded(rows({1: sample})))
    probabilities = np.linspace(0, 1, 21)
    assert np.quantile(drawn(policy, 1), probabilities) == pytest.approx(
        np.quantile(sample, probabilities), abs=1e-3
    )


def test_a_value_recorded_often_is_drawn_often(recorded):
    """Lockstep that was recorded stays lockstep."""
    policy = recorded_policy(recorded(rows({1: [1.0, 5.0, 5.0, 5.0, 5.0]})))
    assert np.mean(drawn(policy, 1) == 5.0) == pytest.approx(0.75, abs=0.001)


def test_a_large_sample_is_thinned(recorded):
    """It keeps its quantiles, and the scenario stays readable."""
    sample = np.random.default_rng(1).exponential(3.0, size=5000).round(4)
    policy = recorded_policy(recorded(rows({1: sample})))
    assert len(policy.waits[0]) <= 201
    inner = np.linspace(0.01, 0.99, 99)
    assert np.quantile(drawn(policy, 1), inner) == pytest.approx(
        np.quantile(sample, inner), rel=0.02
    )


def test_rows_come_in_any_order_beside_other_columns(recorded):
    """As a log has them, written by whatever program."""
    text = "\ufeffclient, delay, attempt\r\nx, 3, 2\r\ny, 1, 1\r\n\r\n"
    policy = recorded_policy(recorded(text))
    assert policy.waits == (1.0, 3.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: no column 'attempt'; needed: attempt, delay"),
        ("attempt;delay\n1;2\n", "line 1: no column 'attempt'"),
        ("attempt,wait\n1,2\n", "line 1: no column 'delay'"),
        ("attempt,delay\n", "has no rows"),
        ("attempt,delay\n1,2\n2,soon\n", "line 3: delay = 'soon': allowed: seconds, from 0"),
        ("attempt,delay\n1,-2\n", "line 2: delay = '-2'"),
        ("attempt,delay\n1,nan\n", "line 2: delay = 'nan'"),
        ("attempt,delay\n1,inf\n", "line 2: delay = 'inf'"),
        ("attempt,delay\n1\n", "line 2: delay = nothing"),
        ("attempt,delay\n0,2\n", "line 2: attempt = '0': allowed: a whole number from 1"),
        ("attempt,delay\n1.5,2\n", "line 2: attempt = '1.5'"),
        ("attempt,delay\n1,2\n3,2\n", "no row of attempt 2, though there are of 3"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(recorded, text, said):
    """In one line that begins with the file."""
    path = recorded(text)
    with pytest.raises(InputError) as caught:
        recorded_policy(path)
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00", "a directory"])
def test_a_file_that_cannot_be_read_is_named(tmp_path, content):
    """Whether it is missing, no text or no file."""
    path = tmp_path / "mine.csv"
    if content == "a directory":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"mine\.csv: cannot be read"):
        recorded_policy(path)
