"""The figure of a policy by itself."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from reports.drawing import draw_policy
from reports.figures import plot_policy
from simulator.core.backoff import BASIC, Policy
from simulator.core.storms import attempts_until, load_curve


def draw(policy, *, n_clients=50, until=20.0, n_attempts=4, yardstick=None, axes=None):
    """The figure of a small herd."""
    herd = attempts_until(policy, n_clients, until, seed=1, refused_after=0.02)
    return plot_policy(
        herd,
        load_curve(herd, 0.1),
        name="mine",
        finding="what is seen",
        n_attempts=n_attempts,
        yardstick=yardstick,
        axes=axes,
    )


def test_every_attempt_of_a_client_is_a_dot_in_its_band():
    """The first attempts of all clients lie about 1, the second about 2, at their instants."""
    policy = BASIC["exponential-full-jitter"]
    drawn = draw(policy)
    herd = attempts_until(policy, 50, 20.0, seed=1, refused_after=0.02)
    assert len(drawn.points) == 4
    for number, points in enumerate(drawn.points, start=1):
        at, height = points.get_offsets().T
        column = herd.at[:, number - 1]
        np.testing.assert_allclose(at, column[np.isfinite(column)])
        assert np.abs(height - number).max() <= 0.4
        assert np.unique(height).size == height.size


def test_large_herds_are_thinned_to_what_can_be_seen():
    """Of ten thousand clients some hundreds are shown, and the figure says how many."""
    drawn = draw(BASIC["fixed"], n_clients=10_000, n_attempts=2)
    n_shown = len(drawn.points[0].get_offsets())
    assert n_shown < 1000
    assert f"{n_shown} of the clients" in drawn.falls.get_title(loc="left")
    assert "10,000 clients" in drawn.figure.get_suptitle()


def test_the_load_is_the_rate_of_all_attempts():
    """The curve below is that of the whole herd, the peak within the axis."""
    drawn = draw(BASIC["fixed"])
    herd = attempts_until(BASIC["fixed"], 50, 20.0, seed=1, refused_after=0.02)
    curve = load_curve(herd, 0.1)
    np.testing.assert_allclose(drawn.curve.get_data().values, curve.per_second)
    np.testing.assert_allclose(drawn.curve.get_data().edges, curve.edges)
    assert drawn.load.get_ylim()[1] > curve.per_second.max()
    assert drawn.load.get_title(loc="left") == "what is seen"


def test_the_yardstick_is_a_line_with_its_name():
    """And it is never cut off, even where it is the higher of the two."""
    herd = attempts_until(BASIC["fixed"], 500, 20.0, seed=1, refused_after=0.02)
    drawn = draw(BASIC["exponential"], yardstick=("fixed", load_curve(herd, 0.1)))
    words = [text.get_text() for text in drawn.load.get_legend().get_texts()]
    assert words == ["attempts per second", "fixed"]
    assert drawn.load.get_ylim()[1] > drawn.yardstick.get_ydata().max() == 5000.0


def test_both_panels_have_one_time_axis_with_its_unit():
    """From the loss to the end of what was looked at."""
    drawn = draw(BASIC["fixed"])
    assert drawn.falls.get_xlim() == drawn.load.get_xlim()
    left, right = drawn.load.get_xlim()
    assert -1.0 < left < 0.0
    assert right == 20.0
    assert "seconds" in drawn.load.get_xlabel()
    assert drawn.falls.get_ylabel() == "attempt after the loss"


def test_has_a_row_for_each_attempt_that_is_made():
    """Of a client that gives up there are no more."""
    drawn = draw(Policy(growth="constant", max_attempts=2), n_attempts=12)
    assert len(drawn.points) == 2
    assert drawn.falls.get_ylim() == (2.5, 0.5)
    assert drawn.falls.get_yticks().tolist() == [1, 2]


def test_draws_on_given_axes():
    """No other figure is made."""
    axes = list(Figure().subplots(2, 1))
    drawn = draw(BASIC["fixed"], axes=axes)
    assert [drawn.falls, drawn.load] == axes


@pytest.mark.parametrize(
    "policy",
    [
        BASIC["immediate"],
        Policy(max_attempts=0),
        Policy(max_attempts=2, jitter="full"),
        Policy(growth="constant", base=1e6),
    ],
    ids=["a loop", "never tries", "gives up", "waits for days"],
)
@pytest.mark.parametrize("format", ["png", "svg"])
def test_draws_whatever_there_is(policy, format, tmp_path):
    """A policy that hardly tries, or hardly does anything else, is drawn as well."""
    file = tmp_path / f"policy.{format}"
    draw_policy(policy, file, name="mine", n_attempts=12)
    assert file.stat().st_size > 1000
