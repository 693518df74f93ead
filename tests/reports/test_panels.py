"""Panels: how they stand, what they are called, and that colours tell things apart."""

import pytest
from matplotlib.lines import Line2D

from reports.panels import (
    best_columns,
    label_edges,
    legend_under_figure,
    new_panels,
    set_title,
)
from reports.style import OUTCOME_COLOURS, POLICY_COLOURS, STATE_COLOURS, policy_colours, styled
from simulator.core.outcomes import Outcome
from simulator.metrics.states import FleetState


@pytest.mark.parametrize(("n", "n_labelled"), [(1, 1), (3, 3), (5, 3), (6, 3)])
def test_each_column_has_its_times_at_the_bottom(n, n_labelled):
    """Even where the last row has fewer panels than the ones above."""
    figure, axes = new_panels(n, height=2.0, n_columns=3)
    for ax in axes:
        ax.set(xlabel="time (s)", ylabel="clients")
    label_edges(axes)
    assert figure.axes == axes
    labelled = axes[-n_labelled:]
    assert [ax for ax in axes if ax.get_xlabel()] == labelled
    assert all(ax.xaxis.get_tick_params()["labelbottom"] for ax in labelled)
    assert [bool(ax.get_ylabel()) for ax in axes] == [place % 3 == 0 for place in range(n)]


@pytest.mark.parametrize(
    ("n", "n_columns"),
    [(1, 1), (2, 2), (3, 3), (4, 2), (5, 3), (6, 3), (7, 2), (8, 2), (9, 3), (10, 2), (12, 3)],
)
def test_a_grid_leaves_as_few_empty_places_as_can_be(n, n_columns):
    """In rows of up to three."""
    assert best_columns(n) == n_columns


@pytest.mark.parametrize(("n", "n_columns"), [(1, 1), (5, 5), (6, 3), (9, 5)])
def test_a_legend_has_rows_of_about_one_length(n, n_columns):
    """Of five entries at most."""
    figure, _ = new_panels(1, height=2.0)
    handles = [Line2D([], [], label=str(place)) for place in range(n)]
    assert legend_under_figure(figure, handles)._ncols == n_columns


def test_a_title_takes_the_lines_it_needs():
    """One across the page; panels side by side have the name above the finding, both wrapped."""
    _, (wide,) = new_panels(1, height=2.0)
    set_title(wide, "fixed", "28 % back")
    assert wide.get_title(loc="left") == "fixed: 28 % back"
    with styled():
        _, (narrow, *_) = new_panels(3, height=2.0, n_columns=3)
        set_title(narrow, "exponential 1 s x2 up to 10 s, full jitter", "28 % back")
    assert narrow.get_title(loc="left") == "exponential 1 s x2 up to 10 s, full\njitter\n28 % back"


def test_everything_has_a_colour_of_its_own():
    """No two outcomes, states or neighbouring policies look alike."""
    assert set(OUTCOME_COLOURS) == set(Outcome)
    assert set(STATE_COLOURS) == set(FleetState)
    for colours in (OUTCOME_COLOURS.values(), STATE_COLOURS.values(), POLICY_COLOURS):
        assert len(set(colours)) == len(colours)
    assert list(policy_colours("abcdefgh").values()) == [*POLICY_COLOURS, POLICY_COLOURS[0]]
